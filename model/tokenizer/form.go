package tokenizer

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A form is one of Unicode's normalization forms. The work is done by golang.org/x/text/unicode/norm, except for
// long runs of combining characters, into which that package puts U+034F (Unicode Standard Annex 15, 13).
type form struct {
	norm.Form
	decomposed norm.Form
	composes   bool
}

func newForm(name string) form {
	return map[string]form{
		"NFC":  {norm.NFC, norm.NFD, true},
		"NFD":  {norm.NFD, norm.NFD, false},
		"NFKC": {norm.NFKC, norm.NFKD, true},
		"NFKD": {norm.NFKD, norm.NFKD, false},
	}[name]
}

func (f form) normalize(dst, src *text, w *workspace) bool {
	n := f.QuickSpan(src.b)
	if n == len(src.b) {
		return false
	}
	i := max(0, f.LastBoundary(src.b[:n]))
	dst.keep(src, 0, i)
	for i < len(src.b) {
		j, count := f.segment(src.b, i)
		switch {
		case count == 0:
			w.char = append(w.char[:0], src.b[i:j]...)
		case count <= longSegment:
			w.char = f.Append(w.char[:0], src.b[i:j]...)
		default:
			w.char = f.long(w.char[:0], src.b[i:j])
		}
		if bytes.Equal(w.char, src.b[i:j]) {
			dst.keep(src, i, j)
		} else {
			dst.put(src, i, j, w.char)
		}
		i = j
	}
	return true
}

// longSegment is well below the 30 combining characters from which on norm inserts U+034F.
const longSegment = 8

// segment returns the end of the segment that begins at i and how many characters it has: no character after the
// segment can affect it. Characters that are newer than the tables are segments of their own, with a count of 0.
func (f form) segment(b []byte, i int) (end, count int) {
	r, n := utf8.DecodeRune(b[i:])
	i += n
	if isNewer(r) {
		return i, 0
	}
	for count = 1; i < len(b); count++ {
		if r, n = utf8.DecodeRune(b[i:]); isNewer(r) || f.Properties(b[i:]).BoundaryBefore() {
			break
		}
		i += n
	}
	return i, count
}

type mark struct {
	r     rune
	class uint8
}

// long normalizes a segment by the book: decompose, order, compose (Unicode Standard, 3.11).
func (f form) long(dst, b []byte) []byte {
	var marks []mark
	var buf []byte
	for i := 0; i < len(b); {
		_, n := utf8.DecodeRune(b[i:])
		buf = f.decomposed.Append(buf[:0], b[i:i+n]...)
		for _, r := range string(buf) {
			marks = append(marks, mark{r, f.decomposed.PropertiesString(string(r)).CCC()})
		}
		i += n
	}
	for i := 0; i < len(marks); {
		j := i
		for j < len(marks) && marks[j].class > 0 {
			j++
		}
		slices.SortStableFunc(marks[i:j], func(a, b mark) int { return int(a.class) - int(b.class) })
		i = j + 1
	}
	if f.composes {
		marks = compose(marks)
	}
	for _, m := range marks {
		dst = utf8.AppendRune(dst, m.r)
	}
	return dst
}

// compose joins each character with the last starter if the two have a composite and nothing between blocks them.
func compose(in []mark) []mark {
	out := in[:0]
	starter := none
	for _, m := range in {
		if starter >= 0 {
			last := out[len(out)-1]
			near := len(out)-1 == starter
			if near || last.class < m.class && last.class > 0 {
				if r, ok := composite(out[starter].r, m.r); ok {
					out[starter].r = r
					continue
				}
			}
		}
		out = append(out, m)
		if m.class == 0 {
			starter = len(out) - 1
		}
	}
	return out
}

func composite(a, b rune) (rune, bool) {
	s := norm.NFC.String(string(a) + string(b))
	r, n := utf8.DecodeRuneInString(s)
	return r, n == len(s)
}
