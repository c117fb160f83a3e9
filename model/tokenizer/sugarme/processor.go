package sugarme

import (
	"slices"

	"github.com/seed-5afa5581/graft/model/tokenizer"
	sugarme "github.com/sugarme/tokenizer"
)

// A processor puts tokens such as BOS around a text.
type processor struct{ before, after []sugarme.Token }

func newProcessor(t *tokenizer.Tokenizer) (p processor) {
	before, after := t.Affixes()
	for _, id := range before {
		p.before = append(p.before, newToken(t, id, tokenizer.Span{}))
	}
	for _, id := range after {
		p.after = append(p.after, newToken(t, id, tokenizer.Span{}))
	}
	return p
}

// AddedTokens returns how many tokens Process adds.
func (p processor) AddedTokens(pair bool) int {
	n := len(p.before) + len(p.after)
	if pair {
		return 2 * n
	}
	return n
}

// Process joins the encodings of a text and, if not nil, of the second one of a pair.
func (p processor) Process(first, second *sugarme.Encoding, special bool) *sugarme.Encoding {
	if special {
		first, second = p.surround(first, 0), p.surround(second, 1)
	}
	return sugarme.DefaultProcess(first, second, special)
}

// surround returns e, and what overflowed from it, with the tokens around.
func (p processor) surround(e *sugarme.Encoding, kind int) *sugarme.Encoding {
	if e == nil {
		return nil
	}
	out := sugarme.DefaultEncoding()
	add(out, p.before, kind)
	appendEncoding(out, e)
	add(out, p.after, kind)
	for i := range e.Overflowing {
		out.Overflowing = append(out.Overflowing, *p.surround(&e.Overflowing[i], kind))
	}
	return out
}

// add appends tokens that stand for no text.
func add(e *sugarme.Encoding, tokens []sugarme.Token, kind int) {
	for _, t := range tokens {
		e.Ids = append(e.Ids, t.Id)
		e.Tokens = append(e.Tokens, t.Value)
		e.Offsets = append(e.Offsets, slices.Clone(t.Offsets))
		e.TypeIds = append(e.TypeIds, kind)
		e.SpecialTokenMask = append(e.SpecialTokenMask, 1)
		e.AttentionMask = append(e.AttentionMask, 1)
		e.Words = append(e.Words, -1)
	}
}

func appendEncoding(e, more *sugarme.Encoding) {
	e.Ids = append(e.Ids, more.Ids...)
	e.Tokens = append(e.Tokens, more.Tokens...)
	e.Offsets = append(e.Offsets, more.Offsets...)
	e.TypeIds = append(e.TypeIds, more.TypeIds...)
	e.SpecialTokenMask = append(e.SpecialTokenMask, more.SpecialTokenMask...)
	e.AttentionMask = append(e.AttentionMask, more.AttentionMask...)
	e.Words = append(e.Words, more.Words...)
}
