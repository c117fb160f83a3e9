package train

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/model"
)

// watched runs with care, to the end or that of ctx, and returns what happened.
func watched(t *testing.T, run *Run, ctx context.Context, c Care) (events []string) {
	t.Helper()
	for e, err := range run.Events(ctx, c) {
		switch x := e.(type) {
		case Step:
			events = append(events, fmt.Sprint("step ", x.N))
		case Evaluation:
			events = append(events, fmt.Sprint("evaluation ", x.Step))
		case Saved:
			events = append(events, fmt.Sprint("saved ", x.Step))
			if x.Err != nil {
				events = append(events, x.Err.Error())
			}
		case Stopped:
			events = append(events, fmt.Sprint("stopped ", x.Step))
		}
		if err != nil {
			events = append(events, err.Error())
		}
	}
	return events
}

func TestEvents(t *testing.T) {
	x := newTrial(t)
	x.config = Config{Steps: 5, Batch: 2, LR: 1e-2}
	run, _ := x.start(t)
	held := randomSet(3)
	got := watched(t, run, context.Background(), Care{
		Snapshots: &Snapshots{Dir: t.TempDir(), disk: fastDisk{}}, SaveEvery: 3, HeldOut: held, EvaluateEvery: 2,
	})
	want := []string{"step 1", "step 2", "evaluation 2", "saved 2", "step 3", "saved 3", "step 4", "evaluation 4", "saved 4", "step 5", "evaluation 5", "saved 5"}
	if !slices.Equal(got, want) {
		t.Errorf("events %v\nwant %v", got, want)
	}
	if e := run.Evaluations(); len(e) != 3 || e[0].Labels == 0 || e[2].Loss >= e[0].Loss || math.Abs(math.Log(e[1].Perplexity())-e[1].Loss) > 1e-12 {
		t.Errorf("evaluations %+v", e)
	}
	run, _ = x.start(t)
	if got := watched(t, run, context.Background(), Care{HeldOut: held}); len(got) != 6 || got[5] != "evaluation 5" {
		t.Errorf("without a rhythm: %v", got)
	}
}

// An evaluation is the mean loss that the model has on the samples, however
// they are laid into batches, and moves nothing.
func TestEvaluate(t *testing.T) {
	x := newTrial(t)
	run, a := x.start(t)
	rest(t, run, cut(4))
	held, before := randomSet(7), values(run.model, a)
	var want model.Loss
	pass := run.model.NewPass()
	defer pass.Close()
	for i := range held.Len() {
		s := held.Sample(i)
		if err := pass.Loss(model.Batch{Tokens: s.Tokens, Labels: s.Labels, Starts: []int32{0}}, &want); err != nil {
			t.Fatal(err)
		}
	}
	for _, run.Config.MicroTokens = range []int{1, 50, 5000} {
		e, err := run.Evaluate(context.Background(), held)
		if err != nil || e.Loss != want.Mean() || e.Accuracy != want.Accuracy() || e.Labels != want.Labels || e.Step != 2 {
			t.Errorf("%d tokens at once: %+v, %v; want %v", run.Config.MicroTokens, e, err, want.Mean())
		}
	}
	if !equal(values(run.model, a), before) {
		t.Error("an evaluation moved the parameters")
	}
	if _, err := run.Evaluate(context.Background(), &data.Set{}); err == nil {
		t.Error("an empty set was evaluated on")
	}
	plant(run.model, a.Params()[0].Value, 0, float32(math.NaN()))
	if _, err := run.Evaluate(context.Background(), held); err == nil || !strings.Contains(err.Error(), "evaluation after step 2: the loss is NaN: "+a.Params()[0].Name) {
		t.Errorf("error %v", err)
	}
}

func TestStale(t *testing.T) {
	for _, c := range []struct {
		losses []float64
		gain   float64
		want   int
	}{
		{nil, 0, 0}, {[]float64{3}, 0, 0}, {[]float64{3, 2, 1}, 0, 0}, {[]float64{3, 3}, 0, 1}, {[]float64{3, 1, 2, 2.5}, 0, 2},
		{[]float64{3, 2.9, 2.8}, 0.5, 2}, {[]float64{3, 2.7, 2.4}, 0.5, 0}, {[]float64{1, 2, 0.5, 2}, 0, 1},
	} {
		var e Evaluations
		for i, l := range c.losses {
			e = append(e, Evaluation{Step: i, Loss: l})
		}
		if got := e.stale(c.gain); got != c.want {
			t.Errorf("%v with gain %v: %d, want %d", c.losses, c.gain, got, c.want)
		}
	}
}

