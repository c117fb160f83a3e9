package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A decoder is one step of turning tokens into text: it returns the list changed, in place or not. The text is what
// remains, joined.
type decoder interface {
	decode(tokens []string) []string
}

// readDecoders reads the value of "decoder".
func readDecoders(raw json.RawMessage) ([]decoder, error) {
	kind, err := kindOf(raw)
	if err != nil || kind == "" {
		return nil, err
	}
	var d decoder
	switch kind {
	case "Sequence":
		return readList(raw, "decoders", readDecoders)
	case "ByteLevel":
		d = byteDecoder{}
	case "ByteFallback":
		d = fallbackDecoder{}
	case "Fuse":
		d = fuse{}
	case "Replace":
		var n normalizer
		if n, err = readReplace(raw); err == nil {
			d = eachToken(replacer(n.(replace)))
		}
	case "Strip":
		d, err = readStripper(raw)
	case "Metaspace":
		d, err = readMetaspaceDecoder(raw)
	case "WordPiece":
		d, err = decodeAs[wordPieceDecoder](raw)
	default:
		return nil, fmt.Errorf("unknown type %q", kind)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return []decoder{d}, nil
}

// byteDecoder joins the tokens and reads them in the byte alphabet; a token that is not of it stands for itself.
type byteDecoder struct{}

func (byteDecoder) decode(tokens []string) []string {
	var b []byte
	for _, t := range tokens {
		n := len(b)
		var ok bool
		if b, ok = appendFolded(b, []byte(t)); !ok {
			b = append(b[:n], t...)
		}
	}
	return []string{string(appendLossy(nil, b))}
}

// fallbackDecoder makes characters of runs of <0xNN> tokens; a run that is not UTF-8 gives one U+FFFD a token.
type fallbackDecoder struct{}

func (fallbackDecoder) decode(tokens []string) []string {
	out, run := tokens[:0], []byte(nil)
	flush := func() {
		switch {
		case len(run) == 0:
		case utf8.Valid(run):
			out = append(out, string(run))
		default:
			for range run {
				out = append(out, "\uFFFD")
			}
		}
		run = run[:0]
	}
	for _, t := range tokens {
		if b, ok := parseByteToken(t); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, t)
	}
	flush()
	return out
}

// parseByteToken reads <0xNN>.
func parseByteToken(t string) (byte, bool) {
	if len(t) != 6 || t[:3] != "<0x" || t[5] != '>' {
		return 0, false
	}
	v, err := strconv.ParseUint(t[3:5], 16, 8)
	return byte(v), err == nil
}

// fuse joins all tokens into one.
type fuse struct{}

func (fuse) decode(tokens []string) []string { return []string{strings.Join(tokens, "")} }

// eachToken decodes token by token.
type eachToken func(i int, t string) string

func (f eachToken) decode(tokens []string) []string {
	for i, t := range tokens {
		tokens[i] = f(i, t)
	}
	return tokens
}

func replacer(r replace) eachToken {
	if from, ok := r.pattern.(literal); ok {
		return func(_ int, t string) string { return strings.ReplaceAll(t, string(from), r.content) }
	}
	return func(_ int, t string) string {
		src, dst := text{b: []byte(t)}, text{}
		r.normalize(&dst, &src, &workspace{})
		return string(dst.b)
	}
}

// stripper takes up to start characters off the beginning and stop off the end of every token, if they are content.
type stripper struct {
	Content     string
	Start, Stop int
}

func (s stripper) decode(tokens []string) []string {
	for k, t := range tokens {
		for i := 0; i < s.Start && strings.HasPrefix(t, s.Content); i++ {
			t = t[len(s.Content):]
		}
		for i := 0; i < s.Stop && strings.HasSuffix(t, s.Content); i++ {
			t = t[:len(t)-len(s.Content)]
		}
		tokens[k] = t
	}
	return tokens
}

func readStripper(raw json.RawMessage) (decoder, error) {
	s, err := decodeAs[stripper](raw)
	if err == nil && (utf8.RuneCountInString(s.Content) != 1 || s.Start < 0 || s.Stop < 0) {
		err = errors.New("want content of one character, and start and stop not negative")
	}
	return s, err
}

func readMetaspaceDecoder(raw json.RawMessage) (decoder, error) {
	f, err := decodeAs[metaspaceFile](raw)
	if err != nil {
		return nil, err
	}
	m, err := f.build()
	return eachToken(func(i int, t string) string {
		if i == 0 && m.prefix != "never" {
			return strings.ReplaceAll(t, m.mark, "")
		}
		return strings.ReplaceAll(t, m.mark, " ")
	}), err
}

// wordPieceDecoder puts spaces between words and, with cleanup, takes them away before English punctuation.
type wordPieceDecoder struct {
	Prefix  string
	Cleanup bool
}

var cleaner = [][2]string{
	{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
}

func (d wordPieceDecoder) decode(tokens []string) []string {
	for i, t := range tokens {
		if i > 0 {
			if rest, ok := strings.CutPrefix(t, d.Prefix); ok {
				t = rest
			} else {
				t = " " + t
			}
		}
		if d.Cleanup {
			for _, c := range cleaner {
				t = strings.ReplaceAll(t, c[0], c[1])
			}
		}
		tokens[i] = t
	}
	return tokens
}
