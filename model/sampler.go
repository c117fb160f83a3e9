package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/seed-5afa5581/graft/internal/random"
)

// Sampling says how the next token is chosen. The zero value is greedy: the
// most likely token, the first of equals. The steps apply in this order, as in
// transformers: repetition penalty, temperature, top-k, top-p, min-p.
type Sampling struct {
	Temperature       float64 // logits are divided by it; 0 is greedy
	TopK              int     // keep the k most likely; 0 for all
	TopP              float64 // keep the most likely up to this total; 0 or 1 for all
	MinP              float64 // keep those of at least this share of the most likely; 0 for all
	RepetitionPenalty float64 // over 1 makes tokens seen before less likely; 0 or 1 for none
	Seed              uint64
}

// Validate reports values that mean nothing.
func (s Sampling) Validate() error {
	switch {
	case !(s.Temperature >= 0) || math.IsInf(s.Temperature, 0):
		return fmt.Errorf("model: temperature %v: must be 0 (greedy) or more", s.Temperature)
	case s.TopK < 0:
		return fmt.Errorf("model: top-k %d: must be 0 (all) or more", s.TopK)
	case !(s.TopP >= 0 && s.TopP <= 1):
		return fmt.Errorf("model: top-p %v: must lie between 0 and 1", s.TopP)
	case !(s.MinP >= 0 && s.MinP <= 1):
		return fmt.Errorf("model: min-p %v: must lie between 0 and 1", s.MinP)
	case !(s.RepetitionPenalty >= 0) || math.IsInf(s.RepetitionPenalty, 0):
		return fmt.Errorf("model: repetition penalty %v: must be positive", s.RepetitionPenalty)
	}
	return nil
}

// A sampler chooses tokens of one text.
type sampler struct {
	Sampling
	seen   map[int32]bool
	random *random.Source
	order  []candidate
}

type candidate struct {
	id int32
	p  float64 // first a logit, then a probability
}

func newSampler(s Sampling, prompt []int32) *sampler {
	p := &sampler{Sampling: s, seen: map[int32]bool{}, random: random.New(s.Seed, random.Sample, 0)}
	for _, id := range prompt {
		p.seen[id] = true
	}
	return p
}

// next chooses a token by its logits [V], which it changes.
func (s *sampler) next(logits []float32) int32 {
	s.penalize(logits)
	id := s.choose(logits)
	s.seen[id] = true
	return id
}

// penalize divides positive logits of tokens seen before and multiplies
// negative ones (Keskar et al. 2019).
func (s *sampler) penalize(logits []float32) {
	if s.RepetitionPenalty == 0 || s.RepetitionPenalty == 1 {
		return
	}
	for id := range s.seen {
		if l := &logits[id]; *l > 0 {
			*l /= float32(s.RepetitionPenalty)
		} else {
			*l *= float32(s.RepetitionPenalty)
		}
	}
}

func (s *sampler) choose(logits []float32) int32 {
	if s.Temperature == 0 {
		return argmax(logits)
	}
	s.order = s.order[:0]
	for i, l := range logits {
		s.order = append(s.order, candidate{int32(i), float64(l) / s.Temperature})
	}
	slices.SortStableFunc(s.order, func(a, b candidate) int { return cmp.Compare(b.p, a.p) })
	return s.draw(s.keep(s.order))
}

func argmax(v []float32) int32 {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return int32(best)
}

// keep cuts the sorted candidates and turns their logits into probabilities.
func (s *sampler) keep(c []candidate) []candidate {
	if s.TopK > 0 && s.TopK < len(c) {
		c = c[:s.TopK]
	}
	softmax(c)
	if s.TopP > 0 && s.TopP < 1 {
		n, total := 0, 0.0
		for n < len(c) && (n == 0 || total < s.TopP) {
			total += c[n].p
			n++
		}
		c = c[:n]
	}
	n := 1
	for n < len(c) && c[n].p >= s.MinP*c[0].p {
		n++
	}
	return c[:n]
}

// softmax of candidates sorted by logit.
func softmax(c []candidate) {
	top, sum := c[0].p, 0.0
	for i := range c {
		c[i].p = math.Exp(c[i].p - top)
		sum += c[i].p
	}
	for i := range c {
		c[i].p /= sum
	}
}

// draw chooses a candidate with its share of the total.
func (s *sampler) draw(c []candidate) int32 {
	var total float64
	for _, x := range c {
		total += x.p
	}
	at := s.random.Float64() * total
	for _, x := range c {
		if at -= x.p; at < 0 {
			return x.id
		}
	}
	return c[len(c)-1].id
}
