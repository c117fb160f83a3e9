package train

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-5afa5581/graft/internal/memory"
	"github.com/seed-5afa5581/graft/model"
)

// A Step is what one optimiser step did.
type Step struct {
	N, Of        int     // number of the step, from 1, and of all
	Epoch        float64 // passes through the set so far
	Loss         float64 // mean over the step's labels, in nats, before the step
	Smoothed     float64 // moving average of Loss
	Alarm        Alarm   // whether the loss goes astray
	Accuracy     float64 // share of the labels that were the most likely token
	Entropy      float64 // mean of the predicted distributions', in nats
	LR           float64
	GradNorm     float64 // before clipping
	Tokens       int     // in the step
	Labels       int     // of them learned
	TokensPerSec float64
	Memory       int64         // resident bytes of the process; 0 where the system does not tell
	Left         time.Duration // to the end of the run, at the pace so far
}

// next runs the step at hand, or what is left of it.
func (r *Run) next(ctx context.Context) (Step, error) {
	if err := errors.Join(r.switchMergeAware(r.state.Step), r.deal()); err != nil {
		return Step{}, err
	}
	start, before := time.Now(), r.state.Tokens
	if err := r.accumulate(ctx); err != nil {
		return Step{}, err
	}
	n := r.state.Step
	if !finite(r.state.Loss.Sum) {
		return Step{}, fmt.Errorf("train: step %d: the loss is %v: %s (%s)", n+1, r.state.Loss.Mean(), r.culprit(), r.step.sources())
	}
	lr := r.rate(n)
	norm, err := r.move(lr)
	if err != nil {
		return Step{}, fmt.Errorf("train: step %d: %w (%s)", n+1, err, r.step.sources())
	}
	speed := float64(r.state.Tokens-before) / time.Since(start).Seconds()
	return r.finish(lr, norm, speed), nil
}

// deal takes the samples of the step at hand from the source. An epoch's last
// step may have fewer.
func (r *Run) deal() error {
	if r.step != nil {
		return nil
	}
	s := &samples{}
	for _, i := range r.source.Next() {
		sample := r.source.Sample(i)
		s.all, s.numbers = append(s.all, sample), append(s.numbers, int32(i))
		s.labels += sample.Learned()
	}
	if err := readError(r.set); err != nil {
		return fmt.Errorf("train: step %d: %w", r.state.Step+1, err)
	}
	if s.labels == 0 {
		return fmt.Errorf("train: step %d: no label carries a loss (%s)", r.state.Step+1, s.sources())
	}
	s.after = r.source.Cursor()
	r.step = s
	return nil
}

// accumulate sums the gradients of the samples that the step still lacks, batch
// by batch, until ctx ends.
func (r *Run) accumulate(ctx context.Context) error {
	r.pass.Step = uint32(r.state.Step)
	for r.state.Accumulated < len(r.step.all) {
		if err := ctx.Err(); err != nil {
			return err
		}
		from := r.state.Accumulated
		b, to := r.step.batch(from, r.Config.MicroTokens)
		if err := r.pass.LossGrad(b, r.step.labels, &r.state.Loss); err != nil {
			return fmt.Errorf("train: step %d (%s): %w", r.state.Step+1, r.step.sources(), err)
		}
		r.state.Accumulated, r.state.Tokens = to, r.state.Tokens+len(b.Tokens)
	}
	return nil
}

// batch lays samples from number from on one after the other, at most as many
// tokens as limit says, or one longer sample. It returns the number of the
// sample after them.
func (s *samples) batch(from, limit int) (b model.Batch, to int) {
	for to = from; to < len(s.all); to++ {
		x := s.all[to]
		if to > from && len(b.Tokens)+len(x.Tokens) > limit {
			break
		}
		b.Starts = append(b.Starts, int32(len(b.Tokens)))
		b.Samples = append(b.Samples, s.numbers[to])
		b.Tokens = append(b.Tokens, x.Tokens...)
		b.Labels = append(b.Labels, x.Labels...)
	}
	return b, to
}

// sources names the records of a step.
func (s *samples) sources() string {
	var names []string
	for _, x := range s.all {
		names = append(names, x.Source)
	}
	return strings.Join(names, ", ")
}

// move takes the optimiser's step, and makes sure that it ended in numbers.
func (r *Run) move(lr float64) (norm float64, err error) {
	if norm, err = r.grads.Norm(); err != nil {
		return norm, err
	}
	if err := r.opt.Step(lr, Scale(norm, r.Config.Clip)); err != nil {
		return norm, err
	}
	if err := r.grads.values(); err != nil {
		return norm, fmt.Errorf("after the optimiser's step %w: %s", err, r.brokenState())
	}
	return norm, nil
}

// finish counts the step at hand as done.
func (r *Run) finish(lr, norm, speed float64) Step {
	x := &r.state
	loss, tokens := x.Loss, x.Tokens
	alarm := x.Trend.add(loss.Mean())
	x.Step, x.Seen, x.Cursor = x.Step+1, x.Seen+len(r.step.all), r.step.after
	x.Accumulated, x.Loss, x.Tokens, r.step = 0, model.Loss{}, 0, nil
	return Step{
		N: x.Step, Of: r.Total, Epoch: r.source.Passes(),
		Loss: loss.Mean(), Smoothed: x.Trend.Mean, Alarm: alarm, Accuracy: loss.Accuracy(), Entropy: loss.Entropy / float64(loss.Labels),
		LR: lr, GradNorm: norm, Tokens: tokens, Labels: loss.Labels, TokensPerSec: speed,
		Memory: memory.Resident(), Left: r.clock.left(r.Total - x.Step),
	}
}

// left returns the time that so many steps will take, after one has ended. The
// first one pages weights in, so only those after it count once there are any.
func (c *clock) left(steps int) time.Duration {
	c.steps++
	if c.steps == 1 {
		c.first = time.Now()
		return time.Duration(steps) * time.Since(c.start)
	}
	return time.Since(c.first) / time.Duration(c.steps-1) * time.Duration(steps)
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

// brokenState names what is not finite in the optimiser's memory.
func (r *Run) brokenState() string {
	states, err := r.opt.State()
	if err != nil {
		return err.Error()
	}
	for _, s := range states {
		if s.Tensor.None() {
			continue
		}
		v := make([]float32, s.Tensor.Len())
		r.model.Device.Read(v, s.Tensor)
		for _, x := range v {
			if !finite(float64(x)) {
				return "the optimiser's " + s.Name + " is not finite"
			}
		}
	}
	return "the optimiser's memory is finite, so the step was too long: lower the learning rate"
}
