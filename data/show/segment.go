package show

import (
	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// A Segment is neighbouring tokens of one kind.
type Segment struct {
	Text    string
	Learned bool // they carry a loss
	Special bool // it is one special token
	Tokens  int
}

// Segments cuts a sample into segments.
func Segments(t *tokenizer.Tokenizer, s data.Sample) (all []Segment) {
	for from := 0; from < len(s.Tokens); {
		special, learned := t.IsSpecial(s.Tokens[from]), s.Labels[from] != model.IgnoreLabel
		to := from + 1
		for to < len(s.Tokens) && !special && !t.IsSpecial(s.Tokens[to]) && (s.Labels[to] != model.IgnoreLabel) == learned {
			to++
		}
		all = append(all, Segment{t.Decode(s.Tokens[from:to]), learned, special, to - from})
		from = to
	}
	return all
}
