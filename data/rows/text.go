package rows

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// window is how much of a text is looked at to tell its encoding.
const window = 1 << 16

var errEncoding = errors.New("neither UTF-8, UTF-16 nor GB18030: convert it to UTF-8")

// A text turns bytes of an encoding into UTF-8. The mark at the beginning
// decides, or else the first bytes that are not ASCII, wherever they are.
type text struct {
	in       *bufio.Reader
	out      io.Reader // nil while all was ASCII
	encoding string
}

func newText(r io.Reader) *text {
	t := &text{in: bufio.NewReaderSize(r, window), encoding: "UTF-8"}
	head, _ := t.in.Peek(256) // what is wrong shows in the first Read
	utf16 := func(name string, order unicode.Endianness) {
		t.encoding = name
		t.out = transform.NewReader(t.in, unicode.UTF16(order, unicode.UseBOM).NewDecoder())
	}
	switch {
	case bytes.HasPrefix(head, []byte("\ufeff")):
		t.in.Discard(len("\ufeff"))
		t.encoding, t.out = "UTF-8 with a byte order mark", t.in
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		utf16("UTF-16 (little endian)", unicode.LittleEndian)
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		utf16("UTF-16 (big endian)", unicode.BigEndian)
	default:
		switch even, odd := zeros(head); {
		case odd > 3*even:
			utf16("UTF-16 (little endian)", unicode.LittleEndian)
		case even > 3*odd:
			utf16("UTF-16 (big endian)", unicode.BigEndian)
		}
	}
	return t
}

// zeros counts the zero bytes at even and at odd places: those of ASCII in UTF-16
// are all on one side.
func zeros(b []byte) (even, odd int) {
	for i, c := range b {
		if c == 0 && i%2 == 0 {
			even++
		} else if c == 0 {
			odd++
		}
	}
	return even, odd
}

// Read reads UTF-8. Bytes that are no characters in what was taken for UTF-8 are
// passed on, for the reader above to name their line.
func (t *text) Read(p []byte) (int, error) {
	if t.out != nil {
		return t.out.Read(p)
	}
	if _, err := t.in.Peek(1); err != nil {
		return 0, err
	}
	ahead, _ := t.in.Peek(min(len(p), t.in.Buffered()))
	n := 0
	for n < len(ahead) && ahead[n] < utf8.RuneSelf {
		n++
	}
	if n == 0 {
		t.decide()
		return t.out.Read(p)
	}
	return t.in.Read(p[:n])
}

// decide tells UTF-8 from GB18030, which agree in ASCII.
func (t *text) decide() {
	ahead, _ := t.in.Peek(window)
	if !looksGB18030(ahead) {
		t.out = t.in
		return
	}
	t.encoding = "GB18030"
	t.out = transform.NewReader(t.in, simplifiedchinese.GB18030.NewDecoder())
}

// looksGB18030 tells whether b is not UTF-8 and its bytes beyond ASCII come in
// pairs that GB2312 has, save a few of the larger set.
func looksGB18030(b []byte) bool {
	if validUTF8(b) {
		return false
	}
	pairs, others := 0, 0
	for i := 0; i+1 < len(b); i++ {
		if b[i] < utf8.RuneSelf {
			continue
		}
		if b[i] >= 0xa1 && b[i] <= 0xf7 && b[i+1] >= 0xa1 {
			pairs++
		} else {
			others++
		}
		i++
	}
	return pairs > 0 && others*8 <= pairs
}

// validUTF8 is utf8.Valid for a text that may be cut in its last character.
func validUTF8(b []byte) bool {
	for cut := 0; cut < utf8.UTFMax && cut <= len(b); cut++ {
		if utf8.Valid(b[:len(b)-cut]) {
			return cut == 0 || len(b) == window && !utf8.FullRune(b[len(b)-cut:])
		}
	}
	return false
}
