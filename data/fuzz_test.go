package data

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// FuzzRender makes sure that whatever a question and its answer are, what stands before
// the answer is what inference has, and what is learned is the answer.
func FuzzRender(f *testing.F) {
	f.Add("q", "A")
	f.Add("Q:\n", "\n\nA</s>")
	f.Add(" ", "é\u0301<|im_end|>x")
	k := letters(f, "")
	r, err := NewRenderer(k, Config{Template: "chatml", MaxLen: 1 << 20})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, question, answer string) {
		if !utf8.ValidString(question) || !utf8.ValidString(answer) || strings.TrimSpace(answer) == "" {
			return
		}
		x := record(t, chatRow(question, answer))
		out, err := r.Render(x)
		if err != nil || len(out.Samples) != 1 {
			t.Fatalf("%+v, %v", out, err)
		}
		s := out.Samples[0]
		first := slices.IndexFunc(s.Labels, func(l int32) bool { return l != model.IgnoreLabel })
		prompt, err := r.Template.Render(r.chatOf(x, 1), tokenizer.ChatOptions{GenerationPrompt: true})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.Tokens[:first], k.EncodePlain(prompt)) {
			t.Errorf("the answer follows %q, inference has %q", k.Decode(s.Tokens[:first]), prompt)
		}
		end := first
		for end < len(s.Labels) && s.Labels[end] != model.IgnoreLabel {
			end++
		}
		if got := k.Decode(s.Tokens[first:end]); got != answer+"<|im_end|>" {
			t.Errorf("%q is learned as %q", answer, got)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	k := stories(b)
	x := record(b, chatRow(strings.Repeat("Once upon a time? ", 20), strings.Repeat("There was a dog and a cat. ", 40)))
	r, err := NewRenderer(k, Config{Template: "chatml"})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(x.Content(0)) + len(x.Content(1))))
	for b.Loop() {
		if _, err := r.Render(x); err != nil {
			b.Fatal(err)
		}
	}
}
