package main

import (
	"context"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/model"
)

// A question is a prompt of the data, what the data answers and what the model
// does.
type question struct {
	ids                              []int32
	prompt, reference, before, after string
}

// Sizes of questions and answers, in tokens and in characters.
const (
	answerTokens = 64
	textTokens   = 24 // of a text without a prompt
	promptChars  = 600
)

// questions takes some prompts of a set, evenly spread.
func questions(m *model.Model, set *data.Set, n int) (list []question) {
	n = min(n, set.Len())
	for i := range n {
		if q, ok := newQuestion(m, set.Sample(i*set.Len()/n)); ok {
			list = append(list, q)
		}
	}
	return list
}

// newQuestion splits a sample where what is learned begins. It is not ok if
// that leaves no room for an answer.
func newQuestion(m *model.Model, s data.Sample) (q question, ok bool) {
	from := slices.IndexFunc(s.Labels, func(l int32) bool { return l != model.IgnoreLabel })
	if from < 2 {
		from = min(textTokens, len(s.Tokens)/2)
	}
	if from < 1 || from+answerTokens > m.Config.MaxPositions {
		return q, false
	}
	to := min(len(s.Tokens), from+answerTokens)
	q.ids, q.reference = s.Tokens[:from], strings.TrimSpace(m.Tokenizer.DecodeSkip(s.Tokens[from:to]))
	q.prompt = m.Tokenizer.DecodeSkip(q.ids)
	if r := []rune(q.prompt); len(r) > promptChars {
		q.prompt = "…" + string(r[len(r)-promptChars:])
	}
	return q, true
}

// ask writes the model's likeliest answer.
func (q *question) ask(ctx context.Context, m *model.Model, answer *string) error {
	var text strings.Builder
	for t, err := range m.Generate(ctx, q.ids, model.Generation{MaxTokens: answerTokens}) {
		if err != nil {
			return err
		}
		text.WriteString(t.Text)
	}
	*answer = strings.TrimSpace(text.String())
	return nil
}
