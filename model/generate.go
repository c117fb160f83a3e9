package model

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// Generation says how to continue a text and when to stop.
type Generation struct {
	Sampling
	MaxTokens int      // 256 if 0; the model's longest sequence ends it too
	StopIDs   []int32  // tokens that end the text, besides the model's own
	Stop      []string // strings that end the text and are not part of it
	IgnoreEOS bool     // go on after the model's own end of text
}

// NoToken is the ID of a Token that carries only text held back before it.
const NoToken = -1

// A Token is one step of a generated text.
type Token struct {
	ID   int32
	Text string // what can be shown now: whole characters, nothing that may begin a stop string
}

// Generate continues the tokens of a prompt, one token at a time. Text needs
// the model's tokenizer. The token that ends a text is not part of it. Breaking
// out of the loop or ending ctx stops the work.
func (m *Model) Generate(ctx context.Context, prompt []int32, g Generation) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		if err := m.generate(ctx, prompt, g, func(t Token) bool { return yield(t, nil) }); err != nil {
			yield(Token{ID: NoToken}, err)
		}
	}
}

// GenerateText continues a prompt and returns the text that follows it.
func (m *Model) GenerateText(ctx context.Context, prompt string, g Generation) (string, error) {
	if m.Tokenizer == nil {
		return "", errors.New("model: no tokenizer: use Generate with tokens")
	}
	var text strings.Builder
	for t, err := range m.Generate(ctx, m.Tokenizer.Encode(prompt), g) {
		if err != nil {
			return text.String(), err
		}
		text.WriteString(t.Text)
	}
	return text.String(), nil
}

func (m *Model) generate(ctx context.Context, prompt []int32, g Generation, yield func(Token) bool) error {
	limit, err := m.limit(prompt, g)
	if err != nil {
		return err
	}
	p := m.NewPass()
	defer p.Close()
	if p.cache, err = newCache(m, len(prompt)+limit); err != nil {
		return fmt.Errorf("model: key/value cache: %w", err)
	}
	stops, text := m.stops(g), newTextStream(m.Tokenizer, g.Stop)
	sample, logits := newSampler(g.Sampling, prompt), make([]float32, m.Config.Vocab)
	for next := prompt; limit > 0; limit-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.extend(next, logits); err != nil {
			return err
		}
		id := sample.next(logits)
		if stops[id] {
			break
		}
		shown, end := text.add(id)
		if !yield(Token{id, shown}) || end {
			return nil
		}
		next = []int32{id}
	}
	if rest := text.flush(); rest != "" {
		yield(Token{NoToken, rest})
	}
	return nil
}

// limit returns how many tokens may follow the prompt.
func (m *Model) limit(prompt []int32, g Generation) (int, error) {
	if err := g.Validate(); err != nil {
		return 0, err
	}
	if g.MaxTokens < 0 {
		return 0, fmt.Errorf("model: %d tokens to generate: must be 0 (the default) or more", g.MaxTokens)
	}
	if m.Tokenizer == nil && len(g.Stop) > 0 {
		return 0, errors.New("model: stop strings need a tokenizer")
	}
	if len(prompt) == 0 {
		return 0, errors.New("model: empty prompt: begin with the beginning-of-text token")
	}
	room := m.Config.MaxPositions - len(prompt)
	if room <= 0 {
		return 0, fmt.Errorf("model: a prompt of %d tokens leaves no room in the model's %d positions", len(prompt), m.Config.MaxPositions)
	}
	limit := g.MaxTokens
	if limit == 0 {
		limit = 256
	}
	return min(limit, room), nil
}

// stops returns the tokens that end a text.
func (m *Model) stops(g Generation) map[int32]bool {
	set := map[int32]bool{}
	ids := slices.Clone(g.StopIDs)
	if !g.IgnoreEOS {
		ids = append(ids, m.Config.EOS...)
		if m.Tokenizer != nil {
			ids = append(ids, m.Tokenizer.EOS()...)
		}
	}
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// extend runs tokens that follow those in the cache and computes the logits
// [V] after the last.
func (p *Pass) extend(tokens []int32, logits []float32) (err error) {
	defer outOfMemory(&err)
	if err := p.begin(Batch{Tokens: tokens, Starts: []int32{0}}); err != nil {
		return err
	}
	x := p.forward(len(p.model.Blocks))
	p.cache.length += len(tokens)
	last := x.Rows - 1
	p.rows = rows{positions: p.rows.positions.Slice(last, last+1), samples: p.rows.samples.Slice(last, last+1)}
	p.logits(logits, x.Slice(last, last+1))
	if err := p.dev.Sync(); err != nil {
		return err
	}
	for i, l := range logits {
		if math.IsNaN(float64(l)) {
			return fmt.Errorf("model: the logit of token %d is not a number after %d tokens: a weight is broken", i, p.cache.length)
		}
	}
	return nil
}

// A textStream turns tokens into text that can be shown, holding back what may
// be the beginning of a stop string.
type textStream struct {
	stream *tokenizer.Stream // nil without a tokenizer
	stops  []string
	held   string
}

func newTextStream(t *tokenizer.Tokenizer, stops []string) *textStream {
	s := &textStream{stops: stops}
	if t != nil {
		s.stream = t.Stream()
	}
	return s
}

// add returns what can be shown after a token, and whether a stop string came.
func (s *textStream) add(id int32) (shown string, end bool) {
	if s.stream == nil {
		return "", false
	}
	return s.take(s.stream.Next(id))
}

func (s *textStream) take(more string) (shown string, end bool) {
	s.held += more
	first := -1
	for _, stop := range s.stops {
		if i := strings.Index(s.held, stop); i >= 0 && stop != "" && (first < 0 || i < first) {
			first = i
		}
	}
	if first >= 0 {
		return s.held[:first], true
	}
	keep := 0
	for _, stop := range s.stops {
		keep = max(keep, overlap(s.held, stop))
	}
	shown, s.held = s.held[:len(s.held)-keep], s.held[len(s.held)-keep:]
	return shown, false
}

// overlap returns the length of the longest end of text that begins stop.
func overlap(text, stop string) int {
	for n := min(len(text), len(stop)-1); n > 0; n-- {
		if strings.HasSuffix(text, stop[:n]) {
			return n
		}
	}
	return 0
}

// flush returns what is held back at the end.
func (s *textStream) flush() string {
	if s.stream == nil {
		return ""
	}
	shown, end := s.take(s.stream.Flush())
	if end {
		return shown
	}
	return shown + s.held
}
