package data

import (
	"slices"
	"strings"
	"testing"
)

// A text cut into pieces predicts every token once.
func TestPieces(t *testing.T) {
	k := stories(t)
	text := strings.Repeat("Once upon a time there was a dog. ", 9)
	whole := Text(k, text)
	for _, limit := range []int{2, 3, 10, 50, len(whole.Tokens) - 1, len(whole.Tokens)} {
		out := mustRender(t, k, Config{MaxLen: limit, Overflow: Refuse}, `{"text":`+quote(text)+`}`)
		var joined []int32
		learned := 0
		for i, s := range out.Samples {
			if len(s.Tokens) > limit || s.Source != "f.jsonl:1" {
				t.Errorf("limit %d: a piece of %d tokens from %s", limit, len(s.Tokens), s.Source)
			}
			learned += s.Learned()
			if i > 0 {
				s.Tokens = s.Tokens[1:]
			}
			joined = append(joined, s.Tokens...)
		}
		if !slices.Equal(joined, whole.Tokens) || learned != whole.Learned() || out.Tokens != len(whole.Tokens) {
			t.Errorf("limit %d: %d of %d tokens, %d of %d learned", limit, len(joined), len(whole.Tokens), learned, whole.Learned())
		}
	}
}

func TestOverflow(t *testing.T) {
	k := letters(t, "")
	long := chatRow("first "+strings.Repeat("é", 40)+" last", "ANSWER")
	answer := chatRow("q", strings.Repeat("b", 200))
	for name, c := range map[string]struct {
		overflow        Overflow
		limit           int
		row             string
		want, left, cut string
	}{
		"drop":                         {Drop, 60, long, "", "longer than 60 tokens", ""},
		"fits":                         {Drop, 200, long, "", "", ""},
		"cut the prompt":               {CutPrompt, 60, long, "<|im_start|>user\n" + strings.Repeat("é", 14) + " last<|im_end|>\n<|im_start|>assistant\n[ANSWER<|im_end|>]\n", "", "prompt"},
		"cut the prompt, in vain":      {CutPrompt, 60, answer, "", "longer than 60 tokens", ""},
		"cut the answer":               {CutAnswer, 30, answer, "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n[" + strings.Repeat("b", 11) + "]", "", "answer"},
		"cut the answer, none is left": {CutAnswer, 30, long, "", "longer than 30 tokens", ""},
	} {
		out := mustRender(t, k, Config{Template: "chatml", MaxLen: c.limit, Overflow: c.overflow}, c.row)
		if out.Left != c.left || out.Cut != c.cut || (len(out.Samples) == 0) != (c.left != "") {
			t.Errorf("%s: %d samples, left %q, cut %q", name, len(out.Samples), out.Left, out.Cut)
			continue
		}
		for _, s := range out.Samples {
			got := marked(k, s)
			if len(s.Tokens) > c.limit || c.want != "" && !strings.HasPrefix(got, c.want[:20]) {
				t.Errorf("%s: %d tokens: %q", name, len(s.Tokens), got)
			}
			if c.want != "" && got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
	}
}

// A sample without a label is left out, and said to be.
func TestNothingLearned(t *testing.T) {
	out := mustRender(t, letters(t, ""), Config{}, `{"input_ids":[1,2],"labels":[1,-100]}`)
	if len(out.Samples) != 0 || out.Left != "no token would be learned" {
		t.Errorf("%+v", out)
	}
}
