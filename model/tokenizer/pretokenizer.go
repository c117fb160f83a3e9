package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// A stage is one step of pre-tokenization: it either rewrites every piece of the text or cuts it into smaller ones.
type stage struct {
	rewriter
	cutter
}

// A rewriter appends a piece, changed, to dst. first: the piece begins where the input does.
type rewriter interface {
	rewrite(dst, src *text, first bool)
}

// A cutter appends the parts of b to dst, as ranges of it, in order; what no range covers is dropped.
type cutter interface {
	cut(dst []Span, b []byte, w *work) []Span
}

// readStages reads the value of "pre_tokenizer".
func readStages(raw json.RawMessage) ([]stage, error) {
	kind, err := kindOf(raw)
	if err != nil || kind == "" {
		return nil, err
	}
	var stages []stage
	switch kind {
	case "Sequence":
		return readList(raw, "pretokenizers", readStages)
	case "ByteLevel":
		stages, err = readByteLevel(raw)
	case "Metaspace":
		stages, err = readMetaspace(raw)
	case "Split":
		stages, err = readSplit(raw)
	case "Digits":
		stages, err = readDigits(raw)
	case "Punctuation":
		stages, err = readPunctuation(raw)
	case "Whitespace":
		stages = []stage{{cutter: split{words, removed, true}}}
	case "WhitespaceSplit":
		stages = []stage{{cutter: split{runePattern(unicode.IsSpace), removed, false}}}
	case "BertPreTokenizer":
		stages = []stage{{cutter: split{runePattern(unicode.IsSpace), removed, false}}, {cutter: split{runePattern(isPunctuation), isolated, false}}}
	default:
		return nil, fmt.Errorf("unknown type %q", kind)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return stages, nil
}

func readByteLevel(raw json.RawMessage) (stages []stage, err error) {
	f := struct {
		AddPrefixSpace bool  `json:"add_prefix_space"`
		UseRegex       *bool `json:"use_regex"`
	}{}
	if err = decode(raw, &f); err != nil {
		return nil, err
	}
	if f.AddPrefixSpace {
		stages = append(stages, stage{rewriter: spacePrefix{}})
	}
	if f.UseRegex == nil || *f.UseRegex {
		stages = append(stages, stage{cutter: split{scanner(scanGPT2), isolated, false}})
	}
	return append(stages, stage{rewriter: byteMapper{}}), nil
}

// spacePrefix puts a space before a piece that does not begin with one.
type spacePrefix struct{}

func (spacePrefix) rewrite(dst, src *text, _ bool) {
	if src.b[0] != ' ' {
		dst.putString(src, 0, 0, " ")
	}
	dst.keep(src, 0, len(src.b))
}

// metaspace replaces spaces by a visible character, ▁ in most models, and may put one before the text.
type metaspace struct {
	mark   string
	prefix string // "first", "always" or "never"
}

// metaspaceFile is the component in tokenizer.json, as a pre-tokenizer and as a decoder.
type metaspaceFile struct {
	Replacement    string
	PrependScheme  string `json:"prepend_scheme"`
	AddPrefixSpace *bool  `json:"add_prefix_space"` // in older files
	Split          *bool
}

func (f metaspaceFile) build() (m metaspace, err error) {
	m = metaspace{f.Replacement, f.PrependScheme}
	if utf8.RuneCountInString(m.mark) != 1 {
		return m, fmt.Errorf("replacement %q is not one character", m.mark)
	}
	switch m.prefix {
	case "first", "always", "never":
	case "":
		m.prefix = "always"
		if f.AddPrefixSpace != nil && !*f.AddPrefixSpace {
			m.prefix = "never"
		}
	default:
		return m, fmt.Errorf("unknown prepend_scheme %q", m.prefix)
	}
	return m, nil
}

func readMetaspace(raw json.RawMessage) ([]stage, error) {
	f, err := decodeAs[metaspaceFile](raw)
	if err != nil {
		return nil, err
	}
	m, err := f.build()
	if err != nil {
		return nil, err
	}
	stages := []stage{{rewriter: m}}
	if f.Split == nil || *f.Split {
		stages = append(stages, stage{cutter: split{literal(m.mark), mergedWithNext, false}})
	}
	return stages, nil
}

func (m metaspace) rewrite(dst, src *text, first bool) {
	if m.prefix == "always" || m.prefix == "first" && first {
		r, n := utf8.DecodeRune(src.b)
		if r != ' ' && string(src.b[:n]) != m.mark {
			dst.putString(src, 0, 0, m.mark)
		}
	}
	done := 0
	for i, c := range src.b {
		if c == ' ' {
			dst.keep(src, done, i)
			dst.putString(src, i, i+1, m.mark)
			done = i + 1
		}
	}
	dst.keep(src, done, len(src.b))
}

func readDigits(raw json.RawMessage) ([]stage, error) {
	f, err := decodeAs[struct {
		Individual bool `json:"individual_digits"`
	}](raw)
	how := contiguous
	if f.Individual {
		how = isolated
	}
	return []stage{{cutter: split{runePattern(isNumber), how, false}}}, err
}

func readPunctuation(raw json.RawMessage) ([]stage, error) {
	f := struct{ Behavior behavior }{isolated}
	err := decode(raw, &f)
	return []stage{{cutter: split{runePattern(isPunctuation), f.Behavior, false}}}, err
}

func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return unicode.IsPunct(r) || unicode.IsSymbol(r)
	}
	return unicode.IsPunct(r) && !unicode.Is(newerPunctuation, r) || r == 0x166D || r == 0x111C9
}

func readSplit(raw json.RawMessage) ([]stage, error) {
	f, err := decodeAs[struct {
		Pattern  patternFile
		Behavior *behavior
		Invert   bool
	}](raw)
	if err != nil {
		return nil, err
	}
	if f.Behavior == nil {
		return nil, errors.New("no behavior")
	}
	p, err := f.Pattern.build()
	return []stage{{cutter: split{p, *f.Behavior, f.Invert}}}, err
}
