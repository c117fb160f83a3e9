package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// upper is Python's str.upper, by the full mappings of Unicode: "ß" becomes "SS".
func upper(s string) string { return cases.Upper(language.Und).String(s) }

// lower is Python's str.lower, which knows the final sigma.
func lower(s string) string { return cases.Lower(language.Und, cases.HandleFinalSigma(true)).String(s) }

func foldCase(s string) string { return cases.Fold().String(s) }

// titleRune is the title case of one code point.
func titleRune(r rune) string {
	if t := unicode.ToTitle(r); t != r {
		return string(t)
	}
	return cases.Title(language.Und).String(string(r))
}

// capitalize is Python's str.capitalize: the first character in title case, the others in lower case.
func capitalize(s string) string {
	if s == "" {
		return ""
	}
	r, _ := utf8.DecodeRuneInString(s)
	return titleRune(r) + strings.TrimPrefix(lower(s), lower(string(r))) // lowered as a whole for the final sigma
}

// title is Python's str.title: words begin behind characters that have no case.
func title(s string) string {
	var b strings.Builder
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return !isCased(r) })
		if n < 0 {
			n = len(s)
		}
		b.WriteString(capitalize(s[:n]))
		s = s[n:]
		rest := strings.TrimLeftFunc(s, func(r rune) bool { return !isCased(r) })
		b.WriteString(s[:len(s)-len(rest)])
		s = rest
	}
	return b.String()
}

// isCased is Unicode's property Cased.
func isCased(r rune) bool {
	return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) ||
		unicode.Is(unicode.Other_Lowercase, r) || unicode.Is(unicode.Other_Uppercase, r)
}

func isTitle(s string) bool {
	any, inWord := false, false
	for _, r := range s {
		up := unicode.IsUpper(r) || unicode.IsTitle(r)
		if up && inWord || !up && isCased(r) && !inWord {
			return false
		}
		inWord = isCased(r)
		any = any || inWord
	}
	return any
}

// swapCase is Python's str.swapcase. Which small sigma a large one becomes is seen in its place.
func swapCase(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == 'Σ':
			b.WriteRune([]rune(lower(s))[utf8.RuneCountInString(lower(s[:i]))])
		case unicode.IsUpper(r):
			b.WriteString(lower(string(r)))
		case unicode.IsLower(r):
			b.WriteString(upper(string(r)))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// digitForms are the code points that are digits but not of a decimal system, such as superscripts.
var digitForms = &unicode.RangeTable{
	R16: []unicode.Range16{{0xb2, 0xb3, 1}, {0xb9, 0xb9, 1}, {0x1369, 0x1371, 1}, {0x19da, 0x19da, 1}, {0x2070, 0x2070, 1},
		{0x2074, 0x2079, 1}, {0x2080, 0x2089, 1}, {0x2460, 0x2468, 1}, {0x2474, 0x247c, 1}, {0x2488, 0x2490, 1},
		{0x24ea, 0x24ea, 1}, {0x24f5, 0x24fd, 1}, {0x24ff, 0x24ff, 1}, {0x2776, 0x277e, 1}, {0x2780, 0x2788, 1},
		{0x278a, 0x2792, 1}},
	R32: []unicode.Range32{{0x10a40, 0x10a43, 1}, {0x10e60, 0x10e68, 1}, {0x11052, 0x1105a, 1}, {0x1f100, 0x1f10a, 1}},
}

func isDecimal(r rune) bool { return unicode.Is(unicode.Nd, r) }

func isDigit(r rune) bool { return isDecimal(r) || unicode.Is(digitForms, r) }

// asciiDigits replaces the digits of other scripts.
func asciiDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 || !isDecimal(r) {
			return r
		}
		zero := r // digits of a script follow each other, and Unicode's ranges begin with a zero
		for isDecimal(zero-1) && r-zero < 100 {
			zero--
		}
		return '0' + (r-zero)%10
	}, s)
}
