package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// filters are what stands behind a bar, by name. The first argument is the value that is filtered.
var filters map[string]func(a *args) Value

func init() {
	filters = map[string]func(a *args) Value{
		"abs": absolute, "attr": attr, "batch": batch, "capitalize": textFilter(capitalize), "center": centerFilter, "count": lengthFilter,
		"d": defaultFilter, "default": defaultFilter, "dictsort": dictSort, "e": escapeFilter, "escape": escapeFilter,
		"filesizeformat": fileSize, "first": first, "float": toFloat, "forceescape": forceEscape, "format": formatFilter,
		"groupby": groupBy, "indent": indent, "int": toInteger, "items": itemsFilter, "join": joinFilter, "last": last,
		"length": lengthFilter, "list": listFilter, "lower": textFilter(lower), "map": mapFilter, "max": extreme(">"),
		"min": extreme("<"), "reject": selectFilter("reject", false, false), "rejectattr": selectFilter("rejectattr", true, false),
		"replace": replaceFilter, "reverse": reverse, "round": round, "safe": safe,
		"select": selectFilter("select", false, true), "selectattr": selectFilter("selectattr", true, true),
		"slice": sliceFilter, "sort": sortFilter, "string": stringFilter, "striptags": stripTagsFilter, "sum": sum,
		"title": textFilter(titleWords), "tojson": tojson, "trim": trimFilter, "truncate": truncate, "unique": unique,
		"upper": textFilter(upper), "urlencode": urlEncode, "wordcount": wordCount,
	}
}

// filterNamed returns a filter, or stops.
func filterNamed(name string) func(a *args) Value {
	f := filters[name]
	if f == nil {
		throw("no filter named %s", repr(name))
	}
	return f
}

// textFilter makes a filter of a function of text; markup stays markup.
func textFilter(f func(string) string) func(a *args) Value {
	return func(a *args) Value {
		v := a.bind("the filter", 1, "s")[0]
		return likeText(v, f(str(v)))
	}
}

// titleWords is jinja2's own: words begin behind white space and any of -({[<.
func titleWords(s string) string {
	begins := func(r rune) bool { return IsSpace(r) || strings.ContainsRune("-({[<", r) }
	var b strings.Builder
	for s != "" {
		n := strings.IndexFunc(s, begins)
		if n == 0 {
			n = len(s) - len(strings.TrimLeftFunc(s, begins))
			b.WriteString(s[:n])
		} else {
			if n < 0 {
				n = len(s)
			}
			_, size := utf8.DecodeRuneInString(s)
			b.WriteString(upper(s[:size]) + lower(s[size:n]))
		}
		s = s[n:]
	}
	return b.String()
}

func centerFilter(a *args) Value {
	in := a.bind("center", 1, "value", "width")
	s := textMethods["center"](str(in[0]), &args{items: []Value{or(in[1], int64(80))}})
	return likeText(in[0], s.(string))
}

func trimFilter(a *args) Value {
	in := a.bind("trim", 1, "value", "chars")
	rest := []Value{}
	if given(in[1]) {
		rest = append(rest, in[1])
	}
	return likeText(in[0], textMethods["strip"](str(in[0]), &args{items: rest}).(string))
}

func replaceFilter(a *args) Value {
	in := a.bind("replace", 3, "s", "old", "new", "count")
	n := -1
	if given(in[3]) {
		n = mustInt(in[3])
	}
	return replace(str(in[0]), str(in[1]), str(in[2]), n)
}

func escapeFilter(a *args) Value    { return markup(escape(a.bind("escape", 1, "s")[0])) }
func safe(a *args) Value            { return markup(str(a.bind("safe", 1, "value")[0])) }
func forceEscape(a *args) Value     { return markup(escape(str(a.bind("forceescape", 1, "value")[0]))) }
func stripTagsFilter(a *args) Value { return stripTags(str(a.bind("striptags", 1, "value")[0])) }

func stringFilter(a *args) Value {
	v := a.bind("string", 1, "s")[0]
	return likeText(v, str(v))
}

func lengthFilter(a *args) Value {
	v := a.positional("length", 1, 1)[0]
	n, ok := length(v)
	if !ok {
		throw("object of type '%s' has no len()", typeName(v))
	}
	return int64(n)
}

func defaultFilter(a *args) Value {
	in := a.bind("default", 1, "value", "default_value", "boolean")
	if isUndefined(in[0]) || truth(or(in[2], false)) && !truth(in[0]) {
		return or(in[1], "")
	}
	return in[0]
}

func indent(a *args) Value {
	in := a.bind("indent", 1, "s", "width", "first", "blank")
	s, ok := text(in[0])
	if !ok {
		mustDefined(in[0])
		throw("indent needs text, not %s", typeName(in[0]))
	}
	by, ok := text(or(in[1], int64(4)))
	if !ok {
		by = repeat(" ", int64(intOr(in[1], 4)))
	}
	lines := splitLines(s+"\n", false)
	for i, line := range lines {
		if i > 0 && (line != "" || truth(or(in[3], false))) || i == 0 && truth(or(in[2], false)) {
			lines[i] = by + line
		}
	}
	return likeText(in[0], strings.Join(lines, "\n"))
}

func truncate(a *args) Value {
	in := a.bind("truncate", 1, "s", "length", "killwords", "end", "leeway")
	size, ok := length(in[0])
	if !ok {
		throw("object of type '%s' has no len()", typeName(in[0]))
	}
	end, leeway := textOr(in[3], "..."), 5
	if given(in[4]) {
		leeway = mustInt(in[4])
	}
	n := intOr(in[1], 255)
	keep := n - runes(end)
	if keep < 0 || leeway < 0 {
		throw("truncate: the length must be at least that of the end, and the leeway not negative")
	}
	if size <= n+leeway {
		return in[0]
	}
	s := textOr(in[0], "")
	s = s[:byteIndex(s, keep)]
	if at := strings.LastIndexByte(s, ' '); at >= 0 && !truth(or(in[2], false)) {
		s = s[:at]
	}
	return likeText(in[0], s+end)
}

