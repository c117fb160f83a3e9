package rows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// A Place is where a record begins.
type Place struct {
	File string
	Line int // from 1; for Parquet the number of the row; 0 if the file is the record
}

// String returns file:line.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// A Row is one record of a file.
type Row struct {
	Place
	JSON []byte // an object, not yet checked
}

// A Field is one column of a row.
type Field struct {
	Name  string
	Value json.RawMessage
}

// Fields returns the columns in their order. Of two with one name the last
// counts. The error names the place.
func (r Row) Fields() ([]Field, error) {
	fields, err := Fields(r.JSON)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", r.Place, err)
	}
	return fields, nil
}

// Fields returns the members of a JSON object in their order.
func Fields(object []byte) (fields []Field, err error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return nil, fmt.Errorf("not a JSON object: %s", excerpt(object))
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("not a JSON object: %w", whole(err))
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("not a JSON object: column %v: %w", name, whole(err))
		}
		fields = set(fields, Field{name.(string), value})
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", whole(err))
	}
	if rest := bytes.TrimSpace(object[d.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("not one JSON object a line: %s follows it", excerpt(rest))
	}
	return fields, nil
}

// set adds a field, or changes the one of its name.
func set(fields []Field, f Field) []Field {
	for i := range fields {
		if fields[i].Name == f.Name {
			fields[i].Value = f.Value
			return fields
		}
	}
	return append(fields, f)
}

// Object writes fields as a JSON object.
func Object(fields []Field) []byte {
	b := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(appendString(b, f.Name), ':'), f.Value...)
	}
	return append(b, '}')
}

// String returns a text as JSON, with every character but the quote, the
// backslash and the controls as it is.
func String(s string) json.RawMessage { return appendString(nil, s) }

func appendString(b []byte, s string) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil { // a string always encodes
		return append(b, `""`...)
	}
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}

func excerpt(b []byte) string {
	const most = 40
	if b = bytes.TrimSpace(b); len(b) > most {
		return strconv.Quote(string(b[:most])) + " ..."
	}
	return strconv.Quote(string(b))
}

// whole turns the end of the input within a value into words.
func whole(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends too early")
	}
	return err
}
