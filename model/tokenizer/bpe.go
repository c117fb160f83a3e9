package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// A model turns a piece of text into tokens. It appends them to dst; w is scratch memory.
type model interface {
	tokenize(dst []token, piece []byte, w *work) []token
}

// A token is an id and its bytes' place in the piece.
type token struct{ id, start, end int32 }

// bpe is byte-pair encoding: a piece starts as its characters (or bytes), and of all neighbours that have a merge,
// those of lowest rank, the leftmost first, are joined until none has.
type bpe struct {
	vocab  *vocabulary
	merges *merges
	unk    int32 // -1: none; an unknown character is dropped
	fuse   bool  // neighbouring unknown characters become one token
	whole  bool  // ignore_merges: a piece that is a token is that token

	prefix, suffix string     // of every character but the first, of the last one
	single         [256]int32 // ids of one-byte tokens, -1 where there is none
	fallback       [256]int32 // ids of <0xNN>, -1 where there is none
	bytewise       bool       // the symbols are bytes
	byteFallback   bool
}

// A symbol is a token in the making, linked to its neighbours; one that was joined to its left has the id none.
type symbol struct {
	token
	prev, next int32
}

const none = -1

func (m *bpe) tokenize(dst []token, piece []byte, w *work) []token {
	if m.whole {
		if id, ok := m.vocab.id(piece); ok {
			return append(dst, token{id, 0, int32(len(piece))})
		}
	}
	w.symbols = w.symbols[:0]
	if m.bytewise {
		m.splitBytes(piece, w)
	} else {
		m.splitRunes(piece, w)
	}
	if len(w.symbols) <= shortPiece {
		m.joinShort(w)
	} else {
		m.joinLong(w)
	}
	for i := range w.symbols {
		if s := &w.symbols[i]; s.id != none {
			dst = append(dst, s.token)
		}
	}
	return dst
}

// splitBytes makes a symbol of every byte.
func (m *bpe) splitBytes(piece []byte, w *work) {
	unk := noToken
	for i, b := range piece {
		t := token{m.single[b], int32(i), int32(i) + 1}
		if t.id >= 0 {
			w.flush(&unk)
			w.push(t)
		} else {
			m.unknown(&unk, t, w)
		}
	}
	w.flush(&unk)
}

// splitRunes makes a symbol of every character, of every byte of an unknown one if bytes can stand in, else of a
// run of unknown ones. Byte symbols overtake a pending unknown one, as they do in the official library.
func (m *bpe) splitRunes(piece []byte, w *work) {
	unk := noToken
	for i := 0; i < len(piece); {
		n := 1
		if piece[i] >= utf8.RuneSelf {
			_, n = utf8.DecodeRune(piece[i:])
		}
		t := token{m.char(piece, i, n, w), int32(i), int32(i + n)}
		switch {
		case t.id >= 0:
			w.flush(&unk)
			w.push(t)
		case m.byteFallback && m.fallbackBytes(piece, t, w):
		default:
			m.unknown(&unk, t, w)
		}
		i += n
	}
	w.flush(&unk)
}

// char returns the id of the character piece[i:i+n], or a negative number.
func (m *bpe) char(piece []byte, i, n int, w *work) int32 {
	if m.prefix == "" && m.suffix == "" {
		if n == 1 {
			return m.single[piece[i]]
		}
		id, _ := m.vocab.id(piece[i : i+n])
		return id
	}
	w.char = w.char[:0]
	if i > 0 {
		w.char = append(w.char, m.prefix...)
	}
	w.char = append(w.char, piece[i:i+n]...)
	if i+n == len(piece) {
		w.char = append(w.char, m.suffix...)
	}
	id, _ := m.vocab.id(w.char)
	return id
}

// fallbackBytes adds the byte tokens of the character at t, if there is one for every byte.
func (m *bpe) fallbackBytes(piece []byte, t token, w *work) bool {
	for _, b := range piece[t.start:t.end] {
		if m.fallback[b] < 0 {
			return false
		}
	}
	for i := t.start; i < t.end; i++ {
		w.push(token{m.fallback[piece[i]], i, i + 1})
	}
	return true
}

var noToken = token{id: none}

// unknown adds what t covers to the pending unknown token. Without one in the vocabulary t is dropped.
func (m *bpe) unknown(unk *token, t token, w *work) {
	if m.unk < 0 {
		return
	}
	if unk.id >= 0 && m.fuse {
		unk.end = t.end
		return
	}
	w.flush(unk)
	*unk = token{m.unk, t.start, t.end}
}

