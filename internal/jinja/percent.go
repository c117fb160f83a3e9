package jinja

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A layout is how one value is written: the fields of a % conversion or of a format specification.
type layout struct {
	fill      string
	align     byte // '<', '>', '^', '=', or 0
	sign      byte // '+', ' ' or 0
	alternate bool // '#'
	group     string
	width     int
	precision int // -1 for none
	verb      byte
}

// percentArgs gives the values of a % operator in turn.
type percentArgs struct {
	values []Value
	next   int
	dict   *Dict
	spare  bool // values may be left over
}

func (p *percentArgs) take() Value {
	if p.next == len(p.values) {
		throw("not enough arguments for format string")
	}
	p.next++
	return p.values[p.next-1]
}

// percent is Python's format % v. Of markup the text that is put in is escaped.
func percent(object Value, format string, v Value) string {
	_, safe := object.(markup)
	p := &percentArgs{values: []Value{v}}
	switch v := v.(type) {
	case *Tuple:
		p.values = v.Items
	case *Dict:
		p.dict, p.spare = v, true
	case *List, *numbers, byteText, *undefined:
		p.spare = true
	}
	var b strings.Builder
	for {
		n := strings.IndexByte(format, '%')
		if n < 0 {
			b.WriteString(format)
			break
		}
		b.WriteString(format[:n])
		format = p.conversion(&b, format[n+1:], safe)
		checkText(b.Len())
	}
	if !p.spare && p.next < len(p.values) {
		throw("not all arguments converted during string formatting")
	}
	return b.String()
}

// conversion writes what the conversion at the beginning of format asks for and returns what follows it.
func (p *percentArgs) conversion(b *strings.Builder, format string, safe bool) string {
	get := p.take
	if strings.HasPrefix(format, "(") {
		key, rest, ok := strings.Cut(format[1:], ")")
		if !ok {
			throw("incomplete format key")
		}
		if p.dict == nil {
			throw("format requires a mapping")
		}
		get = func() Value {
			v, ok := p.dict.lookup(key)
			if !ok {
				throw("no key %s", repr(key))
			}
			return v
		}
		format = rest
	}
	l := layout{fill: " ", align: '>', precision: -1}
	format = l.flags(format)
	format = l.size(format, p.take)
	format = strings.TrimLeft(format, "hlL")
	if format == "" {
		throw("incomplete format")
	}
	l.verb = format[0]
	if l.verb == '%' {
		b.WriteByte('%')
		return format[1:]
	}
	s := l.convert(get())
	if safe {
		s = escape(s)
	}
	b.WriteString(s)
	return format[1:]
}

// flags reads "-+ #0".
func (l *layout) flags(s string) string {
	for ; s != ""; s = s[1:] {
		switch s[0] {
		case '-':
			l.align = '<'
		case '+':
			l.sign = '+'
		case ' ':
			if l.sign == 0 {
				l.sign = ' '
			}
		case '#':
			l.alternate = true
		case '0':
			if l.align == '>' {
				l.align, l.fill = '=', "0"
			}
		default:
			return s
		}
	}
	return s
}

// size reads the width and the precision, either of which may be "*".
func (l *layout) size(s string, take func() Value) string {
	read := func() int {
		if strings.HasPrefix(s, "*") {
			s = s[1:]
			return mustInt(take())
		}
		var n int
		n, s = leadingInt(s)
		return n
	}
	if l.width = read(); l.width < 0 {
		l.align, l.width = '<', -l.width
	}
	if strings.HasPrefix(s, ".") {
		s = s[1:]
		l.precision = max(read(), 0)
	}
	return s
}

// leadingInt reads the digits at the beginning of s.
func leadingInt(s string) (int, string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	n, err := strconv.Atoi(s[:i])
	if err != nil && i > 0 {
		throw("too many digits in a format string")
	}
	return n, s[i:]
}

