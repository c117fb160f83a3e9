package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// A Stream decodes ids one by one, special tokens included, and never gives half a character: a token that ends inside
// one gives "" and the next ones give the rest. What Next and Flush give, joined, is what Decode gives for all ids,
// unless byte tokens such as <0xE4> that form characters are followed by ones that do not: Decode then gives
// U+FFFD for all of them, and the Stream only for those it had not given out.
//
// A Stream is not safe for concurrent use.
type Stream struct {
	t       *Tokenizer
	skip    bool
	pending []byte // byte-level: what has not been given out
	// Otherwise: the ids given out last, on which the text of the next ones depends, then those held back.
	ids  []int32
	held int
	done int // bytes given out of the text of ids
}

// maxHeld is how many ids are held back at most: more than the bytes of a character.
const maxHeld = 8

// Stream returns a new Stream.
func (t *Tokenizer) Stream() *Stream { return &Stream{t: t} }

// StreamSkip returns a new Stream that leaves out special tokens, as DecodeSkip does.
func (t *Tokenizer) StreamSkip() *Stream { return &Stream{t: t, skip: true} }

// Next returns the text that id completes, which may be "".
func (s *Stream) Next(id int32) string {
	if !s.t.shows(id, s.skip) {
		return ""
	}
	if s.t.byteLevel {
		s.pending = s.t.appendBytes(s.pending, id)
		return s.giveBytes(wholeLen(s.pending))
	}
	s.ids = append(s.ids, id)
	s.held++
	text := s.t.decode(s.ids, false)
	if s.held < maxHeld && strings.HasSuffix(text, "\uFFFD") {
		return ""
	}
	return s.give(text)
}

// Flush returns the text held back and makes the Stream ready for a new text.
func (s *Stream) Flush() string {
	out := ""
	if s.t.byteLevel {
		out = s.giveBytes(len(s.pending))
	} else if s.held > 0 {
		out = s.give(s.t.decode(s.ids, false))
	}
	s.ids, s.held, s.done = s.ids[:0], 0, 0
	return out
}

// giveBytes gives out the first n pending bytes.
func (s *Stream) giveBytes(n int) string {
	out := string(appendLossy(nil, s.pending[:n]))
	s.pending = s.pending[:copy(s.pending, s.pending[n:])]
	return out
}

// give gives out what is new in text, and keeps the ids that made it as the context of the next.
func (s *Stream) give(text string) string {
	from := min(s.done, len(text))
	for from < len(text) && !utf8.RuneStart(text[from]) {
		from++
	}
	s.ids = s.ids[:copy(s.ids, s.ids[len(s.ids)-s.held:])]
	s.held = 0
	s.done = len(s.t.decode(s.ids, false))
	return text[from:]
}

// wholeLen returns the length of b without a character that is only begun at its end.
func wholeLen(b []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return len(b) - i
			}
			break
		}
	}
	return len(b)
}
