package tokenizer

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestStream compares what streams give with the official library's decoded texts. Where byte tokens form broken
// characters the two may differ: see Stream.
func TestStream(t *testing.T) {
	equal, broken := 0, 0
	for _, name := range sampleNames(t) {
		tok := loadSample(t, name)
		records := append(readGoldens(t, samples, name+".jsonl.gz"), readGoldens(t, samples, name+".decode.jsonl.gz")...)
		for _, g := range records {
			for _, c := range []struct {
				stream *Stream
				want   string
			}{{tok.Stream(), g.Decoded}, {tok.StreamSkip(), g.DecodedSkip}} {
				switch got := streamed(t, c.stream, g.IDs); {
				case got == c.want:
					equal++
				case strings.Contains(c.want, "\uFFFD") && !tok.byteLevel:
					broken++
				default:
					t.Errorf("%s: %v streams as %q, want %q", name, g.IDs, got, c.want)
				}
			}
		}
	}
	if equal < 5000 || broken > equal/40 {
		t.Errorf("%d streams are equal, %d broken", equal, broken)
	}
}

// streamed joins what a stream gives for ids, and checks that it gives whole characters.
func streamed(t *testing.T, s *Stream, ids []int32) string {
	t.Helper()
	var b strings.Builder
	give := func(part string) {
		if !utf8.ValidString(part) {
			t.Errorf("a stream gives %q", part)
		}
		b.WriteString(part)
	}
	for _, id := range ids {
		give(s.Next(id))
	}
	give(s.Flush())
	return b.String()
}

// A token that ends inside a character gives nothing until the character is whole, or the text ends.
func TestStreamHoldsBack(t *testing.T) {
	for _, c := range []struct{ name, tokens, want string }{
		{"smollm2", "a æ ¼ ¢ b", `["a" "" "" "漢" "b" | ""]`},
		{"smollm2", "a æ ¼", `["a" "" "" | "\ufffd"]`},
		{"smollm2", "æ ¼ b", `["" "" "\ufffdb" | ""]`},
		{"smollm2", "<|im_start|> a no-such-token", `["<|im_start|>" "a" "" | ""]`},
		{"stories260K", "▁a <0xE6> <0xBC> <0xA2> b", `["a" "" "" "漢" "b" | ""]`},
		{"stories260K", "<0xE6> <0xBC>", `["" "" | "\ufffd\ufffd"]`},
		{"stories260K", "▁a ▁a", `["a" " a" | ""]`},
	} {
		tok := loadSample(t, c.name)
		s := tok.Stream()
		for range 2 { // a stream can be used again after Flush
			var parts []string
			for _, token := range strings.Fields(c.tokens) {
				id, ok := tok.ID(token)
				if !ok {
					id = -1
				}
				parts = append(parts, fmt.Sprintf("%q", s.Next(id)))
			}
			if got := fmt.Sprintf("[%s | %q]", strings.Join(parts, " "), s.Flush()); got != strings.ReplaceAll(c.want, `\ufffd`, "\ufffd") {
				t.Errorf("%s: %s gives %s, want %s", c.name, c.tokens, got, c.want)
			}
		}
	}
}