// A run whose evaluations get worse ends early; resumed from anywhere it ends
// at the same step.
func TestPatience(t *testing.T) {
	x, dir := newTrial(t), t.TempDir()
	x.config = Config{Steps: 30, Batch: 2, LR: 1, Schedule: Constant, NoWarmup: true}
	care := Care{Snapshots: &Snapshots{Dir: dir, disk: fastDisk{}, Keep: 30}, SaveEvery: 1, HeldOut: randomSet(4), EvaluateEvery: 2, Patience: 2}
	run, _ := x.start(t)
	events := watched(t, run, context.Background(), care)
	end := run.Done()
	if end == 30 || events[len(events)-1] != fmt.Sprint("stopped ", end) {
		t.Fatalf("the run went on to step %d: %v", end, events)
	}
	best, err := care.Snapshots.Best(run)
	if err != nil || best.Step() != end-4 {
		t.Errorf("best step %d of %d, %v", best.Step(), end, err)
	}
	for _, name := range dirNames(t, dir) {
		s, err := OpenSnapshot(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		again, _ := x.start(t)
		if err := again.Resume(s); err != nil {
			t.Fatal(err)
		}
		c := care
		c.Snapshots = nil
		watched(t, again, context.Background(), c)
		if again.Done() != end || !slices.Equal(again.Evaluations(), run.Evaluations()) {
			t.Errorf("resumed from %s: ended at %d, want %d", name, again.Done(), end)
		}
	}
}

// The end of the context is saved, and an evaluation that it kept from
// happening is made up for.
func TestInterruption(t *testing.T) {
	x := newTrial(t)
	x.config = Config{Steps: 4, Batch: 2, MicroTokens: 1, LR: 1e-2}
	held := randomSet(2)
	whole, a := x.start(t)
	watched(t, whole, context.Background(), Care{HeldOut: held, EvaluateEvery: 1})
	for batches := range 14 { // of learning and of evaluation: 4 a step
		care := Care{Snapshots: &Snapshots{Dir: t.TempDir(), disk: fastDisk{}}, HeldOut: held, EvaluateEvery: 1}
		run, _ := x.start(t)
		events := watched(t, run, cut(batches), care)
		if n := len(events); n < 2 || events[n-1] != context.Canceled.Error() || events[n-2] != fmt.Sprint("saved ", run.Done()) {
			t.Fatalf("cut after batch %d: %v", batches, events)
		}
		again, b := x.resume(t, care.Snapshots.Dir)
		watched(t, again, context.Background(), Care{HeldOut: held, EvaluateEvery: 1})
		if !slices.Equal(again.Evaluations(), whole.Evaluations()) || !equal(values(again.model, b), values(whole.model, a)) {
			t.Errorf("cut after batch %d: evaluations %v, want %v", batches, again.Evaluations(), whole.Evaluations())
		}
	}
}

// A full disk does not end a run, unless it is asked for the last snapshot.
func TestFullDisk(t *testing.T) {
	x := newTrial(t)
	x.config = Config{Steps: 2, Batch: 2}
	run, _ := x.start(t)
	care := Care{Snapshots: &Snapshots{Dir: t.TempDir(), disk: &badDisk{left: 1, dead: true}}, SaveEvery: 1}
	full := "train: snapshot: " + errDisk.Error()
	if got, want := watched(t, run, context.Background(), care), []string{"step 1", "saved 1", full, "step 2", "saved 2", full}; !slices.Equal(got, want) {
		t.Errorf("events %q", got)
	}
	run, _ = x.start(t)
	if got := watched(t, run, cut(1), care); !slices.Equal(got, []string{"step 1", "saved 1", full, full}) {
		t.Errorf("events %q", got)
	}
}

// A NaN in the optimiser's memory is caught at the step that it spoils.
func TestNaNInTheOptimizer(t *testing.T) {
	for name, want := range map[string]string{
		"exp_avg.":    "the optimiser's exp_avg.base_model.model.model.layers.0.mlp.gate_proj.lora_B.weight is not finite",
		"exp_avg_sq.": "the optimiser's exp_avg_sq.base_model.model.model.layers.0.mlp.gate_proj.lora_B.weight is not finite",
	} {
		x, dir := newTrial(t), t.TempDir()
		run, _ := x.start(t)
		care := Care{Snapshots: &Snapshots{Dir: dir, disk: fastDisk{}}, SaveEvery: 1}
		var last error
		for e, err := range run.Events(context.Background(), care) {
			if s, ok := e.(Saved); ok && s.Step == 2 {
				plantState(t, run, name+"base_model.model.model.layers.0.mlp.gate_proj.lora_B.weight")
			}
			last = err
		}
		for _, part := range []string{"train: step 3: after the optimiser's step", "layers.0.mlp.gate_proj.lora_B.weight is not finite", want, "set.jsonl:"} {
			if last == nil || !strings.Contains(last.Error(), part) {
				t.Errorf("error %v, want %q", last, part)
			}
		}
		if _, err := care.Snapshots.Save(run); err == nil {
			t.Error("a failed run was saved")
		}
		again, a := x.resume(t, dir)
		if again.Done() != 2 {
			t.Errorf("the last good snapshot is of step %d", again.Done())
		}
		rest(t, again, context.Background())
		if !equal(values(again.model, a), x.whole(t)) {
			t.Error("the last good snapshot leads to another end")
		}
	}
}

func plantState(t *testing.T, run *Run, name string) {
	t.Helper()
	states, err := run.opt.State()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Name == name {
			plant(run.model, s.Tensor, 0, float32(math.NaN()))
			return
		}
	}
	t.Fatalf("no state %s", name)
}

