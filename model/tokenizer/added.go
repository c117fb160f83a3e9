package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// An addedToken is found in the text before anything else happens to it, or, if it is normalized, after the
// normalizers have run. The names are those of tokenizer.json.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	Special    bool   `json:"special"`
	Normalized bool   `json:"normalized"`
	SingleWord bool   `json:"single_word"` // only where no letter, mark, digit or underscore stands beside it
	LStrip     bool   `json:"lstrip"`      // takes the white space before it
	RStrip     bool   `json:"rstrip"`      // takes the white space after it
}

// An addedName is how a token reads: in the file, and in decoding, where one that is matched in the normalized text
// stands as it is matched. Such a token is not left out as special if the two differ: the official library, which
// is the judge, compares them.
type addedName struct {
	content, decoded string
	special          bool
}

// A finder looks for added tokens, leftmost first and then longest.
type finder struct {
	tokens []addedToken
	trie   *trie
}

// newFinder makes a finder; patterns[i] is how tokens[i] looks in the text. Without tokens it is nil.
func newFinder(tokens []addedToken, patterns [][]byte) *finder {
	if len(tokens) == 0 {
		return nil
	}
	return &finder{tokens, newTrie(patterns)}
}

// A found is an added token in a text, the white space that it takes included.
type found struct {
	Span
	id int32
}

// next returns the first token at or after from, which then is where to go on. Everything before done has been
// given to another token. Two oddities are the official library's: a match that is refused for not being a
// single word hides the shorter ones at its place, and white space taken by one token can be another token too.
func (f *finder) next(b []byte, done int, from *int) (found, bool) {
	for i := *from; i < len(b); i++ {
		if f.trie.root[b[i]] == 0 {
			continue
		}
		v, n := f.trie.longest(b[i:])
		if n == 0 {
			continue
		}
		t := &f.tokens[v]
		if t.SingleWord && (wordBefore(b[:i]) || wordAfter(b[i+n:])) {
			i += n - 1
			continue
		}
		*from = i + n
		hit := found{Span{i, i + n}, t.ID}
		if t.LStrip {
			hit.Start = max(done, i-spaceBefore(b[:i]))
		}
		if t.RStrip {
			hit.End += spaceAfter(b[i+n:])
		}
		return hit, true
	}
	*from = len(b)
	return found{}, false
}

func wordBefore(b []byte) bool {
	r, n := utf8.DecodeLastRune(b)
	return n > 0 && isWord(r)
}

func wordAfter(b []byte) bool {
	r, n := utf8.DecodeRune(b)
	return n > 0 && isWord(r)
}

// isWord tells what \w means in Unicode Technical Standard 18.
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || uint8(r|0x20)-'a' < 26 || uint8(r)-'0' < 10
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control, moreWords)
}

func spaceBefore(b []byte) int {
	end := len(b)
	for end > 0 {
		r, n := utf8.DecodeLastRune(b[:end])
		if !unicode.IsSpace(r) {
			break
		}
		end -= n
	}
	return len(b) - end
}

func spaceAfter(b []byte) int {
	i := 0
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		if !unicode.IsSpace(r) {
			break
		}
		i += n
	}
	return i
}
