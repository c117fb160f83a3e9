package tokenizer

import "strings"

// wordClass is what \w means in Oniguruma, the official library's regular expressions, as the inside of a class:
// alphabetic characters, marks, digits, connectors, and six numbers of Latin-1.
const wordClass = `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}Ⓐ-ⓩ🄰-🅉🅐-🅩🅰-🆉²³¹¼-¾`

// fromOniguruma rewrites a pattern for regexp2 where the two differ: \w and \W, and s and k without regard to case,
// which match ſ and the Kelvin sign too.
func fromOniguruma(pattern string) string {
	var out strings.Builder
	t := translator{out: &out}
	for i := 0; i < len(pattern); {
		i += t.step(pattern[i:])
	}
	return out.String()
}

type translator struct {
	out   *strings.Builder
	class bool // between [ and ]
	depth int  // of groups
	fold  int  // depth of the group (?i: that is open, or 0
}

// step translates what p begins with and returns its length.
func (t *translator) step(p string) int {
	n, repl := 1, p[:1]
	switch c := p[0]; {
	case c == '\\' && len(p) > 1:
		n, repl = 2, t.escape(p[:2])
	case t.class:
		t.class = c != ']'
		repl = t.letter(c, "")
	case c == '[':
		t.class = true
		if strings.HasPrefix(p, "[^]") || strings.HasPrefix(p, "[]") {
			n = strings.IndexByte(p, ']') + 1 // a ] that comes first is itself
			repl = p[:n]
		}
	case c == '(':
		t.depth++
		if strings.HasPrefix(p, "(?i:") && t.fold == 0 {
			t.fold = t.depth
		}
	case c == ')':
		if t.depth == t.fold {
			t.fold = 0
		}
		t.depth--
	default:
		repl = t.letter(c, "[")
	}
	t.out.WriteString(repl)
	return n
}

// letter returns c, with what else it matches if case does not count; open is "[" outside a class.
func (t *translator) letter(c byte, open string) string {
	also := map[byte]string{'s': "ſ", 'S': "ſ", 'k': "\u212A", 'K': "\u212A"}[c]
	if t.fold == 0 || also == "" {
		return string([]byte{c})
	}
	if open == "" {
		return string(rune(c)) + also
	}
	return "[" + string(rune(c)) + also + "]"
}

func (t *translator) escape(e string) string {
	switch {
	case e == `\w` && t.class:
		return wordClass
	case e == `\w`:
		return "[" + wordClass + "]"
	case e == `\W` && !t.class:
		return "[^" + wordClass + "]"
	}
	return e
}