// A NaN that one record alone leads to, through its token's row of the
// embedding, is caught at that record's step.
func TestNaNInTheData(t *testing.T) {
	x := newTrial(t)
	base := tiny.New(tiny.Config(nil), 1)
	base.Tensors["model.embed_tokens.weight"].Values[2*16+3] = float32(math.NaN()) // token 2, which tiny.Tokens never gives
	x.dir = base.Write(t)
	set := randomSet(5)
	set[3].Tokens[1] = 2
	x.set, x.config = set, Config{Batch: 1, NoShuffle: true}
	run, _ := x.start(t)
	events := watched(t, run, context.Background(), Care{})
	want := []string{"step 1", "step 2", "step 3", "train: step 4: the loss is NaN: model.embed_tokens.weight is not finite (set.jsonl:4)"}
	if !slices.Equal(events, want) {
		t.Errorf("events %q", events)
	}
}

// Spikes are told from noise, and a loss that does not come back from a spike.
func TestTrend(t *testing.T) {
	alarms := func(loss func(n int) float64) (list []string) {
		var x trend
		for n := range 200 {
			if a := x.add(loss(n)); a != NoAlarm && (len(list) == 0 || !strings.HasPrefix(list[len(list)-1], string(a))) {
				list = append(list, fmt.Sprint(a, " ", n))
			}
		}
		return list
	}
	noise := func(n int) float64 { return 2 + math.Exp(-float64(n)/30) + 0.2*math.Sin(float64(n*n)) }
	for name, c := range map[string]struct {
		loss func(n int) float64
		want string
	}{
		"noise":     {noise, "[]"},
		"one spike": {func(n int) float64 { return noise(n) + map[bool]float64{true: 4}[n == 100] }, "[spike 100]"},
		"diverging": {func(n int) float64 { return noise(n) + max(0, float64(n-100))*0.1 }, "[divergence 124]"},
		"one start": {func(n int) float64 { return noise(n) + map[bool]float64{true: 9}[n < 3] }, "[]"},
	} {
		if got := fmt.Sprint(alarms(c.loss)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// The average of the first losses is nearly their mean.
func TestTrendOfFewSteps(t *testing.T) {
	var x trend
	for _, loss := range []float64{3, 2, 1} {
		x.add(loss)
	}
	if want := (3*0.81 + 2*0.9 + 1) / (0.81 + 0.9 + 1); math.Abs(x.Mean-want) > 1e-12 {
		t.Errorf("mean %v, want %v", x.Mean, want)
	}
}
