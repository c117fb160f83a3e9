package shape

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-5afa5581/graft/data/rows"
)

// columns are the columns of a row by name.
type columns map[string]json.RawMessage

// newColumns also knows a column by its name in small letters.
func newColumns(fields []rows.Field) columns {
	c := make(columns, len(fields))
	for _, f := range fields {
		c[f.Name] = f.Value
	}
	for _, f := range fields {
		low := strings.ToLower(strings.TrimSpace(f.Name))
		if _, taken := c[low]; !taken {
			c[low] = f.Value
		}
	}
	return c
}

// rename moves columns to the names that shapes know. A path with dots leads
// into objects and, by number, into lists.
func (c columns) rename(to map[string]string) error {
	taken := columns{}
	for name, path := range to {
		value, ok := c.dig(path)
		if !ok {
			continue // a row may lack an optional column
		}
		taken[name] = value
	}
	if len(taken) == 0 && len(to) > 0 {
		return fmt.Errorf("none of the mapped columns %s is there: columns %s", strings.Join(slices.Sorted(maps.Values(to)), ", "), c)
	}
	for _, path := range to {
		delete(c, path)
	}
	maps.Copy(c, taken)
	return nil
}

// dig returns the value at a path.
func (c columns) dig(path string) (json.RawMessage, bool) {
	if v, ok := c[path]; ok {
		return v, true
	}
	first, rest, deep := strings.Cut(path, ".")
	v, ok := c[first]
	for ok && deep {
		first, rest, deep = strings.Cut(rest, ".")
		v, ok = member(v, first)
	}
	return v, ok
}

func member(v json.RawMessage, name string) (json.RawMessage, bool) {
	if i, err := strconv.Atoi(name); err == nil {
		var list []json.RawMessage
		if json.Unmarshal(v, &list) != nil || i < 0 || i >= len(list) {
			return nil, false
		}
		return list[i], true
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(v, &object) != nil {
		return nil, false
	}
	m, ok := object[name]
	return m, ok
}

// names lists the columns as they are written in the file.
func (c columns) names() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(c)) {
		low := slices.ContainsFunc(names, func(other string) bool { return strings.ToLower(strings.TrimSpace(other)) == name })
		if !low {
			names = append(names, name)
		}
	}
	return names
}

// String lists the names.
func (c columns) String() string {
	if len(c) == 0 {
		return "none"
	}
	return strings.Join(c.names(), ", ")
}

// named tells whether there is a column, with a value or without.
func (c columns) named(name string) bool {
	_, ok := c[name]
	return ok
}

// has tells whether a column is there with a value.
func (c columns) has(name string) bool {
	v, ok := c[name]
	return ok && !isNull(v)
}

// first returns the first of some names that is there.
func (c columns) first(names []string) string {
	for _, n := range names {
		if c.has(n) {
			return n
		}
	}
	return ""
}

// text returns a column that must be a text. A missing one is "".
func (c columns) text(name string) (string, error) {
	var s *string
	if v, ok := c[name]; ok && json.Unmarshal(v, &s) != nil {
		return "", fmt.Errorf("column %s is not a string but %s", name, kind(v))
	}
	if s == nil {
		return "", nil
	}
	return *s, nil
}

// scalar is text for a column that may also be a number or a truth value.
func (c columns) scalar(name string) (string, error) {
	if v := c[name]; kind(v) == "a number" || kind(v) == "true or false" {
		return string(bytes.TrimSpace(v)), nil
	}
	return c.text(name)
}

// list returns a column that is a list, or a text that is one in JSON.
func (c columns) list(name string) (list []json.RawMessage, ok bool) {
	v := c[name]
	var s string
	if json.Unmarshal(v, &s) == nil {
		v = json.RawMessage(s)
	}
	return list, json.Unmarshal(v, &list) == nil
}

func isNull(v json.RawMessage) bool { return string(bytes.TrimSpace(v)) == "null" }

// kind names what a value is.
func kind(v json.RawMessage) string {
	v = bytes.TrimSpace(v)
	if len(v) == 0 {
		return "nothing"
	}
	switch v[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}
