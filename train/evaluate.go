package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/seed-5afa5581/graft/model"
)

// An Evaluation is the loss on samples that the run does not learn from.
type Evaluation struct {
	Step     int     `json:"step"` // whole steps before it
	Loss     float64 `json:"loss"` // mean over the labels, in nats
	Accuracy float64 `json:"accuracy"`
	Labels   int     `json:"labels"`
}

// Perplexity returns e to the power of the loss.
func (e Evaluation) Perplexity() float64 { return math.Exp(e.Loss) }

// Evaluations are those of a run, in the order of its steps. Snapshots hold
// them.
type Evaluations []Evaluation

// best returns the one with the lowest loss, the first of equals.
func (e Evaluations) best() (b Evaluation) {
	b.Loss = math.Inf(1)
	for _, x := range e {
		if x.Loss < b.Loss {
			b = x
		}
	}
	return b
}

// bestAt reports whether the best one was after so many steps.
func (e Evaluations) bestAt(step int) bool { return len(e) > 0 && e.best().Step == step }

// stale returns how many evaluations have passed since the loss was last lower
// by gain than at its lowest before.
func (e Evaluations) stale(gain float64) (n int) {
	lowest := math.Inf(1)
	for _, x := range e {
		if n++; x.Loss < lowest-gain {
			lowest, n = x.Loss, 0
		}
	}
	return n
}

// Evaluate computes the loss on a set, without dropout and without keeping
// logits, and adds it to the run's evaluations. If there is an average of the
// weights, it is what is evaluated.
func (r *Run) Evaluate(ctx context.Context, set Set) (e Evaluation, err error) {
	if a, ok := r.opt.(*average); ok && a.steps > 0 {
		if err := a.swap(); err != nil {
			return e, err
		}
		defer func() { err = errors.Join(err, a.swap()) }()
	}
	return r.evaluate(ctx, set)
}

func (r *Run) evaluate(ctx context.Context, set Set) (Evaluation, error) {
	loss, err := r.lossOf(ctx, set)
	switch {
	case ctx.Err() != nil:
		return Evaluation{}, ctx.Err()
	case err != nil:
		return Evaluation{}, fmt.Errorf("train: evaluation: %w", err)
	case loss.Labels == 0:
		return Evaluation{}, errors.New("train: evaluation: no label of the set carries a loss")
	case !finite(loss.Sum):
		return Evaluation{}, fmt.Errorf("train: evaluation after step %d: the loss is %v: %s", r.state.Step, loss.Mean(), r.culprit())
	}
	e := Evaluation{Step: r.state.Step, Loss: loss.Mean(), Accuracy: loss.Accuracy(), Labels: loss.Labels}
	r.state.Evaluations = append(r.state.Evaluations, e)
	return e, nil
}

// lossOf sums the loss of all samples, as many at once as MicroTokens says.
func (r *Run) lossOf(ctx context.Context, set Set) (loss model.Loss, err error) {
	for at := 0; at < set.Len(); {
		if err := ctx.Err(); err != nil {
			return loss, err
		}
		b, n := window(set, at, r.Config.MicroTokens).batch(0, r.Config.MicroTokens)
		if err := r.pass.Loss(b, &loss); err != nil {
			return loss, fmt.Errorf("%s: %w", set.Sample(at).Source, err)
		}
		at += n
	}
	return loss, readError(set)
}

// window returns the samples from number at on, until they have more tokens
// than limit says.
func window(set Set, at, limit int) *samples {
	s := &samples{}
	for tokens := 0; at < set.Len() && tokens <= limit; at++ {
		x := set.Sample(at)
		s.all, s.numbers = append(s.all, x), append(s.numbers, int32(at))
		tokens += len(x.Tokens)
	}
	return s
}
