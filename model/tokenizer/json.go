package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A cursor walks over JSON text. It exists beside encoding/json because a vocabulary is tens of megabytes of
// short strings: one pass that hands out bytes takes a tenth of the time of decoding into maps and slices.
type cursor struct {
	b []byte
	i int
}

var errShort = errors.New("unexpected end of JSON")

// next skips white space and returns the byte that follows, without consuming it, or 0 at the end.
func (c *cursor) next() byte {
	for c.i < len(c.b) {
		switch ch := c.b[c.i]; ch {
		case ' ', '\t', '\n', '\r':
			c.i++
		default:
			return ch
		}
	}
	return 0
}

// expect consumes the byte want.
func (c *cursor) expect(want byte) error {
	if got := c.next(); got != want {
		if c.i >= len(c.b) {
			return errShort
		}
		return fmt.Errorf("byte %d: found %q, want %q", c.i, got, want)
	}
	c.i++
	return nil
}

// list walks over an array or an object, whose brackets are open and shut, and calls item for each element.
func (c *cursor) list(open, shut byte, item func() error) error {
	if len(c.b) == 0 {
		return errors.New("is missing")
	}
	if err := c.expect(open); err != nil {
		return err
	}
	if c.next() == shut {
		c.i++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if c.next() != ',' {
			return c.expect(shut)
		}
		c.i++
	}
}

// object calls field for each key of an object; field consumes the value. The key is valid during the call only.
func (c *cursor) object(field func(key []byte) error) error {
	var key []byte
	return c.list('{', '}', func() (err error) {
		c.next()
		if key, err = c.str(key[:0]); err != nil {
			return err
		}
		if err = c.expect(':'); err != nil {
			return err
		}
		return field(key)
	})
}

// array calls item for each element of an array; item consumes it.
func (c *cursor) array(item func() error) error { return c.list('[', ']', item) }

// end reports what follows the last value, if it is not white space.
func (c *cursor) end() error {
	if ch := c.next(); c.i < len(c.b) {
		return fmt.Errorf("byte %d: found %q after the end of the value", c.i, ch)
	}
	return nil
}

// str appends a string, its escapes resolved, to dst.
func (c *cursor) str(dst []byte) ([]byte, error) {
	if err := c.expect('"'); err != nil {
		return dst, err
	}
	for {
		start, seen := c.i, byte(0)
		for c.i < len(c.b) && c.b[c.i] != '"' && c.b[c.i] != '\\' && c.b[c.i] >= ' ' {
			seen |= c.b[c.i]
			c.i++
		}
		if c.i >= len(c.b) {
			return dst, errShort
		}
		if run := c.b[start:c.i]; seen < utf8.RuneSelf || utf8.Valid(run) {
			dst = append(dst, run...)
		} else {
			return dst, fmt.Errorf("byte %d: a string is not UTF-8", start)
		}
		switch c.b[c.i] {
		case '"':
			c.i++
			return dst, nil
		case '\\':
			var err error
			if dst, err = c.escape(dst); err != nil {
				return dst, err
			}
		default:
			return dst, fmt.Errorf("byte %d: control character %#02x in a string", c.i, c.b[c.i])
		}
	}
}

// plain maps the letter of a one-letter escape to what it stands for.
var plain = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (c *cursor) escape(dst []byte) ([]byte, error) {
	at := c.i
	if c.i+1 >= len(c.b) {
		return dst, errShort
	}
	letter := c.b[c.i+1]
	if letter != 'u' {
		if plain[letter] == 0 {
			return dst, fmt.Errorf("byte %d: unknown escape \\%c", at, letter)
		}
		c.i += 2
		return append(dst, plain[letter]), nil
	}
	r, ok := c.unit()
	if ok && utf16.IsSurrogate(r) {
		var low rune
		if low, ok = c.unit(); ok {
			r = utf16.DecodeRune(r, low)
			ok = r != utf8.RuneError
		}
	}
	if !ok {
		return dst, fmt.Errorf("byte %d: \\u escape without four digits or its other half", at)
	}
	return utf8.AppendRune(dst, r), nil
}

// unit consumes one \uXXXX.
func (c *cursor) unit() (rune, bool) {
	if c.i+6 > len(c.b) || c.b[c.i] != '\\' || c.b[c.i+1] != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(string(c.b[c.i+2:c.i+6]), 16, 16)
	c.i += 6
	return rune(v), err == nil
}

// integer consumes a non-negative whole number below 1<<31.
func (c *cursor) integer() (int32, error) {
	c.next()
	start, v := c.i, int64(0)
	for c.i < len(c.b) && c.b[c.i]-'0' <= 9 && v <= 1<<31 {
		v = v*10 + int64(c.b[c.i]-'0')
		c.i++
	}
	more := c.i < len(c.b) && bytes.IndexByte([]byte("0123456789.eE+-"), c.b[c.i]) >= 0
	if c.i == start || more || v >= 1<<31 {
		return 0, fmt.Errorf("byte %d: want a whole number from 0 to %d", start, 1<<31-1)
	}
	return int32(v), nil
}

// raw consumes a value of any kind and returns its text, of which only the nesting has been checked.
func (c *cursor) raw() ([]byte, error) {
	c.next()
	start, depth := c.i, 0
	for c.i < len(c.b) {
		switch ch := c.b[c.i]; ch {
		case '"':
			c.skipString()
			if depth == 0 {
				return c.b[start:c.i], nil
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',':
			if depth == 0 {
				return c.b[start:c.i], nil
			}
			if ch != ',' {
				depth--
				if depth == 0 {
					c.i++
					return c.b[start:c.i], nil
				}
			}
		}
		c.i++
	}
	return nil, errShort
}

func (c *cursor) skipString() {
	for c.i++; c.i < len(c.b); c.i++ {
		switch c.b[c.i] {
		case '\\':
			c.i++
		case '"':
			c.i++
			return
		}
	}
}

// decode reads a whole raw value into v with encoding/json; an absent value leaves v as it is.
func decode(raw []byte, v any) error {
	if raw == nil {
		return nil
	}
	return json.Unmarshal(raw, v)
}
