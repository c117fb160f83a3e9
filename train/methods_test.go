package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// methodCases are configurations of the loop's methods.
var methodCases = map[string]Config{
	"adafactor":     {Optimizer: ByAdafactor, Schedule: CosineRestarts, Noise: 5},
	"lion":          {Optimizer: ByLion, Schedule: WSD, Smoothing: 0.1, Penalty: 1e-3},
	"sgd":           {Optimizer: BySGD, Schedule: InverseSqrt, WeightDecay: 0.1},
	"loraplus":      {Rates: []Rate{{".lora_B.", 8}}, BatchTokens: 30},
	"average":       {Average: 0.8},
	"average of 8b": {Average: 0.8, Optimizer: ByAdamW8},
}

// A run by any method that is cut and resumed ends in the same bits, averages
// included, and does not go on from a snapshot of another method.
func TestMethodsResume(t *testing.T) {
	for name, c := range methodCases {
		x := newTrial(t)
		c.Epochs, c.Batch, c.MicroTokens, c.LR = 2, 2, 1, 1e-2
		x.config = c
		whole, a := x.start(t)
		rest(t, whole, context.Background())
		run, _ := x.start(t)
		rest(t, run, cut(5))
		dir := t.TempDir()
		if _, err := (&Snapshots{Dir: dir, disk: fastDisk{}}).Save(run); err != nil {
			t.Fatal(err)
		}
		again, b := x.resume(t, dir)
		rest(t, again, context.Background())
		if !equal(values(again.model, b), values(whole.model, a)) {
			t.Errorf("%s: other bits", name)
		}
		if c.Average > 0 {
			if err := errors.Join(again.SwapAverage(), whole.SwapAverage()); err != nil {
				t.Fatal(err)
			}
			if !equal(values(again.model, b), values(whole.model, a)) {
				t.Errorf("%s: other bits of the average", name)
			}
		}
		x.config = newTrial(t).config
		other, _ := x.start(t)
		s, _, err := (&Snapshots{Dir: dir}).Newest()
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Resume(s); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: the snapshot fits another method: %v", name, err)
		}
	}
}

// What differs in the methods is named.
func TestMethodsMismatch(t *testing.T) {
	x, dir := newTrial(t), t.TempDir()
	run, _ := x.start(t)
	rest(t, run, cut(3))
	if _, err := (&Snapshots{Dir: dir, disk: fastDisk{}}).Save(run); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(c *Config){
		"Optimizer": func(c *Config) { c.Optimizer = ByLion }, "Rates": func(c *Config) { c.Rates = []Rate{{"x", 2}} },
		"Noise": func(c *Config) { c.Noise = 1 }, "Average": func(c *Config) { c.Average = 0.5 }, "Smoothing": func(c *Config) { c.Smoothing = 0.1 },
		"Penalty": func(c *Config) { c.Penalty = 0.1 }, "BatchTokens": func(c *Config) { c.BatchTokens = 9 },
		"Cycles": func(c *Config) { c.Cycles = 3 }, "Decay": func(c *Config) { c.Decay = 0.5 },
	} {
		y := x
		change(&y.config)
		other, _ := y.start(t)
		s, _, err := (&Snapshots{Dir: dir}).Newest()
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Resume(s); !errors.Is(err, ErrMismatch) || !strings.Contains(fmt.Sprint(err), "Config."+field+": ") {
			t.Errorf("%s: error %v", field, err)
		}
	}
}

// An evaluation is that of the average, the best snapshot holds the best one,
// and evaluating changes nothing.
func TestAverageIsEvaluated(t *testing.T) {
	x, dir := newTrial(t), t.TempDir()
	x.config.Average, x.config.Steps = 0.8, 8
	run, a := x.start(t)
	shots := &Snapshots{Dir: dir, disk: fastDisk{}}
	best, last := math.Inf(1), Evaluation{}
	for e, err := range run.Events(t.Context(), Care{HeldOut: randomSet(5), EvaluateEvery: 2, Snapshots: shots}) {
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := e.(Evaluation); ok {
			best, last = min(best, e.Loss), e
		}
	}
	before := values(run.model, a)
	if e, err := run.Evaluate(t.Context(), randomSet(5)); err != nil || e != last {
		t.Errorf("%+v after the end, %+v at it, %v", e, last, err)
	}
	if !equal(values(run.model, a), before) {
		t.Error("evaluating moved the weights")
	}
	s, err := shots.Best(run)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(run.LoadWeights(s), run.SwapAverage()); err != nil {
		t.Fatal(err)
	}
	run.opt.(*average).steps = 0 // so that Evaluate takes the weights as they are
	if e, err := run.Evaluate(t.Context(), randomSet(5)); err != nil || e.Loss != best {
		t.Errorf("the best average has loss %v, when it was evaluated %v, %v", e.Loss, best, err)
	}
}