func (w *work) push(t token) { w.symbols = append(w.symbols, symbol{token: t}) }

// flush adds a pending token, if there is one, and clears it.
func (w *work) flush(t *token) {
	if t.id >= 0 {
		w.push(*t)
		*t = noToken
	}
}

// shortPiece is the number of symbols up to which looking for the best merge by a scan beats a heap.
const shortPiece = 24

// joinShort joins by scanning for the best merge again and again.
func (m *bpe) joinShort(w *work) {
	s := w.symbols
	var ranks, ids [shortPiece]int32
	best := func(i int) {
		ranks[i] = none
		if i+1 < len(s) {
			if rank, id, ok := m.merges.of(s[i].id, s[i+1].id); ok {
				ranks[i], ids[i] = rank, id
			}
		}
	}
	for i := range s {
		best(i)
	}
	for {
		at := none
		for i := range s {
			if ranks[i] >= 0 && (at < 0 || ranks[i] < ranks[at]) {
				at = i
			}
		}
		if at < 0 {
			break
		}
		s[at].id = ids[at]
		s[at].end = s[at+1].end
		copy(s[at+1:], s[at+2:])
		copy(ranks[at+1:], ranks[at+2:len(s)])
		copy(ids[at+1:], ids[at+2:len(s)])
		s = s[:len(s)-1]
		best(at)
		if at > 0 {
			best(at - 1)
		}
	}
	w.symbols = s
}

// joinLong joins with a heap of candidates, in time n log n.
func (m *bpe) joinLong(w *work) {
	s := w.symbols
	w.heap = w.heap[:0]
	for i := range s {
		s[i].prev, s[i].next = int32(i)-1, int32(i)+1
	}
	s[len(s)-1].next = none
	for i := range s[:len(s)-1] {
		m.offer(int32(i), w)
	}
	for len(w.heap) > 0 {
		c := w.heap.pop()
		left := &s[c.at]
		if left.id == none || left.next < 0 {
			continue
		}
		right := &s[left.next]
		if _, id, ok := m.merges.of(left.id, right.id); !ok || id != c.id {
			continue // one of the two has changed since
		}
		left.id = c.id
		left.end = right.end
		right.id = none
		left.next = right.next
		if left.next >= 0 {
			s[left.next].prev = c.at
			m.offer(c.at, w)
		}
		if left.prev >= 0 {
			m.offer(left.prev, w)
		}
	}
}

// offer puts the merge of symbol i and the next one, if there is one, into the heap.
func (m *bpe) offer(i int32, w *work) {
	s := &w.symbols[i]
	if rank, id, ok := m.merges.of(s.id, w.symbols[s.next].id); ok {
		w.heap.push(candidate{rank, i, id})
	}
}

// newBPE builds the model from the file's description; the vocabulary is folded for a byte-level tokenizer.
func newBPE(f *modelFile, v *vocabulary) (*bpe, error) {
	if f.Dropout != 0 {
		return nil, fmt.Errorf("dropout %v is not supported: set it to null", f.Dropout)
	}
	m := &bpe{
		vocab: v, unk: none, fuse: f.FuseUnk, whole: f.IgnoreMerges, byteFallback: f.ByteFallback,
		prefix: f.ContinuingSubwordPrefix, suffix: f.EndOfWordSuffix, bytewise: v.folded,
	}
	var err error
	if m.merges, err = readMerges(f.Merges, v, len(m.prefix)); err != nil {
		return nil, fmt.Errorf("merges: %w", err)
	}
	if f.UnkToken != nil {
		id, ok := v.named(*f.UnkToken)
		if !ok {
			return nil, fmt.Errorf("unk_token %q is not in the vocabulary", *f.UnkToken)
		}
		m.unk = id
	}
	m.indexBytes()
	return m, nil
}

// indexBytes fills the tables of one-byte tokens and of byte tokens.
func (m *bpe) indexBytes() {
	for b := range m.single {
		m.single[b], _ = m.vocab.id([]byte{byte(b)})
		m.fallback[b], _ = m.vocab.id(byteToken(byte(b)))
	}
}

// byteToken returns the token that stands for a byte in vocabularies with byte fallback.
func byteToken(b byte) []byte { return fmt.Appendf(nil, "<0x%02X>", b) }
