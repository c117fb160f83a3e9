package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// A normalizer rewrites a text before it is cut. It appends the result to dst; if there is nothing to change it
// may return false instead, and dst is not looked at.
type normalizer interface {
	normalize(dst, src *text, w *workspace) bool
}

// readNormalizers reads the value of "normalizer"; sequences are flattened.
func readNormalizers(raw json.RawMessage) ([]normalizer, error) {
	kind, err := kindOf(raw)
	if err != nil || kind == "" {
		return nil, err
	}
	var n normalizer
	switch kind {
	case "Sequence":
		return readList(raw, "normalizers", readNormalizers)
	case "NFC", "NFD", "NFKC", "NFKD":
		n = newForm(kind)
	case "Prepend":
		n, err = decodeAs[prepend](raw)
	case "Replace":
		n, err = readReplace(raw)
	case "Lowercase":
		n = runeMap(lower)
	case "Strip":
		n, err = decodeAs[strip](raw)
	case "StripAccents":
		n = runeMap(dropMark)
	case "Nmt":
		n = runeMap(nmt)
	case "Precompiled":
		n, err = readPrecompiled(raw)
	case "ByteLevel":
		n = byteMapper{}
	case "BertNormalizer":
		return readBertNormalizer(raw)
	default:
		return nil, fmt.Errorf("unknown type %q", kind)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return []normalizer{n}, nil
}

// kindOf returns the "type" of a component, or "" for null.
func kindOf(raw json.RawMessage) (string, error) {
	var c *struct{ Type string }
	if err := decode(raw, &c); err != nil || c == nil {
		return "", err
	}
	if c.Type == "" {
		return "", fmt.Errorf("a component has no type")
	}
	return c.Type, nil
}

// readList reads the components in the field of a Sequence, one after another, into one list.
func readList[T any](raw json.RawMessage, field string, read func(json.RawMessage) ([]T, error)) (all []T, err error) {
	var fields map[string]json.RawMessage
	if err = decode(raw, &fields); err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if err = decode(fields[field], &list); err != nil || list == nil {
		return nil, fmt.Errorf("Sequence: %s is not a list", field)
	}
	for _, item := range list {
		some, err := read(item)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// decodeAs reads a component whose fields are those of T.
func decodeAs[T any](raw json.RawMessage) (v T, err error) {
	err = decode(raw, &v)
	return v, err
}

// prepend puts a string before every text that is not empty.
type prepend struct{ Prepend string }

func (p prepend) normalize(dst, src *text, _ *workspace) bool {
	if len(src.b) == 0 {
		return false
	}
	dst.putString(src, 0, 0, p.Prepend)
	dst.keep(src, 0, len(src.b))
	return true
}

// replace puts content in place of every match.
type replace struct {
	pattern pattern
	content string
}

func readReplace(raw json.RawMessage) (normalizer, error) {
	f, err := decodeAs[struct {
		Pattern patternFile
		Content *string
	}](raw)
	if err != nil {
		return nil, err
	}
	if f.Content == nil {
		return nil, fmt.Errorf("no content")
	}
	p, err := f.Pattern.build()
	return replace{p, *f.Content}, err
}

func (r replace) normalize(dst, src *text, w *workspace) bool {
	w.matches = r.pattern.matches(w.matches[:0], src.b)
	done := 0
	for _, m := range w.matches {
		dst.keep(src, done, m.Start)
		dst.putString(src, m.Start, m.End, r.content)
		done = m.End
	}
	dst.keep(src, done, len(src.b))
	return true
}

// strip removes white space at the ends.
type strip struct {
	Left  bool `json:"strip_left"`
	Right bool `json:"strip_right"`
}

func (s strip) normalize(dst, src *text, _ *workspace) bool {
	i, j := 0, len(src.b)
	if s.Left {
		i = spaceAfter(src.b)
	}
	if s.Right {
		j = max(i, j-spaceBefore(src.b))
	}
	dst.keep(src, i, j)
	return true
}

// A runeMap returns what a character becomes: itself with same true, or a string, which may be empty.
type runeMap func(r rune) (s string, same bool)

func (f runeMap) normalize(dst, src *text, _ *workspace) bool {
	for i := 0; i < len(src.b); {
		r, n := utf8.DecodeRune(src.b[i:])
		if s, same := f(r); same {
			dst.keep(src, i, i+n)
		} else {
			dst.putString(src, i, i+n, s)
		}
		i += n
	}
	return true
}

// lower is full case mapping without context.
func lower(r rune) (string, bool) {
	if r == 'İ' {
		return "i\u0307", false
	}
	l := moreCase.ToLower(r)
	if l == r {
		return "", true
	}
	return string(l), false
}

// dropMark drops what is a combining mark in Unicode 10, whose tables the official library has; U+1CF2 and U+1CF3 have
// become letters since.
func dropMark(r rune) (string, bool) {
	mark := unicode.Is(unicode.M, r) && !isNewer(r) || r == 0x1CF2 || r == 0x1CF3
	return "", !mark
}

// nmt drops control characters and makes spaces of what Google's NMT takes for white space.
func nmt(r rune) (string, bool) {
	switch {
	case 1 <= r && r <= 8, r == 0xB, 0xE <= r && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
		return "", false
	case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, 0x200B <= r && r <= 0x200F, r == 0x2028, r == 0x2029,
		r == 0x2581, r == 0xFEFF, r == 0xFFFD:
		return " ", false
	}
	return "", true
}

// byteMapper writes the text in the byte alphabet.
type byteMapper struct{}

func (byteMapper) normalize(dst, src *text, _ *workspace) bool {
	var buf [utf8.UTFMax]byte
	for i := 0; i < len(src.b); i++ {
		dst.put(src, i, i+1, utf8.AppendRune(buf[:0], byteRune[src.b[i]]))
	}
	return true
}

// rewrite makes a byteMapper a stage of cutting too.
func (m byteMapper) rewrite(dst, src *text, _ bool) { m.normalize(dst, src, nil) }

// readBertNormalizer reads BERT's normalizer, which is four others in a row.
func readBertNormalizer(raw json.RawMessage) (all []normalizer, err error) {
	f, err := decodeAs[struct {
		CleanText    bool  `json:"clean_text"`
		Chinese      bool  `json:"handle_chinese_chars"`
		StripAccents *bool `json:"strip_accents"`
		Lowercase    bool
	}](raw)
	if err != nil {
		return nil, fmt.Errorf("BertNormalizer: %w", err)
	}
	if f.CleanText {
		all = append(all, runeMap(cleanText))
	}
	if f.Chinese {
		all = append(all, runeMap(spaceChinese))
	}
	if f.StripAccents == nil && f.Lowercase || f.StripAccents != nil && *f.StripAccents {
		all = append(all, newForm("NFD"), runeMap(dropNonspacing))
	}
	if f.Lowercase {
		all = append(all, runeMap(lower))
	}
	return all, nil
}

// cleanText drops NUL, U+FFFD, control and private characters, and makes all white space spaces.
func cleanText(r rune) (string, bool) {
	switch {
	case r == '\t', r == '\n', r == '\r':
		return " ", false
	case r == utf8.RuneError, unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) && !unicode.Is(newerIgnored, r):
		return "", false
	case r != ' ' && unicode.IsSpace(r):
		return " ", false
	}
	return "", true
}

// spaceChinese puts spaces around ideographs of the CJK blocks.
func spaceChinese(r rune) (string, bool) {
	switch {
	case 0x4E00 <= r && r <= 0x9FFF, 0x3400 <= r && r <= 0x4DBF, 0x20000 <= r && r <= 0x2A6DF, 0x2A700 <= r && r <= 0x2B81F,
		0x2B920 <= r && r <= 0x2CEAF, 0xF900 <= r && r <= 0xFAFF, 0x2F800 <= r && r <= 0x2FA1F:
		return " " + string(r) + " ", false
	}
	return "", true
}

// dropNonspacing drops marks that take no room, as of Unicode 8, in which U+1734 was one.
func dropNonspacing(r rune) (string, bool) {
	mark := unicode.Is(unicode.Mn, r) && !isNewer(r) && !unicode.Is(newerIgnored, r)
	return "", !mark && r != 0x1734
}
