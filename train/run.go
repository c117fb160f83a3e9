package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"time"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/model"
)

// A Set is what a Run learns from; data.Set is one.
type Set interface {
	Len() int
	Sample(i int) data.Sample
}

// A Run trains a model on a set.
type Run struct {
	Config Config // with its defaults filled in
	Total  int    // optimiser steps

	model *model.Model
	set   Set
	order []int // of the samples in the epoch at hand
	epoch int   // whose order that is
}

// A Step is what one optimiser step did.
type Step struct {
	N, Of        int     // number of the step, from 1, and of all
	Epoch        float64 // passes through the set so far
	Loss         float64 // mean over the step's labels, in nats, before the step
	Accuracy     float64 // share of the labels that were the most likely token
	Entropy      float64 // mean of the predicted distributions', in nats
	LR           float64
	GradNorm     float64 // before clipping
	Tokens       int     // in the step
	Labels       int     // of them learned
	TokensPerSec float64
	Left         time.Duration // to the end of the run, at the pace so far
}

// New prepares a run of what trains in m: an adapter attached to it, or
// weights unfrozen.
func New(m *model.Model, set Set, c Config) (*Run, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if len(m.Params()) == 0 {
		return nil, errors.New("train: nothing to train: attach an adapter or unfreeze weights first")
	}
	if set.Len() == 0 {
		return nil, errors.New("train: the set has no samples")
	}
	for i := range set.Len() {
		s := set.Sample(i)
		if len(s.Tokens) > m.Config.MaxPositions {
			return nil, fmt.Errorf("train: %s: %d tokens, more than the model's max_position_embeddings %d: set data.Config.MaxLen", s.Source, len(s.Tokens), m.Config.MaxPositions)
		}
	}
	r := &Run{Config: c.withDefaults(m.BaseTrains()), model: m, set: set, epoch: -1}
	perEpoch := (set.Len() + r.Config.Batch - 1) / r.Config.Batch
	r.Total = r.Config.Epochs * perEpoch
	if r.Config.Steps > 0 {
		r.Total = r.Config.Steps
	}
	return r, nil
}

// Steps runs the optimiser step by step. Breaking out of the loop, an error or
// the end of ctx stops it; the parameters are then those of the last whole step.
func (r *Run) Steps(ctx context.Context) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		opt, err := NewAdamW(r.model.Device, r.model.Params(), r.Config)
		if err != nil {
			yield(Step{}, err)
			return
		}
		defer opt.Close()
		runtime.GC() // what loading left behind, before the run takes its memory
		pass := r.model.NewPass()
		defer pass.Close()
		pass.Seed, pass.Recompute = r.Config.Seed, !r.Config.NoRecompute
		start := time.Now()
		for n := range r.Total {
			step, err := r.step(ctx, n, pass, opt)
			step.Left = time.Since(start) / time.Duration(n+1) * time.Duration(r.Total-n-1)
			if !yield(step, err) || err != nil {
				return
			}
		}
	}
}

// step runs step n, from 0.
func (r *Run) step(ctx context.Context, n int, pass *model.Pass, opt *AdamW) (Step, error) {
	start, samples := time.Now(), r.samples(n)
	labels := 0
	for _, i := range samples {
		labels += r.set.Sample(i).Learned()
	}
	if labels == 0 {
		return Step{}, fmt.Errorf("train: step %d: no label carries a loss (%s)", n+1, r.sources(samples))
	}
	var loss model.Loss
	pass.Step = uint32(n)
	tokens := 0
	for batch := range r.micro(samples) {
		if err := ctx.Err(); err != nil {
			return Step{}, errors.Join(err, r.clearGrads())
		}
		if err := pass.LossGrad(batch, labels, &loss); err != nil {
			return Step{}, fmt.Errorf("train: step %d (%s): %w", n+1, r.sources(samples), err)
		}
		tokens += len(batch.Tokens)
	}
	if !finite(loss.Sum) {
		return Step{}, fmt.Errorf("train: step %d: the loss is %v: %s (%s)", n+1, loss.Mean(), r.culprit(), r.sources(samples))
	}
	lr := r.Config.rate(n, r.Total)
	norm, err := opt.Step(lr)
	if err != nil {
		return Step{}, fmt.Errorf("train: step %d: %w (%s)", n+1, err, r.sources(samples))
	}
	return Step{
		N: n + 1, Of: r.Total, Epoch: float64((n+1)*r.Config.Batch) / float64(r.set.Len()),
		Loss: loss.Mean(), Accuracy: loss.Accuracy(), Entropy: loss.Entropy / float64(loss.Labels),
		LR: lr, GradNorm: norm, Tokens: tokens, Labels: labels, TokensPerSec: float64(tokens) / time.Since(start).Seconds(),
	}, nil
}

// samples returns the numbers of the samples of step n. An epoch's last step may
// have fewer.
func (r *Run) samples(n int) []int {
	perEpoch := (r.set.Len() + r.Config.Batch - 1) / r.Config.Batch
	if epoch := n / perEpoch; epoch != r.epoch {
		r.order, r.epoch = r.shuffled(epoch), epoch
	}
	from := n % perEpoch * r.Config.Batch
	return r.order[from:min(len(r.order), from+r.Config.Batch)]
}

func (r *Run) shuffled(epoch int) []int {
	if !r.Config.NoShuffle {
		return random.New(r.Config.Seed, random.Shuffle, uint64(epoch)).Perm(r.set.Len())
	}
	order := make([]int, r.set.Len())
	for i := range order {
		order[i] = i
	}
	return order
}

// micro lays samples one after the other into batches of at most MicroTokens
// tokens; a longer sample gets a batch of its own.
func (r *Run) micro(samples []int) iter.Seq[model.Batch] {
	return func(yield func(model.Batch) bool) {
		var b model.Batch
		for _, i := range samples {
			s := r.set.Sample(i)
			if len(b.Tokens) > 0 && len(b.Tokens)+len(s.Tokens) > r.Config.MicroTokens {
				if !yield(b) {
					return
				}
				b = model.Batch{Tokens: b.Tokens[:0], Labels: b.Labels[:0], Starts: b.Starts[:0], Samples: b.Samples[:0]}
			}
			b.Starts = append(b.Starts, int32(len(b.Tokens)))
			b.Samples = append(b.Samples, int32(i))
			b.Tokens = append(b.Tokens, s.Tokens...)
			b.Labels = append(b.Labels, s.Labels...)
		}
		yield(b)
	}
}

// sources names the records of a step.
func (r *Run) sources(samples []int) string {
	var names []string
	for _, i := range samples {
		names = append(names, r.set.Sample(i).Source)
	}
	return strings.Join(names, ", ")
}

func (r *Run) clearGrads() error {
	for _, p := range r.model.Params() {
		r.model.Device.Fill(p.Grad, 0)
	}
	return r.model.Device.Sync()
}

// culprit names what is not finite after a loss was not.
func (r *Run) culprit() string {
	name, err := r.model.NonFinite()
	switch {
	case err != nil:
		return err.Error()
	case name != "":
		return name + " is not finite"
	}
	return "every weight is finite, so an activation overflowed: lower the learning rate"
}
