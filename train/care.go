package train

import (
	"context"
	"iter"
	"time"
)

// Care is what a run is given beside its steps. The zero value is nothing.
type Care struct {
	Snapshots *Snapshots
	SaveEvery int           // steps between snapshots; 0: by time alone
	SaveAfter time.Duration // or when so much time has passed; 0: by steps alone

	HeldOut       Set // to evaluate on
	EvaluateEvery int // steps between evaluations; 0: after the last one alone
	// Patience ends the run after so many evaluations in a row that are not better
	// than the best before them by MinGain nats; 0 never does.
	Patience int
	MinGain  float64
}

// Events is Steps with care: evaluations, snapshots, and an end when evaluations
// stop getting better. The end of ctx, and a better evaluation, are saved as
// well, if there are Snapshots. A snapshot that cannot be written does not end
// the run, unless it was the last chance, at the end of ctx.
func (r *Run) Events(ctx context.Context, c Care) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w := &watch{Run: r, Care: c, saved: time.Now(), yield: yield}
		if r.state.Stopped || !w.catchUp(ctx) {
			return
		}
		for s, err := range r.Steps(ctx) {
			if err != nil {
				w.interrupted(ctx, err)
				return
			}
			if !yield(s, nil) || !w.after(ctx, s) {
				return
			}
		}
	}
}

// A watch is one call of Events.
type watch struct {
	*Run
	Care
	saved time.Time // when the last snapshot was
	yield func(Event, error) bool
}

// interrupted ends the loop with an error, after a snapshot if the run itself
// is sound.
func (w *watch) interrupted(ctx context.Context, err error) {
	if ctx.Err() != nil && w.Snapshots != nil {
		saved, fault := w.Snapshots.Save(w.Run)
		if fault != nil {
			w.yield(nil, fault)
			return
		}
		if !w.yield(saved, nil) {
			return
		}
	}
	w.yield(nil, err)
}

// catchUp evaluates after the last step if an interruption kept it from that.
func (w *watch) catchUp(ctx context.Context) bool {
	n := len(w.state.Evaluations)
	if w.state.Accumulated > 0 || w.state.Step == 0 || n > 0 && w.state.Evaluations[n-1].Step == w.state.Step {
		return true
	}
	return w.after(ctx, Step{N: w.state.Step, Of: w.Total})
}

// after does what is due after a step, and reports whether the loop goes on.
func (w *watch) after(ctx context.Context, s Step) bool {
	better, ok := w.evaluate(ctx, s)
	if !ok {
		return false
	}
	w.state.Stopped = w.Patience > 0 && w.state.Evaluations.stale(w.MinGain) >= w.Patience
	due := w.SaveEvery > 0 && s.N%w.SaveEvery == 0 || w.SaveAfter > 0 && time.Since(w.saved) >= w.SaveAfter
	if w.Snapshots != nil && (due || better || w.state.Stopped) && !w.save() {
		return false
	}
	if w.state.Stopped {
		w.yield(Stopped{s.N, w.state.Evaluations.best()}, nil)
	}
	return !w.state.Stopped
}

// evaluate evaluates if it is time to, and reports whether that was the best so
// far, and whether the loop goes on.
func (w *watch) evaluate(ctx context.Context, s Step) (better, ok bool) {
	every := w.EvaluateEvery
	if w.HeldOut == nil || s.N != s.Of && (every <= 0 || s.N%every != 0) {
		return false, true
	}
	e, err := w.Evaluate(ctx, w.HeldOut)
	if err != nil {
		w.interrupted(ctx, err)
		return false, false
	}
	return w.state.Evaluations.bestAt(s.N), w.yield(e, nil)
}

func (w *watch) save() bool {
	w.saved = time.Now()
	saved, err := w.Snapshots.Save(w.Run)
	if err != nil {
		saved = Saved{Step: w.state.Step, Err: err}
	}
	return w.yield(saved, nil)
}
