package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A formatter fills in the fields of Python's str.format.
type formatter struct {
	items []Value
	named map[string]Value
	next  int // the next field without a number
	depth int
}

func formatMethod(s string, a *args) Value {
	f := &formatter{items: a.items, named: map[string]Value{}}
	for _, k := range a.named {
		f.named[k.name] = k.value
	}
	return f.format(s)
}

func formatMapMethod(s string, a *args) Value {
	d, ok := a.positional("format_map()", 1, 1)[0].(*Dict)
	if !ok {
		throw("format_map() needs a mapping")
	}
	f := &formatter{named: map[string]Value{}}
	for k, v := range d.All {
		if name, ok := text(k); ok {
			f.named[name] = v
		}
	}
	return f.format(s)
}

func (f *formatter) format(s string) string {
	if f.depth++; f.depth > 2 {
		throw("max string recursion exceeded")
	}
	defer func() { f.depth-- }()
	var b strings.Builder
	for s != "" {
		n := strings.IndexAny(s, "{}")
		if n < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:n])
		if strings.HasPrefix(s[n+1:], s[n:n+1]) { // a doubled brace
			b.WriteByte(s[n])
			s = s[n+2:]
			continue
		}
		if s[n] == '}' {
			throw("single '}' encountered in format string")
		}
		end := closingBrace(s[n+1:])
		b.WriteString(f.field(s[n+1 : n+1+end]))
		s = s[n+2+end:]
		checkText(b.Len())
	}
	return b.String()
}

// closingBrace returns where the field that s begins in ends.
func closingBrace(s string) int {
	depth := 1
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	throw("expected '}' before end of string")
	return 0
}

// field writes one field: NAME!CONVERSION:SPECIFICATION.
func (f *formatter) field(s string) string {
	name, spec := s, ""
	if n := strings.IndexAny(s, "!:"); n >= 0 {
		name, spec = s[:n], s[n:]
	}
	v := f.value(name)
	if strings.HasPrefix(spec, "!") {
		if len(spec) < 2 || len(spec) > 2 && spec[2] != ':' {
			throw("expected ':' after conversion specifier")
		}
		switch spec[1] {
		case 's':
			v = str(v)
		case 'r', 'a':
			v = repr(v)
		default:
			throw("unknown conversion specifier %q", spec[1])
		}
		spec = spec[2:]
	}
	return formatValue(v, f.format(strings.TrimPrefix(spec, ":")))
}

// value finds what a field name such as 0.content[key] means.
func (f *formatter) value(name string) Value {
	n := strings.IndexAny(name, ".[")
	if n < 0 {
		n = len(name)
	}
	first, rest := name[:n], name[n:]
	v := f.first(first)
	for rest != "" {
		if rest[0] == '[' {
			key, after, ok := strings.Cut(rest[1:], "]")
			if !ok || key == "" {
				throw("missing or empty subscript in format string")
			}
			if i, err := strconv.Atoi(key); err == nil && i >= 0 {
				v = getItem(v, int64(i))
			} else {
				v = getItem(v, key)
			}
			rest = after
			continue
		}
		n := strings.IndexAny(rest[1:], ".[") + 1
		if n == 0 {
			n = len(rest)
		}
		v = getAttribute(v, rest[1:n])
		rest = rest[n:]
	}
	return v
}

// first finds the argument with a name, a number, or the next one for "".
func (f *formatter) first(name string) Value {
	i, err := strconv.Atoi(name)
	if name == "" {
		i, err = f.next, nil
		f.next++
	}
	if err == nil {
		if i < 0 || i >= len(f.items) {
			throw("replacement index %d out of range for positional args", i)
		}
		return f.items[i]
	}
	v, ok := f.named[name]
	if !ok {
		throw("no argument %s for the format string", repr(name))
	}
	return v
}

// formatValue is Python's format(v, spec).
func formatValue(v Value, spec string) string {
	if spec == "" {
		return str(v)
	}
	l := layout{fill: " ", precision: -1}
	l.parse(spec)
	mustBeSmall(l.width, l.precision)
	_, isText := text(v)
	_, isFloat := v.(float64)
	switch {
	case isText:
		return l.formatText(str(v))
	case isFloat || isNumber(v) && strings.IndexByte("eEfFgG%", l.verb) >= 0:
		return l.formatFloat(v)
	case isNumber(v):
		return l.formatInt(v)
	}
	throw("unsupported format string passed to %s", typeName(v))
	return ""
}

// parse reads [[fill]align][sign][#][0][width][,][.precision][type].
func (l *layout) parse(s string) {
	whole := s
	if _, size := utf8.DecodeRuneInString(s); len(s) > size && strings.IndexByte("<>=^", s[size]) >= 0 {
		l.fill, l.align, s = s[:size], s[size], s[size+1:]
	} else if strings.IndexByte("<>=^", s[0]) >= 0 {
		l.align, s = s[0], s[1:]
	}
	take := func(set string) byte {
		if s != "" && strings.IndexByte(set, s[0]) >= 0 {
			c := s[0]
			s = s[1:]
			return c
		}
		return 0
	}
	if l.sign = take("+- "); l.sign == '-' {
		l.sign = 0
	}
	l.alternate = take("#") != 0
	if take("0") != 0 && l.align == 0 {
		l.fill, l.align = "0", '='
	}
	l.width, s = leadingInt(s)
	if c := take(",_"); c != 0 {
		l.group = string(c)
	}
	if take(".") != 0 {
		l.precision, s = leadingInt(s)
	}
	if l.verb = take("bcdeEfFgGnosxX%"); s != "" {
		throw("invalid format specifier %s", repr(whole))
	}
}

func (l *layout) formatText(s string) string {
	if l.verb != 0 && l.verb != 's' || l.align == '=' || l.sign != 0 || l.group != "" || l.alternate {
		throw("the format specifier does not suit text")
	}
	if l.align == 0 {
		l.align = '<'
	}
	return l.pad("", l.shorten(s))
}

func (l *layout) formatFloat(v Value) string {
	f, _ := asFloat(v)
	if l.align == 0 {
		l.align = '>'
	}
	switch l.verb {
	case 0:
		s := formatFloat(f)
		if l.precision >= 0 {
			if s = generalFloat(f, max(l.precision, 1), false); !strings.ContainsAny(s, ".en") {
				s += ".0"
			}
		}
		negative := strings.HasPrefix(s, "-")
		return l.pad(l.signOf(negative), strings.TrimPrefix(s, "-"))
	case 'n':
		l.verb = 'g'
		return l.float(f)
	case 'e', 'E', 'f', 'F', 'g', 'G', '%':
		return l.float(f)
	}
	throw("unknown format code %q for a float", l.verb)
	return ""
}

func (l *layout) formatInt(v Value) string {
	if l.align == 0 {
		l.align = '>'
	}
	if l.precision >= 0 {
		throw("precision is not allowed in an integer format specifier")
	}
	n, _ := asInt(v)
	switch l.verb {
	case 0, 'd', 'n':
		return l.digits(n, 10)
	case 'b':
		return l.digits(n, 2)
	case 'o':
		return l.digits(n, 8)
	case 'x', 'X':
		return l.digits(n, 16)
	case 'c':
		return l.pad("", character(v))
	}
	throw("unknown format code %q for an integer", l.verb)
	return ""
}
