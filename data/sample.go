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

// Text makes a sample of a text, with loss on all of it and on the end of text
// after it.
func Text(t *tokenizer.Tokenizer, text string) Sample {
	tokens := t.Encode(text)
	if eos := t.EOS(); len(eos) > 0 && (len(tokens) == 0 || !slices.Contains(eos, tokens[len(tokens)-1])) {
		tokens = append(tokens, eos[0])
	}
	return Sample{Tokens: tokens, Labels: slices.Clone(tokens)}
}

// pieces cuts a text into samples of at most limit tokens; each begins with the
// last token of the one before, so that every token is predicted once.
func pieces(s Sample, limit int) []Sample {
	if len(s.Tokens) <= limit {
		return []Sample{s}
	}
	var all []Sample
	for from := 0; from+1 < len(s.Tokens); from += limit - 1 {
		to := min(len(s.Tokens), from+limit)
		all = append(all, Sample{Tokens: s.Tokens[from:to], Labels: s.Labels[from:to]})
	}
	return all
}
