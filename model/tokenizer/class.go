package tokenizer

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// A class is the set of properties of a character that the known split patterns ask for.
type class uint8

const (
	letter  class = 1 << iota // \p{L}
	number                    // \p{N}
	blank                     // \s
	newline                   // \r, \n
	upper                     // \p{Lu}, \p{Lt}
	small                     // \p{Ll}
	marking                   // \p{M}
	punct                     // \p{P}, \p{S}
)

// classes holds the classes of the Basic Multilingual Plane.
var classes = sync.OnceValue(func() *[1 << 16]class {
	var t [1 << 16]class
	for _, p := range properties {
		for _, r := range p.table.R16 {
			for c := uint32(r.Lo); c <= uint32(r.Hi); c += uint32(r.Stride) {
				t[c] |= p.class
			}
		}
	}
	t['\r'] |= newline
	t['\n'] |= newline
	return &t
})

var properties = []struct {
	table *unicode.RangeTable
	class class
}{
	{unicode.L, letter}, {unicode.N, number}, {unicode.White_Space, blank}, {unicode.Lu, upper}, {unicode.Lt, upper},
	{unicode.Ll, small}, {unicode.M, marking}, {unicode.P, punct}, {unicode.S, punct},
}

// classOf returns the class of r.
func classOf(r rune) class {
	if r < 1<<16 {
		return classes()[r]
	}
	var c class
	for _, p := range properties {
		if unicode.Is(p.table, r) {
			c |= p.class
		}
	}
	return c
}

// A reader walks over text class by class.
type reader struct {
	b     []byte
	table *[1 << 16]class
}

// at returns the class of the character at i and its length; 0, 0 at the end.
func (r reader) at(i int) (class, int) {
	if i >= len(r.b) {
		return 0, 0
	}
	if c := r.b[i]; c < utf8.RuneSelf {
		return r.table[c], 1
	}
	c, n := utf8.DecodeRune(r.b[i:])
	if c < 1<<16 {
		return r.table[c], n
	}
	return classOf(c), n
}

// run returns the end of the characters from i on that have one of the properties in want, and none of those in not.
func (r reader) run(i int, want, not class) int {
	for {
		c, n := r.at(i)
		if n == 0 || c&want == 0 || c&not != 0 {
			return i
		}
		i += n
	}
}

// runNot returns the end of the characters from i on that have none of the properties.
func (r reader) runNot(i int, not class) int {
	for {
		c, n := r.at(i)
		if n == 0 || c&not != 0 {
			return i
		}
		i += n
	}
}
