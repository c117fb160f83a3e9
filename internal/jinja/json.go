package jinja

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"sort"
	"strconv"
	"strings"
)

// FromJSON returns the value of a JSON text. Keys keep their order, of equal ones the last counts; numbers with a
// point or an exponent are floats, the others integers of any size.
func FromJSON(data []byte) (Value, error) {
	if !json.Valid(data) {
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("jinja: JSON: %w", err)
		}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return decode(d), nil
}

// decode reads the next value of what is known to be valid.
func decode(d *json.Decoder) Value {
	t, _ := d.Token()
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return decodeDict(d)
		}
		out := list()
		for d.More() {
			out.Items = append(out.Items, decode(d))
		}
		d.Token()
		return out
	case json.Number:
		return jsonNumber(string(t))
	}
	return t
}

func decodeDict(d *json.Decoder) Value {
	out := NewDict(0)
	for d.More() {
		key, _ := d.Token()
		out.put(key, decode(d))
	}
	d.Token()
	return out
}

func jsonNumber(s string) Value {
	if strings.ContainsAny(s, ".eE") {
		f, _ := strconv.ParseFloat(s, 64) // too large is infinite, as in Python
		return f
	}
	n, _ := new(big.Int).SetString(s, 10)
	return integer(n)
}

// A jsonWriter is Python's json.dumps.
type jsonWriter struct {
	strings.Builder
	ascii     bool
	indent    string
	pretty    bool
	item, key string // what stands between items, and between a key and its value
	sortKeys  bool
	depth     int
}

// ToJSON returns v as Python's json.dumps writes it with ensure_ascii=False. v must be of what JSON has.
func ToJSON(v Value) (s string, err error) {
	defer catch(&err)
	w := &jsonWriter{item: ", ", key: ": "}
	w.write(v, "\n")
	return w.String(), nil
}

// tojson is the filter that transformers puts in place of jinja2's.
func tojson(a *args) Value {
	in := a.bind("tojson", 1, "value", "ensure_ascii", "indent", "separators", "sort_keys")
	w := &jsonWriter{item: ", ", key: ": ", ascii: truth(or(in[1], false)), sortKeys: truth(or(in[4], false))}
	if given(in[2]) {
		w.pretty, w.item = true, ","
		if s, ok := text(in[2]); ok {
			w.indent = s
		} else {
			w.indent = repeat(" ", int64(mustInt(in[2])))
		}
	}
	if given(in[3]) {
		pair := drain(in[3])
		if len(pair) != 2 {
			throw("separators must be a pair")
		}
		w.item, w.key = textOr(pair[0], ""), textOr(pair[1], "")
	}
	w.write(in[0], "\n")
	return w.String()
}

// write writes v; line is the line feed and indentation of the level around it.
func (w *jsonWriter) write(v Value, line string) {
	w.depth++
	checkNesting(w.depth)
	defer func() { w.depth-- }()
	switch v := v.(type) {
	case nil:
		w.WriteString("null")
	case bool:
		w.WriteString(strconv.FormatBool(v))
	case int64, *big.Int:
		w.WriteString(repr(v))
	case float64:
		w.WriteString(jsonFloat(v))
	case string:
		w.quote(v)
	case markup:
		w.quote(string(v))
	case *List:
		w.array(v.Items, line)
	case *Tuple:
		w.array(v.Items, line)
	case *Dict:
		w.object(v, line)
	default:
		throw("Object of type %s is not JSON serializable", typeName(v))
	}
	checkText(w.Len())
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 0):
		return map[bool]string{true: "Infinity", false: "-Infinity"}[f > 0]
	}
	return formatFloat(f)
}

// between writes what stands before the i-th item.
func (w *jsonWriter) between(i int, line string) {
	if i > 0 {
		w.WriteString(w.item)
	}
	if w.pretty {
		w.WriteString(line)
	}
}

func (w *jsonWriter) array(items []Value, line string) {
	w.WriteString("[")
	for i, item := range items {
		w.between(i, line+w.indent)
		w.write(item, line+w.indent)
	}
	if w.pretty && len(items) > 0 {
		w.WriteString(line)
	}
	w.WriteString("]")
}

func (w *jsonWriter) object(d *Dict, line string) {
	entries := d.entries
	if w.sortKeys {
		entries = append([]entry(nil), entries...)
		sort.SliceStable(entries, func(i, j int) bool { return order("<", entries[i].key, entries[j].key) })
	}
	w.WriteString("{")
	for i, e := range entries {
		w.between(i, line+w.indent)
		w.quote(jsonKey(e.key))
		w.WriteString(w.key)
		w.write(e.value, line+w.indent)
	}
	if w.pretty && len(entries) > 0 {
		w.WriteString(line)
	}
	w.WriteString("}")
}

// jsonKey is the text of a key.
func jsonKey(v Value) string {
	switch v := v.(type) {
	case string:
		return v
	case markup:
		return string(v)
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return jsonFloat(v)
	case int64, *big.Int:
		return repr(v)
	}
	throw("keys must be str, int, float, bool or None, not %s", typeName(v))
	return ""
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\b': `\b`}

func (w *jsonWriter) quote(s string) {
	w.WriteByte('"')
	for _, r := range s {
		if e, ok := jsonEscapes[r]; ok {
			w.WriteString(e)
		} else if r < ' ' || w.ascii && r > '~' {
			w.unicode(r)
		} else {
			w.WriteRune(r)
		}
	}
	w.WriteByte('"')
}

// unicode writes r as \uhhhh, or as two of them.
func (w *jsonWriter) unicode(r rune) {
	if r >= 0x10000 {
		r -= 0x10000
		fmt.Fprintf(w, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		return
	}
	fmt.Fprintf(w, `\u%04x`, r)
}
