package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A textMethod is a method of Python's str. What it returns as a string becomes markup if the object is.
type textMethod func(s string, a *args) Value

var textMethods map[string]textMethod

func init() {
	textMethods = map[string]textMethod{
		"upper": plain("upper()", upper), "lower": plain("lower()", lower), "title": plain("title()", title),
		"capitalize": plain("capitalize()", capitalize), "swapcase": plain("swapcase()", swapCase),
		"casefold": plain("casefold()", foldCase),
		"strip":    trimmer("strip()", true, true), "lstrip": trimmer("lstrip()", true, false),
		"rstrip": trimmer("rstrip()", false, true),
		"split":  splitMethod, "rsplit": rsplitMethod, "splitlines": splitLinesMethod,
		"partition": partition, "rpartition": rpartition, "join": joinMethod, "replace": replaceMethod,
		"startswith": affix("startswith()", strings.HasPrefix), "endswith": affix("endswith()", strings.HasSuffix),
		"find": finder("find()", strings.Index, false), "rfind": finder("rfind()", strings.LastIndex, false),
		"index": finder("index()", strings.Index, true), "rindex": finder("rindex()", strings.LastIndex, true),
		"count": countMethod, "removeprefix": remover(strings.TrimPrefix), "removesuffix": remover(strings.TrimSuffix),
		"zfill": zfill, "ljust": justifier("ljust()", 0), "rjust": justifier("rjust()", 1), "center": justifier("center()", 0.5),
		"expandtabs": expandTabs, "encode": encode, "format": formatMethod, "format_map": formatMapMethod,
		"isdigit": every(isDigit), "isdecimal": every(isDecimal), "isnumeric": every(unicode.IsNumber),
		"isalpha": every(unicode.IsLetter), "isspace": every(IsSpace),
		"isalnum":      every(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
		"islower":      cased(unicode.IsUpper, unicode.IsLower),
		"isupper":      cased(unicode.IsLower, unicode.IsUpper),
		"istitle":      func(s string, _ *args) Value { return isTitle(s) },
		"isascii":      func(s string, _ *args) Value { return len(s) == runes(s) },
		"isidentifier": func(s string, _ *args) Value { return isIdentifier(s) },
		"isprintable": func(s string, _ *args) Value {
			return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
		},
	}
}

// textAttribute returns the method of s, which v is.
func textAttribute(v Value, s, name string) (Value, bool) {
	m, ok := textMethods[name]
	if !ok {
		return nil, false
	}
	_, safe := v.(markup)
	return &function{name, func(a *args) Value {
		if safe {
			return markUp(m(s, escapeArgs(name, a)))
		}
		return m(s, a)
	}}, true
}

// plain makes a method of a function of the text alone.
func plain(name string, f func(string) string) textMethod {
	return func(s string, a *args) Value {
		a.positional(name, 0, 0)
		return f(s)
	}
}

// trimmer makes strip, lstrip or rstrip.
func trimmer(name string, left, right bool) textMethod {
	return func(s string, a *args) Value {
		in := a.positional(name, 0, 1)
		drop := IsSpace
		if given(in[0]) {
			chars := textOr(in[0], "")
			drop = func(r rune) bool { return strings.ContainsRune(chars, r) }
		}
		if left {
			s = strings.TrimLeftFunc(s, drop)
		}
		if right {
			s = strings.TrimRightFunc(s, drop)
		}
		return s
	}
}

func texts(parts []string) Value {
	out := make([]Value, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return list(out...)
}

// separator returns the arguments of split and rsplit: sep is "" for white space.
func separator(name string, a *args) (sep string, most int) {
	in := a.bind(name, 0, "sep", "maxsplit")
	most = intOr(in[1], -1)
	if !given(in[0]) {
		return "", most
	}
	if sep = textOr(in[0], ""); sep == "" {
		throw("empty separator")
	}
	return sep, most
}

func splitMethod(s string, a *args) Value {
	sep, most := separator("split()", a)
	switch {
	case sep == "":
		return texts(fields(s, most))
	case most < 0:
		return texts(strings.Split(s, sep))
	}
	return texts(strings.SplitN(s, sep, most+1))
}

// fields splits s at white space, most times at most; what is left loses its leading white space only.
func fields(s string, most int) (out []string) {
	s = strings.TrimLeftFunc(s, IsSpace)
	for s != "" {
		n := strings.IndexFunc(s, IsSpace)
		if n < 0 || most == 0 {
			return append(out, s)
		}
		out = append(out, s[:n])
		s = strings.TrimLeftFunc(s[n:], IsSpace)
		most--
	}
	return out
}

func rsplitMethod(s string, a *args) Value {
	sep, most := separator("rsplit()", a)
	last, width := strings.LastIndex, len(sep)
	if sep == "" {
		s = strings.TrimRightFunc(s, IsSpace)
		last = func(s, _ string) int { return strings.LastIndexFunc(s, IsSpace) }
	}
	var out []string
	for ; most != 0 && (sep != "" || s != ""); most-- {
		n := last(s, sep)
		if n < 0 {
			break
		}
		if sep == "" {
			_, width = utf8.DecodeRuneInString(s[n:])
		}
		out = append(out, s[n+width:])
		if s = s[:n]; sep == "" {
			s = strings.TrimRightFunc(s, IsSpace)
		}
	}
	if sep != "" || s != "" {
		out = append(out, s)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return texts(out)
}

// isLineEnd tells whether r ends a line for splitlines.
func isLineEnd(r rune) bool {
	return r >= '\n' && r <= '\r' || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
}

// splitLines splits s into lines, with their ends if keep is set.
func splitLines(s string, keep bool) (out []string) {
	for s != "" {
		n := strings.IndexFunc(s, isLineEnd)
		if n < 0 {
			return append(out, s)
		}
		_, width := utf8.DecodeRuneInString(s[n:])
		if strings.HasPrefix(s[n:], "\r\n") {
			width = 2
		}
		line := s[:n]
		if keep {
			line = s[:n+width]
		}
		out, s = append(out, line), s[n+width:]
	}
	return out
}

func splitLinesMethod(s string, a *args) Value {
	return texts(splitLines(s, truth(or(a.bind("splitlines()", 0, "keepends")[0], false))))
}

func partition(s string, a *args) Value {
	sep := needSeparator("partition()", a)
	if before, after, ok := strings.Cut(s, sep); ok {
		return tuple(before, sep, after)
	}
	return tuple(s, "", "")
}

func rpartition(s string, a *args) Value {
	sep := needSeparator("rpartition()", a)
	if n := strings.LastIndex(s, sep); n >= 0 {
		return tuple(s[:n], sep, s[n+len(sep):])
	}
	return tuple("", "", s)
}

func needSeparator(name string, a *args) string {
	sep := textOr(a.positional(name, 1, 1)[0], "")
	if sep == "" {
		throw("empty separator")
	}
	return sep
}

func joinMethod(s string, a *args) Value {
	next := items(a.positional("join()", 1, 1)[0])
	var b strings.Builder
	i := 0
	for v, ok := next(); ok; v, ok = next() {
		part, isText := text(v)
		if !isText {
			throw("sequence item %d: expected str instance, %s found", i, typeName(v))
		}
		if i++; i > 1 {
			b.WriteString(s)
		}
		b.WriteString(part)
		checkText(b.Len())
	}
	return b.String()
}

func replaceMethod(s string, a *args) Value {
	in := a.positional("str.replace()", 2, 3)
	return replace(s, textOr(in[0], ""), textOr(in[1], ""), intOr(in[2], -1))
}

// replace replaces the first n, or all if n is negative.
func replace(s, old, with string, n int) string {
	if n < 0 || n > len(s)+1 {
		n = len(s) + 1
	}
	if grown := len(with) - len(old); grown > 0 {
		checkText(len(s) + min(n, strings.Count(s, old))*grown)
	}
	return strings.Replace(s, old, with, n)
}

// affix makes startswith or endswith.
func affix(name string, has func(s, affix string) bool) textMethod {
	return func(s string, a *args) Value {
		in := a.positional(name, 1, 3)
		part, _ := part(s, in[1], in[2])
		options := []Value{in[0]}
		if t, ok := in[0].(*Tuple); ok {
			options = t.Items
		}
		for _, o := range options {
			if has(part, textOr(o, "")) {
				return true
			}
		}
		return false
	}
}

// part returns s[start:end] and how many bytes stand before it.
func part(s string, start, end Value) (string, int) {
	if !given(start) && !given(end) {
		return s, 0
	}
	n := runes(s)
	from, to := 0, n
	if given(start) {
		from = bound(mustInt(start), n, 1)
	}
	if given(end) {
		to = bound(mustInt(end), n, 1)
	}
	i := byteIndex(s, from)
	return s[i:max(i, byteIndex(s, to))], i
}

// byteIndex returns where the n-th code point of s begins.
func byteIndex(s string, n int) int {
	for i := range s {
		if n--; n < 0 {
			return i
		}
	}
	return len(s)
}

// finder makes find, rfind, index or rindex.
func finder(name string, find func(s, sub string) int, must bool) textMethod {
	return func(s string, a *args) Value {
		in := a.positional(name, 1, 3)
		part, before := part(s, in[1], in[2])
		n := find(part, textOr(in[0], ""))
		if n < 0 && must {
			throw("substring not found")
		}
		if n < 0 {
			return int64(-1)
		}
		return int64(runes(s[:before+n]))
	}
}

func countMethod(s string, a *args) Value {
	in := a.positional("count()", 1, 3)
	part, _ := part(s, in[1], in[2])
	return int64(strings.Count(part, textOr(in[0], "")))
}

func remover(trim func(s, affix string) string) textMethod {
	return func(s string, a *args) Value { return trim(s, textOr(a.positional("remove", 1, 1)[0], "")) }
}

func zfill(s string, a *args) Value {
	sign := signOf(s)
	zeros := mustInt(a.positional("zfill()", 1, 1)[0]) - runes(s)
	return sign + repeat("0", int64(zeros)) + s[len(sign):]
}

// justifier makes ljust, rjust and center; share is the part of the padding that goes to the left.
func justifier(name string, share float64) textMethod {
	return func(s string, a *args) Value {
		in := a.positional(name, 1, 2)
		fill := textOr(in[1], " ")
		if runes(fill) != 1 {
			throw("the fill character must be exactly one character long")
		}
		width := mustInt(in[0])
		pad := max(width-runes(s), 0)
		left := int(float64(pad) * share)
		if share == 0.5 && pad%2 == 1 && width%2 == 1 {
			left++
		}
		return repeat(fill, int64(left)) + s + repeat(fill, int64(pad-left))
	}
}

func expandTabs(s string, a *args) Value {
	size := intOr(a.bind("expandtabs()", 0, "tabsize")[0], 8)
	var b strings.Builder
	column := 0
	for _, r := range s {
		switch {
		case r == '\t' && size > 0:
			n := size - column%size
			b.WriteString(repeat(" ", int64(n)))
			column += n
		case r != '\t':
			b.WriteRune(r)
			if column++; r == '\n' || r == '\r' {
				column = 0
			}
		}
		checkText(b.Len())
	}
	return b.String()
}

func encode(s string, a *args) Value {
	in := a.bind("encode()", 0, "encoding", "errors")
	if name := strings.ReplaceAll(strings.ToLower(textOr(in[0], "utf-8")), "_", "-"); name != "utf-8" && name != "utf8" {
		throw("the encoding %q is not supported", name)
	}
	return byteText(s)
}

// every makes a method that tells whether there is text and is holds for all of it.
func every(is func(rune) bool) textMethod {
	return func(s string, a *args) Value {
		return s != "" && strings.IndexFunc(s, func(r rune) bool { return !is(r) }) < 0
	}
}

// cased makes islower and isupper: some of the text is so and none is not.
func cased(not, is func(rune) bool) textMethod {
	return func(s string, a *args) Value {
		wrong := func(r rune) bool { return not(r) || unicode.IsTitle(r) }
		return strings.IndexFunc(s, is) >= 0 && strings.IndexFunc(s, wrong) < 0
	}
}

func isIdentifier(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && (r == '_' || unicode.IsLetter(r)) && strings.IndexFunc(s, func(r rune) bool { return !isWord(r) }) < 0
}
