package data

import (
	"slices"

	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// A Sample is one sequence to learn from.
type Sample struct {
	Tokens []int32
	Labels []int32 // as in model.Batch: the token where it is to be learned, IgnoreLabel elsewhere
	Source string  // file:line, for people
	Weight float64 // how often an epoch takes it: 2 is twice, 0.5 every second epoch; 0 counts as 1
}

func (s Sample) weight() float64 {
	if s.Weight == 0 {
		return 1
	}
	return s.Weight
}

// Learned returns how many labels carry a loss.
func (s Sample) Learned() (n int) {
	return model.Batch{Tokens: s.Tokens, Labels: s.Labels, Starts: []int32{0}}.CountLabels()
}

// Answer makes a sample of a prompt and its answer: loss on the answer and the
// end of text that follows it. The tokens are those of the text as a whole,
// unless the border falls into a token: then the prompt keeps the tokens that
// inference will see.
func Answer(t *tokenizer.Tokenizer, prompt, answer string) Sample {
	before := t.Encode(prompt)
	tokens := t.Encode(prompt + answer)
	start := commonPrefix(before, tokens)
	if start < len(before) {
		tokens = append(slices.Clone(before), t.EncodePlain(answer)...)
		start = len(before)
	}
	return labelled(endText(t, tokens), start)
}

// Text makes a sample of a text, with loss on all of it.
func Text(t *tokenizer.Tokenizer, text string) Sample {
	return labelled(endText(t, t.Encode(text)), 0)
}

// endText appends the end of text unless it is there.
func endText(t *tokenizer.Tokenizer, tokens []int32) []int32 {
	eos := t.EOS()
	if len(eos) == 0 || len(tokens) > 0 && slices.Contains(eos, tokens[len(tokens)-1]) {
		return tokens
	}
	return append(tokens, eos[0])
}

func labelled(tokens []int32, start int) Sample {
	labels := slices.Clone(tokens)
	for i := range start {
		labels[i] = model.IgnoreLabel
	}
	return Sample{Tokens: tokens, Labels: labels}
}

func commonPrefix(a, b []int32) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
