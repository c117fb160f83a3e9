package jinja

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	floatPattern   = regexp.MustCompile(`^(?i)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+\-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)`)
	integerPattern = regexp.MustCompile(`^(?i)(?:0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*)`)
	stringPattern  = regexp.MustCompile(`^(?s)(?:'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*")`)
	rawBegin       = regexp.MustCompile(`^\{%[-+]?[\s\v]*raw[\s\v]*(-?)%\}`)
	rawEnd         = regexp.MustCompile(`\{%([-+]?)[\s\v]*endraw[\s\v]*([-+]?)%\}`)
)

// operators holds the operators, longer ones before their beginnings.
var operators = []string{"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
	">", "<", "=", ".", ":", "|", ",", ";"}

// A lexer cuts a source into tokens. It removes the white space that the tags ask to be removed.
type lexer struct {
	src       string
	pos       int
	line      int
	lineStart bool // what was read last ended with a line feed, or nothing was
	tokens    []token
}

// tokenize returns the tokens of source, the last of which is endOfSource.
func tokenize(source string) []token {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	l := &lexer{src: strings.TrimSuffix(source, "\n"), line: 1, lineStart: true}
	for l.pos < len(l.src) {
		l.next()
	}
	l.emit(endOfSource, "")
	return l.tokens
}

func (l *lexer) emit(k kind, text string) {
	l.tokens = append(l.tokens, token{kind: k, text: text, line: l.line})
}

func (l *lexer) rest() string { return l.src[l.pos:] }

func (l *lexer) fail(format string, args ...any) {
	throwAt(l.line, format, args...)
}

// skip moves over n bytes.
func (l *lexer) skip(n int) {
	l.line += strings.Count(l.src[l.pos:l.pos+n], "\n")
	l.pos += n
}

// next reads text up to a tag and the tag.
func (l *lexer) next() {
	n := tagIndex(l.rest())
	if n < 0 {
		l.emit(data, l.rest())
		l.skip(len(l.rest()))
		return
	}
	text, tag := l.src[l.pos:l.pos+n], l.src[l.pos+n:]
	sign := signOf(tag[2:])
	l.text(stripBefore(text, sign, tag[1] == '{', l.lineStart))
	l.skip(n)
	if m := rawBegin.FindStringSubmatch(tag); m != nil {
		l.raw(m)
		return
	}
	l.skip(2 + len(sign))
	switch tag[1] {
	case '#':
		l.comment()
	case '{':
		l.emit(outputBegin, "")
		l.tag(outputEnd, "}}")
	default:
		l.emit(blockBegin, "")
		l.tag(blockEnd, "%}")
	}
}

// tagIndex returns where the first tag of s begins, or -1.
func tagIndex(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && (s[i+1] == '{' || s[i+1] == '%' || s[i+1] == '#') {
			return i
		}
	}
	return -1
}

// signOf returns the "-" or "+" at the beginning of s.
func signOf(s string) string {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return s[:1]
	}
	return ""
}

// stripBefore removes from text what a tag with a sign removes before it: all white space for "-", else, for a tag
// that is not an output, the white space between the beginning of the tag's line and the tag.
func stripBefore(text, sign string, output, lineStart bool) string {
	if sign == "-" {
		return strings.TrimRightFunc(text, IsSpace)
	}
	begin := strings.LastIndexByte(text, '\n') + 1
	if sign == "+" || output || begin == 0 && !lineStart || strings.TrimFunc(text[begin:], IsSpace) != "" {
		return text
	}
	return text[:begin]
}

func (l *lexer) text(s string) {
	if s != "" {
		l.emit(data, s)
	}
}

// after moves over the n bytes that close a tag and the white space that goes with them: all of it for "-", for a
// tag that trims one line feed.
func (l *lexer) after(n int, sign string, trims bool) {
	l.skip(n)
	if sign == "-" {
		l.skip(len(l.rest()) - len(strings.TrimLeftFunc(l.rest(), IsSpace)))
	} else if sign == "" && trims && strings.HasPrefix(l.rest(), "\n") {
		l.skip(1)
	}
	l.lineStart = l.src[l.pos-1] == '\n'
}

// raw reads a raw block, of which m is the tag that opens it.
func (l *lexer) raw(m []string) {
	l.after(len(m[0]), m[1], false)
	at := rawEnd.FindStringSubmatchIndex(l.rest())
	if at == nil {
		l.fail("missing end of raw block")
	}
	rest := l.rest()
	l.text(stripBefore(rest[:at[0]], rest[at[2]:at[3]], false, l.lineStart))
	l.after(at[1], rest[at[4]:at[5]], true)
}

func (l *lexer) comment() {
	n := strings.Index(l.rest(), "#}")
	if n < 0 {
		l.fail("missing end of comment")
	}
	sign := ""
	if n > 0 {
		sign = signOf(l.rest()[n-1:])
	}
	l.after(n+2, sign, true)
}

