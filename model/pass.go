package model

import (
	"errors"
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
)

// IgnoreLabel marks a position that carries no loss.
const IgnoreLabel = -100

// A Batch is some sequences laid one after the other, without padding.
type Batch struct {
	Tokens []int32 // [T]
	// Labels [T]: the token at each position where the model is to have predicted
	// it from those before, IgnoreLabel elsewhere. The first label of a sequence
	// never counts.
	Labels []int32
	Starts []int32 // index of each sequence's first token; Starts[0] = 0
	// Samples numbers the sequences in their data set, for dropout; nil counts
	// from 0.
	Samples []int32
}

// A Pass is what one run through a model needs beside its weights: memory,
// positions, the sequences' starts. A Pass serves one run at a time; its memory
// is kept from run to run until Close.
type Pass struct {
	// Seed and Step choose the dropout masks and the noise of LossGrad.
	Seed uint64
	Step uint32
	// Recompute makes LossGrad keep only the input of each block, as an activation,
	// and compute the rest again on the way back.
	Recompute bool

	// Noise is NEFTune's alpha: LossGrad adds to the embedding of a sequence of L
	// tokens noise uniform in ±Noise/√(L·C). 0 adds none.
	Noise float64
	// Objective is what LossGrad adds to that of the likelihood: label smoothing
	// and a penalty on the size of the logits. Losses are reported without.
	Objective kernels.CrossEntropy

	// Arena is where layers take their temporary tensors from.
	Arena *kernels.Arena

	model  *Model
	dev    kernels.Device
	train  bool // whether dropout is on
	cache  *cache
	angles kernels.Tensor // of the rotary embedding
	tokens kernels.Ints
	rows   rows // those of the activations at hand
	shape  kernels.AttentionShape
	labels labels
	inputs []kernels.Tensor // [T, C] of each block, where it is to run again
	saved  []blockSaved     // of each block
	host   []int32          // scratch
	stats  []float32        // scratch
	noise  []float32        // scratch
}

// rows tells what each row of the activations at hand is.
type rows struct {
	positions, samples kernels.Ints // [rows]
	folds              kernels.Ints // starts of the runs that parameters' gradients sum
}

// foldRows is the longest run of rows whose contribution to a parameter's
// gradient is summed before it is added. Runs start anew with every sequence.
const foldRows = 128

// NewPass returns a Pass over m.
func (m *Model) NewPass() *Pass {
	n := len(m.Blocks)
	return &Pass{Arena: kernels.NewArena(m.Device), model: m, dev: m.Device, inputs: make([]kernels.Tensor, n), saved: make([]blockSaved, n)}
}

// Close gives the pass's memory back.
func (p *Pass) Close() {
	p.Arena.Free()
	if p.cache != nil {
		p.cache.free(p.dev)
	}
}

// Device returns the device that runs the pass.
func (p *Pass) Device() kernels.Device { return p.dev }

// held runs products that take x, which they do not change.
func (p *Pass) held(x kernels.Tensor, products func()) {
	kernels.Hold(p.dev, x)
	defer kernels.Release(p.dev, x)
	products()
}

// Folds returns the runs of the rows at hand that a parameter's gradient sums.
func (p *Pass) Folds() kernels.Ints { return p.rows.folds }

// Dropout returns the mask of a dropout site for the rows at hand, with rate 0
// when the pass does not train.
func (p *Pass) Dropout(rate float32, site uint32) kernels.Dropout {
	if !p.train {
		rate = 0
	}
	return kernels.Dropout{Rate: rate, Seed: p.Seed, Step: p.Step, Site: site, Samples: p.rows.samples, Positions: p.rows.positions}
}

// begin empties the arena and lays out a batch whose positions follow those in
// the cache, if there is one.
func (p *Pass) begin(b Batch) error {
	if err := p.model.check(b); err != nil {
		return err
	}
	past := p.cache.len()
	p.Arena.Reset()
	p.tokens = p.Arena.Ints(b.Tokens)
	longest := p.layRows(b, past)
	if longest > p.model.Config.MaxPositions {
		return fmt.Errorf("model: a sequence of %d tokens is longer than the model's max_position_embeddings %d: shorten it or split it", longest, p.model.Config.MaxPositions)
	}
	p.layAttention(b, past)
	p.labels = p.layLabels(b)
	angles, err := p.model.rotations(longest)
	p.angles = angles
	return err
}

// each calls do for each sequence of b.
func (b Batch) each(do func(s, from, to int)) {
	for s, from := range b.Starts {
		to := len(b.Tokens)
		if s+1 < len(b.Starts) {
			to = int(b.Starts[s+1])
		}
		do(s, int(from), to)
	}
}

