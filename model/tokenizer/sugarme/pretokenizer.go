package sugarme

import (
	sugarme "github.com/sugarme/tokenizer"
	"github.com/sugarme/tokenizer/normalizer"
)

// A veil is a normalizer that hides the text behind one character. Without it, sugarme would look for special tokens
// itself, which it gets wrong. The preTokenizer lifts the veil.
type veil string

// newVeil returns a veil that is not among the special tokens.
func newVeil(special map[string]bool) veil {
	c := 'a'
	for special[string(c)] {
		c++
	}
	return veil(c)
}

// Normalize puts the veil in place of the whole text, so that both sides map to each other as a whole.
func (v veil) Normalize(n *normalizer.NormalizedString) (*normalizer.NormalizedString, error) {
	text := n.GetOriginal()
	repeat := func(count, end int) [][]int {
		whole, all := []int{0, end}, make([][]int, count)
		for i := range all {
			all[i] = whole
		}
		return all
	}
	return normalizer.NewNormalizedString(text, string(v), repeat(len(v), len(text)), repeat(len(text), len(v)), n.Shift()), nil
}

// preTokenizer makes the tokens of the whole text at once.
type preTokenizer struct{ model model }

func (p preTokenizer) PreTokenize(s *sugarme.PreTokenizedString) (*sugarme.PreTokenizedString, error) {
	var failed error
	s = s.Split(func(_ int, part *normalizer.NormalizedString) []sugarme.SplitIdx {
		text := part.GetOriginal()
		tokens, err := p.model.Tokenize(text)
		if err != nil || len(tokens) == 0 {
			failed = err
			return nil
		}
		return []sugarme.SplitIdx{{Normalized: normalizer.NewNormalizedFrom(text), Tokens: tokens}}
	})
	return s, failed
}
