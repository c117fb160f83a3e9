package tokenizer

import "unicode/utf8"

// A scanner is a split pattern written by hand: it returns the end of the match at i, or i if there is none. A
// regular expression engine needs ten times as long, and these few patterns are those of most models.
type scanner func(r reader, i int) int

func (s scanner) matches(dst []Span, b []byte) []Span {
	r := reader{b, classes()}
	for i := 0; i < len(b); {
		if end := s(r, i); end > i {
			dst = append(dst, Span{i, end})
			i = end
		} else {
			_, n := utf8.DecodeRune(b[i:])
			i += n
		}
	}
	return dst
}

// scanners maps the patterns, as tokenizer.json files spell them, to their scanners.
var scanners = map[string]scanner{
	gpt2Pattern: scanGPT2,
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:                                      wordScanner{digits: 3}.scan,
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:                                           wordScanner{digits: 1}.scan,
	`[^\r\n\p{L}\p{N}]?` + casedTail + `(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?` + casedHead + `(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}` + casedRest: casedScanner{digits: 3, contractions: true}.scan,
	`[^\r\n\p{L}\p{N}]?` + casedTail + `|[^\r\n\p{L}\p{N}]?` + casedHead + `|\p{N}` + casedRest:                                                                casedScanner{digits: 1}.scan,
	`\p{N}{1,3}`:        scanNumbers(3),
	`\p{N}`:             scanNumbers(1),
	"[一-龥\u3040-ゟ゠-ヿ]+": scanCJK,
	deepSeekPattern:     scanDeepSeek,
	`[0-9][0-9][0-9]`:   scanThreeDigits,
}

const (
	gpt2Pattern     = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	casedTail       = `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
	casedHead       = `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`
	casedRest       = `| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	deepSeekPattern = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
)

// spaces matches \s+(?!\S)|\s+ and, if lines is set, \s*[\r\n]+ before it: white space goes as far as its last line
// end, else all of it but the last character if something follows.
func (r reader) spaces(i int, lines bool) int {
	end, last, lineEnd := i, i, i
	for {
		c, n := r.at(end)
		if c&blank == 0 {
			break
		}
		last = end
		end += n
		if c&newline != 0 {
			lineEnd = end
		}
	}
	switch {
	case lines && lineEnd > i:
		return lineEnd
	case end < len(r.b) && last > i:
		return last
	}
	return end
}

// contraction matches 's|'t|'re|'ve|'m|'ll|'d, in any case if fold is set (ſ, U+017F, is a small s then).
func (r reader) contraction(i int, fold bool) int {
	if i+1 >= len(r.b) || r.b[i] != '\'' {
		return i
	}
	mask := byte(0)
	if fold {
		mask = 0x20
	}
	switch a := r.b[i+1] | mask; a {
	case 's', 't', 'm', 'd':
		return i + 2
	case 'r', 'v', 'l':
		if i+2 < len(r.b) {
			if b := r.b[i+2] | mask; b == 'e' && a != 'l' || b == 'l' && a == 'l' {
				return i + 3
			}
		}
	case 0xC5 | 0x20:
		if fold && i+2 < len(r.b) && r.b[i+1] == 0xC5 && r.b[i+2] == 0xBF {
			return i + 3
		}
	}
	return i
}

// digits matches \p{N}{1,most}.
func (r reader) digits(i, most int) int {
	for range most {
		c, n := r.at(i)
		if c&number == 0 {
			break
		}
		i += n
	}
	return i
}

// scanGPT2 matches GPT-2's pattern.
func scanGPT2(r reader, i int) int {
	if end := r.contraction(i, false); end > i {
		return end
	}
	start := i
	if r.b[i] == ' ' {
		start++
	}
	c, n := r.at(start)
	switch {
	case n == 0 || c&blank != 0:
		return r.spaces(i, false)
	case c&letter != 0:
		return r.run(start+n, letter, 0)
	case c&number != 0:
		return r.run(start+n, number, 0)
	}
	return r.runNot(start+n, blank|letter|number)
}

// A wordScanner matches the pattern of GPT-4, Llama 3 and Qwen 2, which differ in how many digits go together.
type wordScanner struct{ digits int }