func (b Batch) sample(s int) int32 {
	if b.Samples == nil {
		return int32(s)
	}
	return b.Samples[s]
}

// layRows fills p.rows and returns the longest sequence's length.
func (p *Pass) layRows(b Batch, past int) (longest int) {
	p.host = p.host[:0]
	b.each(func(s, from, to int) {
		longest = max(longest, past+to-from)
		for i := range to - from {
			p.host = append(p.host, int32(past+i))
		}
	})
	p.rows.positions = p.Arena.Ints(p.host)
	p.host = p.host[:0]
	b.each(func(s, from, to int) {
		for range to - from {
			p.host = append(p.host, b.sample(s))
		}
	})
	p.rows.samples = p.Arena.Ints(p.host)
	p.host = p.host[:0]
	b.each(func(s, from, to int) { p.host = appendRuns(p.host, from, to) })
	p.rows.folds = p.Arena.Ints(p.host)
	return longest
}

// appendRuns appends the starts of runs of at most foldRows rows.
func appendRuns(runs []int32, from, to int) []int32 {
	for ; from < to; from += foldRows {
		runs = append(runs, int32(from))
	}
	return runs
}

func (p *Pass) layAttention(b Batch, past int) {
	n := len(b.Starts)
	ends := append(append(p.host[:0], b.Starts...), int32(len(b.Tokens)))
	p.host = ends
	p.shape.QStarts = p.Arena.Ints(ends)
	p.shape.KStarts, p.shape.KEnds = p.shape.QStarts.Slice(0, n), p.shape.QStarts.Slice(1, n+1)
	if p.cache != nil {
		p.shape.KStarts = p.Arena.Ints([]int32{0})
		p.shape.KEnds = p.Arena.Ints([]int32{int32(past + len(b.Tokens))})
	}
}

// attention returns the shape of an attention over the sequences at hand.
func (p *Pass) attention(heads, kvHeads, width, window int) kernels.AttentionShape {
	s := p.shape
	s.Heads, s.KVHeads, s.Width, s.Window = heads, kvHeads, width, window
	s.Scale = rsqrt(width)
	return s
}

// headFolds returns the folds of [T·heads, D].
func (p *Pass) headFolds(heads int) kernels.Ints {
	p.host = p.host[:0]
	for _, f := range p.rows.folds.Host {
		p.host = append(p.host, f*int32(heads))
	}
	return p.Arena.Ints(p.host)
}

// gradIf returns room for the gradient of an activation of x's shape, or none.
func (p *Pass) gradIf(needed bool, x kernels.Tensor) kernels.Tensor {
	if !needed {
		return kernels.Tensor{}
	}
	return p.Arena.Activation(x.Rows, x.Cols)
}

// check reports what is wrong with a batch.
func (m *Model) check(b Batch) error {
	if len(b.Tokens) == 0 {
		return errors.New("model: empty batch")
	}
	if len(b.Starts) == 0 || b.Starts[0] != 0 {
		return errors.New("model: a batch's first sequence starts at 0")
	}
	if b.Labels != nil && len(b.Labels) != len(b.Tokens) {
		return fmt.Errorf("model: batch of %d tokens with %d labels", len(b.Tokens), len(b.Labels))
	}
	if b.Samples != nil && len(b.Samples) != len(b.Starts) {
		return fmt.Errorf("model: batch of %d sequences with %d sample numbers", len(b.Starts), len(b.Samples))
	}
	var fault error
	b.each(func(s, from, to int) {
		if from >= to || to > len(b.Tokens) {
			fault = fmt.Errorf("model: sequence %d of the batch covers tokens %d to %d of %d", s, from, to, len(b.Tokens))
		}
	})
	if fault != nil {
		return fault
	}
	for i, t := range b.Tokens {
		if t < 0 || int(t) >= m.Config.Vocab {
			return fmt.Errorf("model: token %d at %d is outside the vocabulary of %d", t, i, m.Config.Vocab)
		}
	}
	for i, t := range b.Labels {
		if t != IgnoreLabel && (t < 0 || int(t) >= m.Config.Vocab) {
			return fmt.Errorf("model: label %d at %d is outside the vocabulary of %d: use %d where there is no loss", t, i, m.Config.Vocab, IgnoreLabel)
		}
	}
	return nil
}

// outOfMemory turns the panic of an arena that its device gave no more into an
// error.
func outOfMemory(err *error) {
	switch fault := recover().(type) {
	case nil:
	case *kernels.OutOfMemory:
		*err = fmt.Errorf("model: %w", fault)
	default:
		panic(fault)
	}
}
