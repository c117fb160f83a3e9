package jinja

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// str is Python's str(v).
func str(v Value) string {
	switch v := v.(type) {
	case string:
		return v
	case markup:
		return string(v)
	case *undefined:
		return ""
	}
	return repr(v)
}

// repr is Python's repr(v).
func repr(v Value) string {
	var b reprWriter
	b.write(v)
	return b.String()
}

// A reprWriter writes values as Python's repr does.
type reprWriter struct {
	strings.Builder
	depth int
}

func (b *reprWriter) write(v Value) {
	checkNesting(b.depth)
	checkText(b.Len())
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case *big.Int:
		b.WriteString(v.String())
	case float64:
		b.WriteString(formatFloat(v))
	case string:
		quote(&b.Builder, v)
	case markup:
		b.WriteString("Markup(")
		quote(&b.Builder, string(v))
		b.WriteString(")")
	case byteText:
		quoteBytes(&b.Builder, string(v))
	case *List:
		b.items("[", v.Items, "]")
	case *Tuple:
		b.items("(", v.Items, map[bool]string{true: ",)", false: ")"}[len(v.Items) == 1])
	case *Dict:
		b.dict(v)
	case *view:
		b.WriteString("dict_" + v.kind + "(")
		b.items("[", drain(v), "])")
	case *undefined:
		b.WriteString("Undefined")
	case *namespace:
		b.WriteString("<Namespace ")
		b.dict(v.attrs)
		b.WriteString(">")
	case *numbers:
		b.numbers(v)
	case *macro:
		b.WriteString("<Macro " + v.title() + ">")
	case *loop:
		fmt.Fprintf(b, "<LoopContext %d/%d>", v.index0+1, v.length())
	default:
		throw("%s has no written form that is always the same", typeName(v))
	}
}

func (b *reprWriter) items(open string, items []Value, end string) {
	b.depth++
	b.WriteString(open)
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		b.write(item)
	}
	b.WriteString(end)
	b.depth--
}

func (b *reprWriter) dict(d *Dict) {
	b.depth++
	b.WriteString("{")
	for i, e := range d.entries {
		if i > 0 {
			b.WriteString(", ")
		}
		b.write(e.key)
		b.WriteString(": ")
		b.write(e.value)
	}
	b.WriteString("}")
	b.depth--
}

func (b *reprWriter) numbers(n *numbers) {
	items := []Value{n.start, n.stop}
	if n.step != 1 {
		items = append(items, n.step)
	}
	b.items("range(", items, ")")
}

// quotes chooses the quotation mark as Python does.
func quotes(s string) byte {
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		return '"'
	}
	return '\''
}

// quote writes s as Python's repr does.
func quote(b *strings.Builder, s string) {
	mark := quotes(s)
	b.WriteByte(mark)
	for _, r := range s {
		switch {
		case r == rune(mark) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(escapeRune(r))
		}
	}
	b.WriteByte(mark)
}

// escapeRune writes r as \xhh, \uhhhh or \Uhhhhhhhh.
func escapeRune(r rune) string {
	h := strconv.FormatInt(int64(r), 16)
	switch {
	case r < 0x100:
		return `\x` + strings.Repeat("0", 2-len(h)) + h
	case r < 0x10000:
		return `\u` + strings.Repeat("0", 4-len(h)) + h
	}
	return `\U` + strings.Repeat("0", 8-len(h)) + h
}

// quoteBytes writes bytes as Python's repr does.
func quoteBytes(b *strings.Builder, s string) {
	mark := quotes(s)
	b.WriteByte('b')
	b.WriteByte(mark)
	for _, c := range []byte(s) {
		switch {
		case c >= utf8.RuneSelf:
			b.WriteString(escapeRune(rune(c)))
		default:
			var q strings.Builder
			quote(&q, string(rune(c)))
			inner := q.String()
			inner = inner[1 : len(inner)-1]
			if (c == '\'' || c == '"') && c == mark {
				inner = `\` + string(rune(c))
			}
			b.WriteString(inner)
		}
	}
	b.WriteByte(mark)
}

// IsSpace tells whether r is white space to Python.
func IsSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