func wordCount(a *args) Value {
	s := str(a.bind("wordcount", 1, "s")[0])
	n := len(strings.FieldsFunc(s, func(r rune) bool { return !isWord(r) }))
	return int64(n)
}

func formatFilter(a *args) Value {
	v, rest := a.items[0], Value(tuple(a.items[1:]...))
	if len(a.named) > 0 {
		if len(a.items) > 1 {
			throw("can't handle positional and keyword arguments at the same time")
		}
		rest = dictOf(&args{named: a.named})
	}
	return likeText(v, percent(v, str(v), rest))
}

// urlEncode is Python's urllib.parse.quote, or urlencode of pairs.
func urlEncode(a *args) Value {
	v := a.bind("urlencode", 1, "value")[0]
	next, ok := iterate(v)
	if _, isText := text(v); isText || !ok {
		return quoteURL(str(v), "/")
	}
	if d, isDict := v.(*Dict); isDict {
		next = (&view{d, "items"}).iterate()
	}
	var parts []string
	for item, ok := next(); ok; item, ok = next() {
		pair := drain(item)
		if len(pair) != 2 {
			throw("urlencode needs pairs")
		}
		parts = append(parts, queryPart(pair[0])+"="+queryPart(pair[1]))
	}
	return strings.Join(parts, "&")
}

func queryPart(v Value) string { return strings.ReplaceAll(quoteURL(str(v), ""), "%20", "+") }

func quoteURL(s, keep string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.-~"+keep, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		const hex = "0123456789ABCDEF"
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}

func absolute(a *args) Value {
	v := a.positional("abs", 1, 1)[0]
	if f, ok := v.(float64); ok {
		return math.Abs(f)
	}
	n, ok := asInt(v)
	if !ok {
		mustDefined(v)
		throw("bad operand type for abs(): '%s'", typeName(v))
	}
	return integer(new(big.Int).Abs(n))
}

func toInteger(a *args) Value {
	in := a.bind("int", 1, "value", "default", "base")
	mustDefined(in[0])
	v := in[0]
	if s, ok := text(v); ok {
		if n, ok := parseInt(s, intOr(in[2], 10)); ok {
			return n
		}
		f, ok := parseFloat(s)
		if !ok {
			return or(in[1], int64(0))
		}
		v = f
	}
	if n, ok := toInt(v); ok {
		return n
	}
	return or(in[1], int64(0))
}

func toFloat(a *args) Value {
	in := a.bind("float", 1, "value", "default")
	mustDefined(in[0])
	if s, ok := text(in[0]); ok {
		if f, ok := parseFloat(s); ok {
			return f
		}
	} else if f, ok := asFloat(in[0]); ok {
		return f
	}
	return or(in[1], 0.0)
}

// round is Python's round with a number of digits: exact, halves to even. An integer stays one.
func round(a *args) Value {
	in := a.bind("round", 1, "value", "precision", "method")
	digits, method := intOr(in[1], 0), textOr(in[2], "common")
	f, ok := asFloat(in[0])
	if !ok {
		mustDefined(in[0])
		throw("type %s doesn't define __round__ method", typeName(in[0]))
	}
	switch method {
	case "common":
		if n, ok := asInt(in[0]); ok {
			return roundInt(n, digits)
		}
		return roundFloat(f, digits)
	case "ceil", "floor":
		scale := math.Pow(10, float64(digits))
		if method == "ceil" {
			return (math.Ceil(f*scale) + 0) / scale // no negative zero
		}
		return math.Floor(f*scale) / scale
	}
	throw("method must be common, ceil or floor")
	return nil
}

// roundInt rounds to a power of ten for negative digits, halves to even.
func roundInt(n *big.Int, digits int) Value {
	if digits >= 0 {
		return integer(n)
	}
	if digits < -maxBits {
		return int64(0)
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-digits)), nil)
	quotient, rest := new(big.Int).DivMod(n, unit, new(big.Int))
	if c := rest.Lsh(rest, 1).Cmp(unit); c > 0 || c == 0 && quotient.Bit(0) == 1 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return integer(quotient.Mul(quotient, unit))
}

func roundFloat(f float64, digits int) Value {
	if math.IsInf(f, 0) || math.IsNaN(f) || digits > 400 {
		return f
	}
	if digits < 0 {
		scale := math.Pow(10, float64(-digits))
		return math.RoundToEven(f/scale) * scale
	}
	r, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', digits, 64), 64)
	return r
}

var sizeUnits = []string{"k", "M", "G", "T", "P", "E", "Z", "Y"}

func fileSize(a *args) Value {
	in := a.bind("filesizeformat", 1, "value", "binary")
	f, ok := asFloat(in[0])
	if s, isText := text(in[0]); isText {
		f, ok = parseFloat(s)
	}
	if !ok {
		throw("filesizeformat needs a number")
	}
	base, suffix := 1000.0, "B"
	binary := truth(or(in[1], false))
	if binary {
		base, suffix = 1024, "iB"
	}
	if f == 1 {
		return "1 Byte"
	}
	if f < base {
		return strconv.Itoa(int(f)) + " Bytes"
	}
	unit := 0
	for f /= base; f >= base && unit < len(sizeUnits)-1; f /= base {
		unit++
	}
	prefix := sizeUnits[unit]
	if binary {
		prefix = strings.ToUpper(prefix)
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + prefix + suffix
}
