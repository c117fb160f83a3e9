package tokenizer

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// wordPiece is BERT's model: the longest token that a word begins with, then the longest continuing one, and so on. A
// word that cannot be cut so, or is too long, is unknown as a whole.
type wordPiece struct {
	vocab   *vocabulary
	unk     int32
	prefix  string // of continuing tokens
	maxLen  int    // of a word, in characters
	longest int    // bytes of the longest token
}

func (m *wordPiece) tokenize(dst []token, piece []byte, w *workspace) []token {
	n := len(dst)
	unknown := token{m.unk, 0, int32(len(piece))}
	if utf8.RuneCount(piece) > m.maxLen {
		return append(dst, unknown)
	}
	for i := 0; i < len(piece); {
		t, ok := m.next(piece, i, w)
		if !ok {
			return append(dst[:n], unknown)
		}
		dst = append(dst, t)
		i = int(t.end)
	}
	return dst
}

// next returns the longest token at piece[i:].
func (m *wordPiece) next(piece []byte, i int, w *workspace) (token, bool) {
	w.char = w.char[:0]
	if i > 0 {
		w.char = append(w.char, m.prefix...)
	}
	head := len(w.char)
	w.char = append(w.char, piece[i:min(len(piece), i+m.longest)]...)
	for len(w.char) > head {
		if id, ok := m.vocab.id(w.char); ok {
			return token{id, int32(i), int32(i + len(w.char) - head)}, true
		}
		_, n := utf8.DecodeLastRune(w.char)
		w.char = w.char[:len(w.char)-n]
	}
	return noToken, false
}

func newWordPiece(f *modelFile, v *vocabulary) (*wordPiece, error) {
	m := &wordPiece{vocab: v, prefix: "##", maxLen: 100}
	if f.ContinuingSubwordPrefix != "" {
		m.prefix = f.ContinuingSubwordPrefix
	}
	if f.MaxInputChars != nil {
		m.maxLen = *f.MaxInputChars
	}
	if f.UnkToken == nil {
		return nil, errors.New("unk_token is missing")
	}
	id, ok := v.named(*f.UnkToken)
	if !ok {
		return nil, fmt.Errorf("unk_token %q is not in the vocabulary", *f.UnkToken)
	}
	m.unk = id
	for _, e := range v.where {
		if e.n&absent == 0 {
			m.longest = max(m.longest, int(e.n))
		}
	}
	return m, nil
}
