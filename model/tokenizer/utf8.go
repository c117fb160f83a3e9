package tokenizer

import "unicode/utf8"

// decodeLossy is utf8.DecodeRune, except that what is not UTF-8 is taken in the longest parts that could have begun
// a character, as the Unicode Standard advises (3.9, U+FFFD Substitution of Maximal Subparts).
func decodeLossy(b []byte) (rune, int) {
	r, n := utf8.DecodeRune(b)
	if r != utf8.RuneError || n != 1 {
		return r, n
	}
	for n < len(b) && n < utf8.UTFMax-1 && !utf8.FullRune(b[:n]) && !utf8.FullRune(b[:n+1]) {
		n++
	}
	return r, n
}

// appendLossy appends b with U+FFFD for what is not UTF-8.
func appendLossy(dst, b []byte) []byte {
	if utf8.Valid(b) {
		return append(dst, b...)
	}
	for len(b) > 0 {
		r, n := decodeLossy(b)
		dst = utf8.AppendRune(dst, r)
		b = b[n:]
	}
	return dst
}
