package rows

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxRecord is the longest record, in bytes.
const maxRecord = 1 << 28

var errLong = fmt.Errorf("a record of more than %d MB: is it one record a line?", maxRecord>>20)

// lines reads one object a line. A file that begins with a bracket is an array
// whatever its name says.
func (f *File) lines(r io.Reader, visit visitor) error {
	in := bufio.NewReaderSize(r, window)
	if head, _ := in.Peek(window / 2); bytes.HasPrefix(bytes.TrimSpace(head), []byte("[")) {
		return f.values(&splitter{in: in, line: 1}, visit)
	}
	for n := 1; ; n++ {
		line, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return f.at(n, err)
		}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			if !utf8.Valid(text) {
				return f.at(n, errEncoding)
			}
			if !visit(Row{Place{f.Path, n}, text}) {
				return nil
			}
		}
		if err != nil {
			return nil
		}
	}
}

// readLine reads up to and with the next line break.
func readLine(in *bufio.Reader) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
		if len(line) > maxRecord {
			return nil, errLong
		}
	}
}

// document reads the whole file as one record.
func (f *File) document(r io.Reader, visit visitor) error {
	content, err := io.ReadAll(io.LimitReader(r, maxRecord+1))
	switch {
	case err != nil:
		return err
	case len(content) > maxRecord:
		return fmt.Errorf("a text of more than %d MB: split it first (graft data chunk)", maxRecord>>20)
	case len(bytes.TrimSpace(content)) == 0:
		return nil
	}
	if !utf8.Valid(content) {
		return f.at(1+bytes.Count(content[:firstFault(content)], []byte("\n")), errEncoding)
	}
	visit(Row{Place{File: f.Path}, Object([]Field{{"text", String(string(content))}})})
	return nil
}

// firstFault returns where the first bytes are that are not UTF-8.
func firstFault(b []byte) (at int) {
	for at < len(b) {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n == 1 {
			return at
		}
		at += n
	}
	return at
}