// convert writes v by a verb of the % operator.
func (l *layout) convert(v Value) string {
	mustBeSmall(l.width, l.precision)
	switch l.verb {
	case 's', 'r', 'a':
		s := str(v)
		if l.verb != 's' {
			s = repr(v)
		}
		return l.pad("", l.shorten(s))
	case 'c':
		return l.pad("", character(v))
	case 'd', 'i', 'u':
		n, ok := toInt(v)
		if !ok {
			mustDefined(v)
			throw("%%%c format: a real number is required, not %s", l.verb, typeName(v))
		}
		big, _ := asInt(n)
		return l.digits(big, 10)
	case 'x', 'X', 'o':
		n, ok := asInt(v)
		if !ok {
			throw("%%%c format: an integer is required, not %s", l.verb, typeName(v))
		}
		return l.digits(n, map[byte]int{'x': 16, 'X': 16, 'o': 8}[l.verb])
	case 'e', 'E', 'f', 'F', 'g', 'G':
		f, ok := asFloat(v)
		if !ok {
			mustDefined(v)
			throw("must be real number, not %s", typeName(v))
		}
		return l.float(f)
	}
	throw("unsupported format character %q", l.verb)
	return ""
}

// mustBeSmall stops at widths and precisions that only an attack has.
func mustBeSmall(width, precision int) {
	if width > 1<<20 || precision > 1<<10 {
		throw("a width or precision in a format string is too large")
	}
}

func (l *layout) shorten(s string) string {
	if l.precision >= 0 {
		return s[:byteIndex(s, l.precision)]
	}
	return s
}

// character is the code point that v, a number or one character, stands for.
func character(v Value) string {
	if s, ok := text(v); ok && utf8.RuneCountInString(s) == 1 {
		return s
	}
	n, ok := smallInt(v)
	if !ok || !utf8.ValidRune(rune(n)) {
		throw("%%c requires a code point or a character")
	}
	return string(rune(n))
}

// digits writes an integer.
func (l *layout) digits(n *big.Int, base int) string {
	s := new(big.Int).Abs(n).Text(base)
	if missing := l.precision - len(s); missing > 0 {
		s = strings.Repeat("0", missing) + s
	}
	prefix := l.signOf(n.Sign() < 0)
	if l.alternate && base != 10 {
		prefix += map[int]string{2: "0b", 8: "0o", 16: "0x"}[base]
	}
	s = groupDigits(s, l.group)
	if l.verb == 'X' {
		prefix, s = strings.ToUpper(prefix), strings.ToUpper(s)
	}
	return l.pad(prefix, s)
}

func (l *layout) signOf(negative bool) string {
	switch {
	case negative:
		return "-"
	case l.sign != 0:
		return string(l.sign)
	}
	return ""
}

// groupDigits puts a separator between thousands, or between four digits for "_" in other bases than ten.
func groupDigits(s, separator string) string {
	if separator == "" {
		return s
	}
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteString(separator)
		}
		b.WriteRune(c)
	}
	return b.String()
}

// float writes a float by one of the verbs eEfFgG%.
func (l *layout) float(f float64) string {
	precision := l.precision
	if precision < 0 {
		precision = 6
	}
	verb, suffix := l.verb, ""
	if verb == '%' {
		f, verb, suffix = f*100, 'f', "%"
	}
	s := strconv.FormatFloat(f, verb|0x20, precision, 64)
	switch {
	case strings.ContainsAny(s, "IN"): // infinite or not a number
		s = strings.ToLower(strings.TrimLeft(s, "+"))
	case verb|0x20 == 'g':
		s = generalFloat(f, max(precision, 1), l.alternate)
	}
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	whole := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if whole < 0 {
		whole = len(s)
	}
	s = groupDigits(s[:whole], l.group) + s[whole:]
	if verb < 'a' {
		s = strings.ToUpper(s)
	}
	return l.pad(l.signOf(negative), s+suffix)
}

// generalFloat is %g of C: an exponent where the number needs one, no zeros at the end.
func generalFloat(f float64, precision int, keepZeros bool) string {
	s := strconv.FormatFloat(f, 'e', precision-1, 64)
	at := strings.IndexByte(s, 'e')
	exp, _ := strconv.Atoi(s[at+1:])
	mantissa, tail := s[:at], s[at:]
	if exp >= -4 && exp < precision {
		mantissa, tail = strconv.FormatFloat(f, 'f', precision-1-exp, 64), ""
	}
	if !keepZeros && strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	return mantissa + tail
}

// pad brings a sign or prefix and what it belongs to to the width.
func (l *layout) pad(prefix, s string) string {
	n := int64(l.width - runes(prefix) - runes(s))
	if n <= 0 {
		return prefix + s
	}
	switch l.align {
	case '<':
		return prefix + s + repeat(l.fill, n)
	case '^':
		return repeat(l.fill, n/2) + prefix + s + repeat(l.fill, n-n/2)
	case '=':
		return prefix + repeat(l.fill, n) + s
	}
	return repeat(l.fill, n) + prefix + s
}
