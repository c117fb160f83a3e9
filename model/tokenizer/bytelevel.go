package tokenizer

import "unicode/utf8"

// The byte alphabet of GPT-2 writes every byte as one printable character: the printable ones of Latin-1 as
// themselves, the 68 others as U+0100 and on.
var (
	byteRune [256]rune
	runeByte [324]int16 // -1 where no byte is meant
)

func init() {
	for i := range runeByte {
		runeByte[i] = -1
	}
	next := rune(256)
	for b := range byteRune {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE) {
			r = next
			next++
		}
		byteRune[b] = r
		runeByte[r] = int16(b)
	}
}

// appendFolded appends the bytes that token, written in the byte alphabet, stands for; false if a character is not of it.
func appendFolded(dst, token []byte) ([]byte, bool) {
	for i := 0; i < len(token); {
		if c := token[i]; c < utf8.RuneSelf {
			if runeByte[c] < 0 {
				return dst, false
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRune(token[i:])
		if int(r) >= len(runeByte) || runeByte[r] < 0 {
			return dst, false
		}
		dst = append(dst, byte(runeByte[r]))
		i += n
	}
	return dst, true
}

// appendUnfolded appends b in the byte alphabet.
func appendUnfolded(dst, b []byte) []byte {
	for _, c := range b {
		dst = utf8.AppendRune(dst, byteRune[c])
	}
	return dst
}
