package data

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/seed-5afa5581/graft/data/shape"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// fit applies the policy for what is too long.
func (r *Renderer) fit(x shape.Record, samples []Sample) (out Rendering, err error) {
	for _, s := range samples {
		out.Tokens = max(out.Tokens, len(s.Tokens))
	}
	limit := r.config.MaxLen
	if out.Tokens > limit {
		switch r.config.Overflow {
		case Refuse:
			return out, fmt.Errorf("%d tokens, more than %d", out.Tokens, limit)
		case CutPrompt:
			samples, out.Cut = r.cutPrompt(x, samples), "prompt"
		case CutAnswer:
			samples, out.Cut = cutAnswers(samples, limit), "answer"
		}
	}
	for _, s := range samples {
		if len(s.Tokens) <= limit && s.Learned() > 0 {
			out.Samples = append(out.Samples, s)
		}
	}
	switch {
	case len(out.Samples) > 0:
	case out.Tokens > limit:
		out.Left, out.Cut = fmt.Sprintf("longer than %d tokens", limit), ""
	default:
		out.Left = "no token would be learned"
	}
	return out, nil
}

// cutAnswers cuts off the ends of samples.
func cutAnswers(samples []Sample, limit int) (cut []Sample) {
	for _, s := range samples {
		n := min(limit, len(s.Tokens))
		cut = append(cut, Sample{Tokens: s.Tokens[:n], Labels: s.Labels[:n]})
	}
	return cut
}

// cutPrompt takes from the head of the user's longest message until the chat is
// short enough, and returns what it has if that cannot be.
func (r *Renderer) cutPrompt(x shape.Record, samples []Sample) []Sample {
	const tries = 8 // tokens at the seam may change a little each time
	for range tries {
		excess := 0
		for _, s := range samples {
			excess = max(excess, len(s.Tokens)-r.config.MaxLen)
		}
		i := longestPrompt(x)
		if excess == 0 || i < 0 {
			break
		}
		text := cutHead(r.Tokenizer, x.Content(i), excess)
		if text == "" {
			break
		}
		x.Messages = slices.Clone(x.Messages)
		x.Messages[i] = withContent(x.Messages[i], text)
		shorter, err := r.say(x)
		if err != nil {
			break
		}
		samples = shorter
	}
	return samples
}

// longestPrompt returns the number of the user's longest message before the last answer, -1 for
// none.
func longestPrompt(x shape.Record) int {
	best, size := -1, 0
	for i := range max(0, x.Last()) {
		if n := len(x.Content(i)); x.Role(i) == "user" && n > size {
			best, size = i, n
		}
	}
	return best
}

// cutHead takes n tokens from the beginning of a text.
func cutHead(t *tokenizer.Tokenizer, text string, n int) string {
	_, at := t.EncodeOffsets(text, false)
	if n >= len(at) {
		return ""
	}
	if at[n].Start < at[n-1].End { // they share a character
		return text[at[n].End:]
	}
	return text[at[n].Start:]
}

// withContent returns a message that says something else.
func withContent(m tokenizer.Object, text string) tokenizer.Object {
	return edit(m, func(key string, v json.RawMessage) json.RawMessage {
		if key == "content" {
			v, _ = json.Marshal(text)
		}
		return v
	})
}
