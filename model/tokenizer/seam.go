package tokenizer

import "unicode/utf8"

// seams cut a piece where byte-pair encoding cannot join anyway: between two characters that are not side by side in
// any token that merges make. The ids stay the same; but models without pre-tokenization get words from it, which
// the cache then knows, and long texts become many short ones.
//
// The characters are told apart by the bytes on both sides of the border alone, except for ▁ on its right.
type seams struct {
	joined     [256][4]uint64 // bit y of joined[x]: a merge joins parts that end in the byte x and begin with y
	joinedMark [256]bool      // ditto between x and ▁
	starts     [256]bool      // the bytes that may begin a piece, but for those of ▁
	startsMark bool
}

// spaceMark stands for a space in SentencePiece's vocabularies.
const spaceMark = "▁"

// newSeams returns the seams of a model, or nil if cutting could change its ids.
func newSeams(m *bpe) *seams {
	if m.whole || m.bytewise || m.prefix != "" || m.suffix != "" {
		return nil
	}
	s := &seams{}
	if !s.learn(m) {
		return nil
	}
	complete := m.byteFallback
	for _, id := range m.fallback {
		complete = complete && id >= 0
	}
	for b := range s.starts {
		s.starts[b] = utf8.RuneStart(byte(b)) && (complete || b < utf8.RuneSelf && m.single[b] >= 0)
	}
	_, s.startsMark = m.vocab.id([]byte(spaceMark))
	if m.unk < 0 && !complete { // unknown characters vanish, and their neighbours meet
		return nil
	}
	return s
}

// learn takes the borders from the merges; false if one has a part that is not its text: a byte token or the unknown one.
// The other borders in a token are those of the merges that make its parts.
func (s *seams) learn(m *bpe) (ok bool) {
	stand := make([]bool, len(m.vocab.where)) // the tokens that are not their text
	if m.unk >= 0 {
		stand[m.unk] = true
	}
	if m.byteFallback {
		for _, id := range m.fallback {
			if id >= 0 {
				stand[id] = true
			}
		}
	}
	ok = true
	m.merges.each(func(x merge) {
		ok = ok && !stand[x.left] && !stand[x.right]
		token, i := m.vocab.bytes(x.id), len(m.vocab.bytes(x.left))
		if i == 0 || i >= len(token) {
			return
		}
		if isMark(token, i) {
			s.joinedMark[token[i-1]] = true
		} else {
			s.joined[token[i-1]][token[i]>>6] |= 1 << (token[i] & 63)
		}
	})
	return ok
}

// isMark tells whether a ▁ stands at b[i].
func isMark(b []byte, i int) bool {
	return b[i] == spaceMark[0] && i+2 < len(b) && b[i+1] == spaceMark[1] && b[i+2] == spaceMark[2]
}

func (s *seams) cut(dst []Span, b []byte, _ *workspace) []Span {
	start := 0
	for i := 1; i < len(b); i++ {
		if s.between(b, i) {
			dst = append(dst, Span{start, i})
			start = i
		}
	}
	return append(dst, Span{start, len(b)})
}

// between tells whether there is a seam before b[i].
func (s *seams) between(b []byte, i int) bool {
	x, y := b[i-1], b[i]
	if y == spaceMark[0] && isMark(b, i) {
		return s.startsMark && !s.joinedMark[x]
	}
	return s.starts[y] && s.joined[x][y>>6]>>(y&63)&1 == 0
}
