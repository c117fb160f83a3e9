package tokenizer

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// A behavior says what a split does with the matches of its pattern.
type behavior string

// The behaviors, by the names that files use.
const (
	isolated           behavior = "Isolated"           // each is a piece
	removed            behavior = "Removed"            // they are dropped
	mergedWithPrevious behavior = "MergedWithPrevious" // each belongs to what is before it
	mergedWithNext     behavior = "MergedWithNext"     // each belongs to what is after it
	contiguous         behavior = "Contiguous"         // those without anything between are one piece
)

// UnmarshalText reads a behavior by its name.
func (b *behavior) UnmarshalText(name []byte) error {
	switch v := behavior(name); v {
	case isolated, removed, mergedWithPrevious, mergedWithNext, contiguous:
		*b = v
		return nil
	}
	return fmt.Errorf("unknown behavior %q", name)
}

// A split cuts at the matches of a pattern; invert makes what lies between them the matches.
type split struct {
	pattern  pattern
	behavior behavior
	invert   bool
}

func (s split) cut(dst []Span, b []byte, w *workspace) []Span {
	if scan, ok := s.pattern.(scanner); ok && s.behavior == isolated {
		return scan.cut(dst, b)
	}
	w.matches = s.pattern.matches(w.matches[:0], b)
	start, before := len(dst), false // was the range before a match?
	add := func(from, to int, match bool) {
		if from == to && !match {
			return
		}
		dst = s.join(dst, start, Span{from, to}, match != s.invert, before)
		before = match != s.invert
	}
	done := 0
	for _, m := range w.matches {
		add(done, m.Start, false)
		add(m.Start, m.End, true)
		done = m.End
	}
	add(done, len(b), false)
	return dst
}

// join adds a range to the pieces dst[start:] by the rules of the behavior; before tells whether the range ahead of
// it was a match.
func (s split) join(dst []Span, start int, r Span, match, before bool) []Span {
	grow := false
	switch s.behavior {
	case removed:
		if match {
			return dst
		}
	case contiguous:
		grow = match == before
	case mergedWithPrevious:
		grow = match && !before
	case mergedWithNext:
		grow = before && !match
	}
	if grow && len(dst) > start {
		dst[len(dst)-1].End = r.End
		return dst
	}
	return append(dst, r)
}

// cut is split.cut for scanners and isolated matches, by far the most frequent case.
func (s scanner) cut(dst []Span, b []byte) []Span {
	r := reader{b, classes()}
	gap := 0
	for i := 0; i < len(b); {
		end := s(r, i)
		if end == i {
			_, n := utf8.DecodeRune(b[i:])
			i += n
			continue
		}
		if gap < i {
			dst = append(dst, Span{gap, i})
		}
		dst = append(dst, Span{i, end})
		i, gap = end, end
	}
	if gap < len(b) {
		dst = append(dst, Span{gap, len(b)})
	}
	return dst
}

// A runePattern matches single characters.
type runePattern func(rune) bool

func (f runePattern) matches(dst []Span, b []byte) []Span {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if f(r) {
			dst = append(dst, Span{i, i + n})
		}
		i += n
	}
	return dst
}

// words matches \w+|[^\w\s]+.
var words scanner = func(r reader, i int) int {
	kind := func(i int) (int, int) {
		c, n := utf8.DecodeRune(r.b[i:])
		switch {
		case isWord(c):
			return 1, n
		case unicode.IsSpace(c):
			return 0, n
		}
		return 2, n
	}
	first, n := kind(i)
	if first == 0 {
		return i
	}
	for i += n; i < len(r.b); i += n {
		var k int
		if k, n = kind(i); k != first {
			break
		}
	}
	return i
}
