package sugarme

import (
	"github.com/seed-5afa5581/graft/model/tokenizer"
	sugarme "github.com/sugarme/tokenizer"
)

// New returns a tokenizer of sugarme that works as t does. A pair of texts is encoded as two texts, each with what the
// post-processor adds to a single one.
func New(t *tokenizer.Tokenizer) *sugarme.Tokenizer {
	m := model{t}
	s := sugarme.NewTokenizer(m)
	var special []sugarme.AddedToken
	taken := map[string]bool{}
	for id, token := range t.Vocab() {
		if t.IsSpecial(id) {
			special = append(special, sugarme.NewAddedToken(token, true, sugarme.WithNormalized(true)))
			taken[token] = true
		}
	}
	s.AddSpecialTokens(special) // so that Decode can leave them out
	s.WithNormalizer(newVeil(taken))
	s.WithPreTokenizer(preTokenizer{m})
	s.WithPostProcessor(newProcessor(t))
	s.WithDecoder(decoder{t})
	return s
}