func (s wordScanner) scan(r reader, i int) int {
	if end := r.contraction(i, true); end > i {
		return end
	}
	c, n := r.at(i)
	switch {
	case c&letter != 0:
		return r.run(i+n, letter, 0)
	case c&number != 0:
		return r.digits(i, s.digits)
	case c&newline == 0:
		if end := r.run(i+n, letter, 0); end > i+n {
			return end
		}
	}
	return r.symbolsOrSpaces(i, c, n, false)
}

// symbolsOrSpaces matches ` ?[^\s\p{L}\p{N}]+[\r\n]*`, with / among the line ends if slash is set, else white space.
func (r reader) symbolsOrSpaces(i int, c class, n int, slash bool) int {
	start := i
	if r.b[i] == ' ' {
		start++
		c, n = r.at(start)
	}
	if n == 0 || c&(blank|letter|number) != 0 {
		return r.spaces(i, true)
	}
	end := r.runNot(start, blank|letter|number)
	for end < len(r.b) && (r.b[end] == '\r' || r.b[end] == '\n' || slash && r.b[end] == '/') {
		end++
	}
	return end
}

// A casedScanner matches the pattern of o200k and of tekken, which cut words where a capital follows a small letter.
type casedScanner struct {
	digits       int
	contractions bool
}

func (s casedScanner) scan(r reader, i int) int {
	c, n := r.at(i)
	if c&(newline|letter|number) == 0 { // may stand before a word
		if end := r.casedTail(i + n); end > i+n {
			return s.tail(r, end)
		}
	}
	if end := r.casedTail(i); end > i {
		return s.tail(r, end)
	}
	if c&(newline|letter|number) == 0 {
		if end := r.run(i+n, letter|marking, small); end > i+n {
			return s.tail(r, end)
		}
	}
	if end := r.run(i, letter|marking, small); end > i {
		return s.tail(r, end)
	}
	if c&number != 0 {
		return r.digits(i, s.digits)
	}
	return r.symbolsOrSpaces(i, c, n, true)
}

func (s casedScanner) tail(r reader, end int) int {
	if s.contractions {
		return r.contraction(end, true)
	}
	return end
}

// casedTail matches [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+: the first run goes as far as it can; if
// no small letter follows, it gives back what it took from its last caseless character on.
func (r reader) casedTail(i int) int {
	end, caseless := i, i
	for {
		c, n := r.at(end)
		if c&(letter|marking) == 0 || c&small != 0 {
			break
		}
		end += n
		if c&upper == 0 {
			caseless = end
		}
	}
	if last := r.run(end, letter|marking, upper); last > end {
		return last
	}
	return caseless
}

// scanNumbers matches \p{N}{1,most}.
func scanNumbers(most int) scanner {
	return func(r reader, i int) int { return r.digits(i, most) }
}

// scanCJK matches DeepSeek's [一-龥぀-ゟ゠-ヿ]+.
func scanCJK(r reader, i int) int {
	for i < len(r.b) {
		c, n := utf8.DecodeRune(r.b[i:])
		if !(c >= '一' && c <= '龥' || c >= 0x3040 && c <= 0x30FF) {
			break
		}
		i += n
	}
	return i
}

// scanDeepSeek matches the last of DeepSeek-V3's three patterns.
func scanDeepSeek(r reader, i int) int {
	if b := r.b[i]; b > ' ' && b < 0x7F && classes()[b]&punct != 0 {
		end := i + 1
		for end < len(r.b) && r.b[end]|0x20 >= 'a' && r.b[end]|0x20 <= 'z' {
			end++
		}
		if end > i+1 {
			return end
		}
	}
	c, n := r.at(i)
	if c&(newline|letter|punct) == 0 {
		if end := r.run(i+n, letter|marking, 0); end > i+n {
			return end
		}
	}
	if end := r.run(i, letter|marking, 0); end > i {
		return end
	}
	start := i
	if r.b[i] == ' ' {
		start++
	}
	if end := r.run(start, punct, 0); end > start {
		for end < len(r.b) && (r.b[end] == '\r' || r.b[end] == '\n') {
			end++
		}
		return end
	}
	return r.spaces(i, true)
}

// scanThreeDigits matches [0-9][0-9][0-9].
func scanThreeDigits(r reader, i int) int {
	if i+3 > len(r.b) || r.b[i]-'0' > 9 || r.b[i+1]-'0' > 9 || r.b[i+2]-'0' > 9 {
		return i
	}
	return i + 3
}
