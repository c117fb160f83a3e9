package sugarme

import "github.com/seed-5afa5581/graft/model/tokenizer"

// decoder finds the ids of the tokens again and decodes those.
type decoder struct{ t *tokenizer.Tokenizer }

// Decode returns the text of tokens; what is no token is left out.
func (d decoder) Decode(tokens []string) string {
	ids := make([]int32, 0, len(tokens))
	for _, token := range tokens {
		if id, ok := d.t.ID(token); ok {
			ids = append(ids, id)
		}
	}
	return d.t.Decode(ids)
}

// DecodeChain returns the text as one string.
func (d decoder) DecodeChain(tokens []string) []string { return []string{d.Decode(tokens)} }