// tag reads the tokens of a tag up to its end.
func (l *lexer) tag(end kind, closing string) {
	var open []byte // the closing brackets still to come
	for {
		if len(open) == 0 && l.endTag(end, closing) {
			return
		}
		rest := l.rest()
		if rest == "" {
			return // the parser misses the end
		}
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case IsSpace(r):
			l.skip(size)
		case l.number() || l.name() || l.quoted():
		default:
			open = l.operator(open)
		}
	}
}

// endTag reads the end of a tag if it is there.
func (l *lexer) endTag(end kind, closing string) bool {
	sign := signOf(l.rest())
	if end == outputEnd && sign == "+" || !strings.HasPrefix(l.rest()[len(sign):], closing) {
		return false
	}
	l.emit(end, "")
	l.after(len(sign)+len(closing), sign, end == blockEnd)
	return true
}

// number reads a number. A float cannot begin behind a point, so that x.0.1 is two subscripts.
func (l *lexer) number() bool {
	m := ""
	if l.pos == 0 || l.src[l.pos-1] != '.' {
		m = floatPattern.FindString(l.rest())
	}
	var v Value
	if m != "" {
		f, _ := strconv.ParseFloat(strings.ReplaceAll(m, "_", ""), 64) // too large is infinite, as in Python
		v = f
	} else if m = integerPattern.FindString(l.rest()); m != "" {
		n, _ := new(big.Int).SetString(strings.ReplaceAll(m, "_", ""), 0)
		if m[0] == '0' && strings.Trim(m, "0_") == "" {
			n = new(big.Int)
		}
		v = integer(n)
	} else {
		return false
	}
	l.tokens = append(l.tokens, token{kind: numberToken, value: v, line: l.line})
	l.skip(len(m))
	return true
}

func (l *lexer) name() bool {
	rest := l.rest()
	n := strings.IndexFunc(rest, func(r rune) bool { return !isWord(r) })
	if n < 0 {
		n = len(rest)
	}
	if n == 0 {
		return false
	}
	if r, _ := utf8.DecodeRuneInString(rest); !unicode.IsLetter(r) && r != '_' {
		l.fail("invalid character in identifier %q", rest[:n])
	}
	l.emit(nameToken, rest[:n])
	l.skip(n)
	return true
}

// isWord tells whether r may stand in a name.
func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.In(r, unicode.Mn, unicode.Mc)
}

func (l *lexer) quoted() bool {
	m := stringPattern.FindString(l.rest())
	if m == "" {
		return false
	}
	s, problem := unescape(m[1 : len(m)-1])
	if problem != "" {
		l.fail("string %s: %s", m, problem)
	}
	l.emit(stringToken, s)
	l.skip(len(m))
	return true
}

// operator reads an operator and keeps track of brackets.
func (l *lexer) operator(open []byte) []byte {
	for _, op := range operators {
		if !strings.HasPrefix(l.rest(), op) {
			continue
		}
		switch op {
		case "(":
			open = append(open, ')')
		case "[", "{":
			open = append(open, op[0]+2)
		case ")", "]", "}":
			if len(open) == 0 || open[len(open)-1] != op[0] {
				l.fail("unexpected %q", op)
			}
			open = open[:len(open)-1]
		}
		l.emit(operator, op)
		l.skip(len(op))
		return open
	}
	r, _ := utf8.DecodeRuneInString(l.rest())
	l.fail("unexpected character %q", r)
	return nil
}

// simpleEscapes holds the escapes of one letter.
var simpleEscapes = map[byte]byte{'\\': '\\', '\'': '\'', '"': '"', 'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r',
	't': '\t', 'v': '\v'}

// unescape replaces the escapes of a Python string literal. problem is "" or tells what is wrong.
func unescape(s string) (text, problem string) {
	if !strings.Contains(s, `\`) {
		return s, ""
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		c := s[i] // the pattern lets no backslash stand last
		if e, ok := simpleEscapes[c]; ok {
			b.WriteByte(e)
		} else if digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]; digits > 0 {
			r, ok := codePoint(s[i+1:], digits, 16)
			if !ok {
				return "", "bad escape \\" + string(c)
			}
			b.WriteRune(r)
			i += digits
		} else if c >= '0' && c <= '7' {
			n := octalDigits(s[i:])
			r, _ := codePoint(s[i:], n, 8)
			b.WriteRune(r)
			i += n - 1
		} else if c == 'N' {
			return "", `the escape \N is not supported`
		} else if c != '\n' {
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// octalDigits returns how many of the first three bytes of s are octal digits.
func octalDigits(s string) int {
	n := 0
	for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
		n++
	}
	return n
}

// codePoint reads a code point written with the first digits bytes of s.
func codePoint(s string, digits, base int) (rune, bool) {
	if len(s) < digits {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:digits], base, 32)
	if err != nil || n > unicode.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, false
	}
	return rune(n), true
}
