package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"time"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
)

// A Run trains a model: it is what an optimiser, a place in the data and a
// number of steps are together. Its parts go on from step to step, into
// snapshots and out of them.
type Run struct {
	Config Config // with its defaults filled in
	Total  int    // optimiser steps

	model  *model.Model
	source Source
	set    Set // that source deals from, if it is known
	pass   *model.Pass
	grads  *Gradients
	opt    Optimizer
	rate   func(n int) float64 // learning rate of step n, from 0

	origin Origin // once it was asked for

	state state
	step  *samples // of the step at hand; nil before they are dealt
	err   error    // what ended the run before its end
	clock clock
}

// A state is where a run is, beside its tensors. Snapshots hold it as JSON.
type state struct {
	Step   int         `json:"step"`   // whole steps done
	Cursor data.Cursor `json:"cursor"` // where the step at hand begins in the data
	// The step at hand, when it is cut in the middle: the samples whose gradients
	// are summed, and their loss.
	Accumulated int        `json:"accumulated"`
	Loss        model.Loss `json:"loss"`
	Tokens      int        `json:"tokens"`

	Seen        int         `json:"samples_seen"` // in whole steps
	Trend       trend       `json:"trend"`
	Evaluations Evaluations `json:"evaluations,omitempty"`
	Stopped     bool        `json:"stopped,omitempty"` // early, by an evaluation
}

// samples are those of one step.
type samples struct {
	all     []data.Sample
	numbers []int32
	labels  int         // that carry a loss
	after   data.Cursor // where the next step begins
}

// A clock measures the pace of one call of Steps.
type clock struct {
	start, first time.Time // of the first step: its beginning and its end
	steps        int       // that ended
}

// New prepares a run of what trains in m: an adapter attached to it, or weights
// unfrozen.
func New(m *model.Model, set Set, c Config) (*Run, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults(m.BaseTrains())
	b := data.BatchConfig{Batch: c.Batch, Tokens: c.BatchTokens, Pack: c.Pack, Seed: c.Seed, NoShuffle: c.NoShuffle}
	if b.Tokens > 0 {
		b.Batch = 0
	}
	source, err := data.NewBatches(set, b)
	if err != nil {
		return nil, err
	}
	for i := range set.Len() {
		if n := source.Size(i); n > m.Config.MaxPositions {
			return nil, fmt.Errorf("train: %s: %d tokens, more than the model's max_position_embeddings %d: set data.Config.MaxLen", set.Sample(i).Source, n, m.Config.MaxPositions)
		}
	}
	r, err := NewFrom(m, source, c)
	if err == nil {
		r.set = set
	}
	return r, err
}

// NewFrom is New for samples that a Source deals.
func NewFrom(m *model.Model, source Source, c Config) (*Run, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	params := m.Params()
	if len(params) == 0 {
		return nil, errors.New("train: nothing to train: attach an adapter or unfreeze weights first")
	}
	r := &Run{Config: c.withDefaults(m.BaseTrains()), model: m, source: source}
	if r.Total = r.Config.Steps; r.Total == 0 {
		r.Total = source.Steps(r.Config.Epochs)
	}
	if err := r.checkMergeAware(); err != nil {
		return nil, err
	}
	r.rate = func(n int) float64 { return r.Config.rate(n, r.Total) }
	r.state.Cursor = source.Cursor()
	runtime.GC() // what loading left behind, before the run takes its memory
	var err error
	if r.grads, err = NewGradients(m.Device, params); err != nil {
		return nil, err
	}
	if r.opt, err = NewOptimizer(m.Device, params, r.Config); err != nil {
		r.grads.Close()
		return nil, err
	}
	r.pass = m.NewPass()
	r.pass.Seed, r.pass.Recompute, r.pass.Noise = r.Config.Seed, !r.Config.NoRecompute, r.Config.Noise
	r.pass.Objective = kernels.CrossEntropy{Smoothing: float32(r.Config.Smoothing), Penalty: float32(r.Config.Penalty)}
	return r, r.grads.Clear()
}

// Close gives back the memory that the run took; what it trained stays.
func (r *Run) Close() {
	r.pass.Close()
	r.opt.Close()
	r.grads.Close()
}

// Evaluations returns those that the run has had.
func (r *Run) Evaluations() Evaluations { return r.state.Evaluations }

// Done returns how many steps are done.
func (r *Run) Done() int { return r.state.Step }

// Steps runs the optimiser step by step, on from where the run is. Breaking
// out of the loop stops it between two steps. The end of ctx stops it after the
// batch at hand, maybe within a step: what trains is then as the last whole step
// left it, and a snapshot, or another call of Steps, goes on with the rest. Any
// other error ends the run.
func (r *Run) Steps(ctx context.Context) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		r.clock = clock{start: time.Now()}
		for r.err == nil && r.state.Step < r.Total {
			s, err := r.next(ctx)
			if err != nil && ctx.Err() == nil {
				r.err = err
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
		if r.err != nil {
			yield(Step{}, fmt.Errorf("train: the run has failed: %w", r.err))
		}
	}
}
