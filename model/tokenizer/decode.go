package tokenizer

import "strings"

// Decode returns the text of ids, special tokens included. Ids outside the vocabulary are skipped.
func (t *Tokenizer) Decode(ids []int32) string { return t.decode(ids, false) }

// DecodeSkip returns the text of ids without the special tokens. Added tokens that are not special stay.
func (t *Tokenizer) DecodeSkip(ids []int32) string { return t.decode(ids, true) }

func (t *Tokenizer) decode(ids []int32, skip bool) string {
	if t.byteLevel {
		return t.decodeBytes(ids, skip)
	}
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if t.shows(id, skip) {
			tokens = append(tokens, t.decoded(id))
		}
	}
	if len(t.decoders) == 0 {
		return strings.Join(tokens, " ")
	}
	for _, d := range t.decoders {
		tokens = d.decode(tokens)
	}
	return strings.Join(tokens, "")
}

// shows tells whether id takes part in decoding.
func (t *Tokenizer) shows(id int32, skip bool) bool {
	if a, ok := t.addedByID[id]; ok {
		return !skip || !a.special
	}
	return t.vocab.has(id)
}

// decoded returns what the decoders get for id.
func (t *Tokenizer) decoded(id int32) string {
	if a, ok := t.addedByID[id]; ok {
		return a.decoded
	}
	return t.vocab.written(id)
}

// decodeBytes is decode for a folded vocabulary whose only decoder is ByteLevel: the tokens are bytes already.
func (t *Tokenizer) decodeBytes(ids []int32, skip bool) string {
	b := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		if t.shows(id, skip) {
			b = t.appendBytes(b, id)
		}
	}
	return string(appendLossy(nil, b))
}

// appendBytes appends the bytes of id, which shows.
func (t *Tokenizer) appendBytes(dst []byte, id int32) []byte {
	a, ok := t.addedByID[id]
	if !ok {
		return append(dst, t.vocab.bytes(id)...)
	}
	n := len(dst)
	if dst, ok = appendFolded(dst, []byte(a.decoded)); !ok {
		dst = append(dst[:n], a.decoded...)
	}
	return dst
}
