package rows

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table reads lines of cells under a header. The separator of a .csv is that of
// its header: a comma, a semicolon or a tab.
func (f *File) table(r io.Reader, visit visitor) error {
	in := bufio.NewReaderSize(r, window)
	head, _ := in.Peek(window / 2)
	c := csv.NewReader(in)
	c.Comma, c.ReuseRecord = separator(f.Format, head), true
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return f.tableFault(err)
	}
	fields, err := columns(header)
	if err != nil {
		return f.at(1, err)
	}
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return f.tableFault(err)
		}
		line, _ := c.FieldPos(0)
		for i, cell := range cells {
			if !utf8.ValidString(cell) {
				return f.at(line, errEncoding)
			}
			fields[i].Value = String(cell)
		}
		if !visit(Row{Place{f.Path, line}, Object(fields)}) {
			return nil
		}
	}
}

// columns checks the names in a header.
func columns(header []string) (fields []Field, err error) {
	seen := map[string]bool{}
	for i, name := range header {
		name = strings.TrimSpace(name)
		switch {
		case name == "" && i > 0:
			return nil, fmt.Errorf("column %d has no name: the first line names the columns", i+1)
		case seen[name]:
			return nil, fmt.Errorf("two columns are named %q", name)
		case !utf8.ValidString(name):
			return nil, errEncoding
		}
		seen[name] = true
		fields = append(fields, Field{Name: name}) // the first may be a nameless index
	}
	return fields, nil
}

func (f *File) tableFault(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return f.at(parse.StartLine, fmt.Errorf("%w (column %d): cells with separators, quotes or line breaks stand in quotes", parse.Err, parse.Column))
	}
	return err
}

func separator(format Format, head []byte) rune {
	if format == TSV {
		return '\t'
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	for _, c := range []byte(",;\t") {
		if bytes.IndexByte(line, c) >= 0 {
			return rune(c)
		}
	}
	return ','
}
