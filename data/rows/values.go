package rows

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// A splitter cuts a stream of JSON into values without reading them.
type splitter struct {
	in   *bufio.Reader
	line int // of the next byte, from 1
}

func newSplitter(r io.Reader) *splitter { return &splitter{bufio.NewReaderSize(r, window), 1} }

// next returns the next byte that is not white space, without taking it.
func (s *splitter) next() (byte, error) {
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case '\n':
			s.line++
		case ' ', '\t', '\r':
		default:
			return c, s.in.UnreadByte()
		}
	}
}

// value takes one value and returns it with the line on which it begins.
func (s *splitter) value() (v []byte, line int, err error) {
	if _, err = s.next(); err != nil {
		return nil, s.line, err
	}
	line = s.line
	depth, quoted, escaped := 0, false, false
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return v, line, endOf(v, depth, quoted, err)
		}
		if depth == 0 && !quoted && len(v) > 0 && bytes.IndexByte([]byte(",]} \t\r\n"), c) >= 0 {
			return v, line, s.in.UnreadByte()
		}
		v = append(v, c)
		switch {
		case c == '\n':
			s.line++
			escaped = false
		case escaped:
			escaped = false
		case quoted:
			quoted, escaped = c != '"', c == '\\'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth <= 0 && (c == '}' || c == ']') && !quoted {
			return v, line, nil
		}
		if len(v) > maxRecord {
			return nil, line, errLong
		}
	}
}

// endOf tells whether a value may end with its file.
func endOf(v []byte, depth int, quoted bool, err error) error {
	switch {
	case !errors.Is(err, io.EOF):
		return err
	case depth > 0 || quoted || len(v) == 0:
		return io.ErrUnexpectedEOF
	}
	return nil
}

// containers are the names under which one object holds all records.
var containers = []string{"data", "rows", "records", "examples", "samples", "train", "items"}

// container looks whether an object begins with a list of objects under one of
// these names, perhaps after some plain values, and enters it if so.
func (s *splitter) container() bool {
	ahead, _ := s.in.Peek(window)
	d := json.NewDecoder(bytes.NewReader(ahead))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return false
	}
	for {
		name, err := d.Token()
		if err != nil {
			return false
		}
		value, err := d.Token()
		if err != nil {
			return false
		}
		if _, deep := value.(json.Delim); !deep {
			continue
		}
		key, _ := name.(string)
		at := int(d.InputOffset())
		if value != json.Delim('[') || !slices.Contains(containers, key) || !bytes.HasPrefix(bytes.TrimSpace(ahead[at:]), []byte("{")) {
			return false
		}
		s.line += bytes.Count(ahead[:at], []byte("\n"))
		s.in.Discard(at)
		return true
	}
}

// values reads an array of objects, an object that holds one, or objects one
// after the other.
func (f *File) values(s *splitter, visit visitor) error {
	first, err := s.next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	switch {
	case err != nil:
		return err
	case first == '[':
		s.in.Discard(1)
		return f.elements(s, visit)
	case first == '{' && s.container():
		return f.elements(s, visit)
	}
	for {
		v, line, err := s.value()
		if errors.Is(err, io.EOF) && len(v) == 0 {
			return nil
		}
		if more, err := f.visit(v, line, err, visit); !more {
			return err
		}
	}
}

// visit checks a value and passes it on.
func (f *File) visit(v []byte, line int, err error, visit visitor) (more bool, _ error) {
	switch {
	case err != nil:
		return false, f.at(line, whole(err))
	case !utf8.Valid(v):
		return false, f.at(line, errEncoding)
	case v[0] != '{':
		return false, f.at(line, fmt.Errorf("a record is a JSON object, not %s%s", excerpt(v), listAdvice(v)))
	}
	return visit(Row{Place{f.Path, line}, v}), nil
}

func listAdvice(v []byte) string {
	if v[0] == '"' {
		return `: a list of words or labels is no training data; texts are {"text": ...}`
	}
	return ""
}

// elements reads objects up to the end of their array.
func (f *File) elements(s *splitter, visit visitor) error {
	for n := 0; ; n++ {
		c, err := s.next()
		if err == nil && c == ']' {
			return nil
		}
		if err == nil && n > 0 {
			if c != ',' {
				return f.at(s.line, fmt.Errorf("a comma or the end of the array is missing before %q", c))
			}
			s.in.Discard(1)
			c, err = s.next()
		}
		if err != nil {
			return f.at(s.line, fmt.Errorf("the array does not end: %w", whole(err)))
		}
		v, line, err := s.value()
		if more, err := f.visit(v, line, err, visit); !more {
			return err
		}
	}
}
