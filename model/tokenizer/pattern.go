package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// A pattern finds its matches in b, left to right and without overlap, and appends them to dst.
type pattern interface {
	matches(dst []Span, b []byte) []Span
}

// patternFile is a pattern in tokenizer.json.
type patternFile struct{ String, Regex *string }

func (f patternFile) build() (pattern, error) {
	switch {
	case f.String != nil && *f.String != "":
		return literal(*f.String), nil
	case f.Regex != nil:
		if s, ok := scanners[*f.Regex]; ok {
			return s, nil
		}
		re, err := regexp2.Compile(fromOniguruma(*f.Regex), regexp2.None)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", *f.Regex, err)
		}
		return expression{re}, nil
	}
	return nil, errors.New("the pattern is neither a String nor a Regex")
}

// An expression is any other regular expression. It is slow, and its time can grow faster than the text.
type expression struct{ *regexp2.Regexp }

func (e expression) matches(dst []Span, b []byte) []Span {
	runes := []rune(string(b))
	at, pos := 0, 0 // the same place in runes and in b
	m, err := e.FindRunesMatch(runes)
	for err == nil && m != nil {
		pos += runesLen(runes[at:m.Index])
		end := pos + runesLen(runes[m.Index:m.Index+m.Length])
		dst = append(dst, Span{pos, end})
		at, pos = m.Index+m.Length, end
		m, err = e.FindNextMatch(m)
	}
	return dst
}

func runesLen(runes []rune) (n int) {
	for _, r := range runes {
		n += utf8.RuneLen(r)
	}
	return n
}

// literal is a pattern that is one fixed string.
type literal []byte

func (p literal) matches(dst []Span, b []byte) []Span {
	for i := 0; ; {
		n := bytes.Index(b[i:], p)
		if n < 0 {
			return dst
		}
		dst = append(dst, Span{i + n, i + n + len(p)})
		i += n + len(p)
	}
}
