package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/kerneltest"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
)

// randomSet returns samples of different lengths, their first tokens unlabelled.
func randomSet(n int) data.List {
	var s data.List
	for i := range n {
		ids := tiny.Tokens(5+i*7%23, uint64(i))
		labels := slices.Clone(ids)
		labels[1] = model.IgnoreLabel
		s = append(s, data.Sample{Tokens: ids, Labels: labels, Source: fmt.Sprintf("set.jsonl:%d", i+1)})
	}
	return s
}

// adapted opens a random model with a fresh adapter.
func adapted(t *testing.T, dev kernels.Device, c lora.Config) (*model.Model, *lora.Adapter) {
	t.Helper()
	return adaptedDir(t, dev, c, tiny.Dir(t, nil))
}

func adaptedDir(t *testing.T, dev kernels.Device, c lora.Config, dir string) (*model.Model, *lora.Adapter) {
	t.Helper()
	m, err := model.Open(dev, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	c.Base = "tiny"
	a, err := lora.Attach(m, c)
	if err != nil {
		t.Fatal(err)
	}
	return m, a
}

// steps runs a configuration to its end.
func steps(t *testing.T, m *model.Model, set Set, c Config) (all []Step) {
	t.Helper()
	run, err := New(m, set, c)
	if err != nil {
		t.Fatal(err)
	}
	for s, err := range run.Steps(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if len(all) != run.Total {
		t.Errorf("%d steps of %d", len(all), run.Total)
	}
	return all
}

// trained returns the bytes of the adapter that a configuration trains.
func trained(t *testing.T, dev kernels.Device, l lora.Config, c Config) []byte {
	t.Helper()
	m, a := adaptedDir(t, dev, l, tiny.Dir(t, map[string]any{"hidden_size": 96})) // enough for tasks for five workers
	steps(t, m, randomSet(11), c)
	dir := t.TempDir()
	if err := a.Save(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "adapter_model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The same seed gives the same bytes for any number of workers, beyond the
// number of processors too, and every worker takes part.
func TestWorkersChangeNoBit(t *testing.T) {
	l, c := lora.Config{Rank: 4, Dropout: 0.1, Seed: 7}, Config{Epochs: 2, Batch: 4, LR: 1e-2, Seed: 7}
	want := trained(t, kernels.Checked(cpu.New(1)), l, c)
	for _, workers := range []int{2, 5} {
		dev := cpu.New(workers)
		if got := trained(t, kernels.Checked(dev), l, c); !bytes.Equal(got, want) {
			t.Errorf("%d workers: other bytes", workers)
		}
		if n := dev.Tasks(); len(n) != workers || slices.Contains(n, 0) {
			t.Errorf("%d workers ran %v tasks", workers, n)
		}
	}
	c.Seed = 8
	if bytes.Equal(trained(t, kernels.Checked(cpu.New(1)), l, c), want) {
		t.Error("another seed gives the same bytes")
	}
}

// However a step is split into batches, and whether activations are kept or
// computed again, the adapter is the same.
func TestSplittingChangesNoBit(t *testing.T) {
	l, c := lora.Config{Rank: 4, Dropout: 0.1}, Config{Epochs: 2, Batch: 8, LR: 1e-2, Noise: 5, Smoothing: 0.1, Penalty: 1e-3}
	want := trained(t, kernels.Checked(cpu.New(2)), l, c)
	for _, micro := range []int{1, 20, 60} {
		c.MicroTokens = micro
		if !bytes.Equal(trained(t, kernels.Checked(cpu.New(2)), l, c), want) {
			t.Errorf("%d tokens at once: other bytes", micro)
		}
	}
	c.NoRecompute = true
	if !bytes.Equal(trained(t, kernels.Checked(cpu.New(2)), l, c), want) {
		t.Error("without recompute: other bytes")
	}
}

func TestLossFalls(t *testing.T) {
	for name, dev := range map[string]kernels.Device{"cpu": cpu.New(2), "opaque": kerneltest.NewOpaque(cpu.New(2))} {
		m, _ := adapted(t, kernels.Checked(dev), lora.Config{})
		all := steps(t, m, randomSet(4), Config{Steps: 30, Batch: 4, LR: 1e-2})
		first, last := all[0], all[len(all)-1]
		if !(last.Loss < 0.7*first.Loss) {
			t.Errorf("%s: loss went from %v to %v", name, first.Loss, last.Loss)
		}
		if first.N != 1 || first.Of != 30 || first.Labels == 0 || first.Tokens <= first.Labels || !(first.GradNorm > 0) || !(first.TokensPerSec > 0) || last.Left != 0 {
			t.Errorf("%s: %+v, %+v", name, first, last)
		}
	}
}

func TestFullFineTuning(t *testing.T) {
	m, err := model.Open(kernels.Checked(cpu.New(2)), tiny.Dir(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := New(m, randomSet(1), Config{}); err == nil || !strings.Contains(err.Error(), "nothing to train") {
		t.Errorf("error %v", err)
	}
	if err := m.Unfreeze(func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	run, err := New(m, randomSet(4), Config{})
	if err != nil || run.Config.LR != 2e-5 {
		t.Errorf("rate %v, %v", run.Config.LR, err)
	}
	all := steps(t, m, randomSet(4), Config{Steps: 20, Batch: 4, LR: 3e-3})
	if !(all[19].Loss < 0.7*all[0].Loss) {
		t.Errorf("loss went from %v to %v", all[0].Loss, all[19].Loss)
	}
}

func TestSchedules(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		want   map[int]float64 // rate of some of 100 steps
	}{
		"cosine":       {Config{LR: 1}, map[int]float64{0: 1. / 3, 1: 2. / 3, 2: 1, 3: 1, 51: 0.5081, 99: 0.000262}},
		"linear":       {Config{LR: 1, Schedule: Linear, Warmup: 0.1}, map[int]float64{0: 0.1, 9: 1, 10: 1, 55: 0.5, 99: 1. / 90}},
		"constant":     {Config{LR: 2, Schedule: Constant, NoWarmup: true}, map[int]float64{0: 2, 50: 2, 99: 2}},
		"all warmup":   {Config{LR: 1, Warmup: 1}, map[int]float64{0: 0.01, 99: 1}},
		"default rate": {Config{Schedule: Constant}, map[int]float64{50: 2e-4}},
	} {
		d := c.config.withDefaults(false)
		for n, want := range c.want {
			if got := d.rate(n, 100); !(math.Abs(got-want) < 1e-4*want+1e-6) {
				t.Errorf("%s: rate of step %d is %v, want %v", name, n, got, want)
			}
		}
	}
	if r := (Config{LR: 1}).withDefaults(false).rate(0, 1); r != 1 {
		t.Errorf("rate of the only step is %v", r)
	}
}

func TestConfigFaults(t *testing.T) {
	for want, c := range map[string]Config{
		"learning rate -1": {LR: -1}, "learning rate NaN": {LR: math.NaN()}, "unknown schedule 9": {Schedule: 9}, "unknown optimiser 9": {Optimizer: 9}, "warmup 2": {Warmup: 2},
		"-1 epochs": {Epochs: -1}, "-1 steps": {Steps: -1}, "batch of -1": {Batch: -1}, "-1 tokens at once": {MicroTokens: -1},
		"clipping at -1": {Clip: -1}, "betas 1 and": {Beta1: 1}, "eps -1": {Eps: -1}, "weight decay -1": {WeightDecay: -1},
		"-1 cycles": {Cycles: -1}, "decay 2": {Decay: 2}, `-2 times the rate for parameters "x"`: {Rates: []Rate{{"x", -2}}},
		"average that keeps 1": {Average: 1}, "label smoothing 1": {Smoothing: 1}, "penalty -1": {Penalty: -1}, "noise NaN": {Noise: math.NaN()},
		"batch of -1 tokens": {BatchTokens: -1},
		"merge-aware 1.5":    {MergeAware: 1.5},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	var s Schedule
	if err := s.UnmarshalText([]byte("linear")); err != nil || s != Linear {
		t.Error(s, err)
	}
	if err := s.UnmarshalText([]byte("step")); err == nil {
		t.Error("unknown schedule accepted")
	}
}

// Every epoch takes every sample once, in another order; the last step of an
// epoch takes what is left.
func TestEpochs(t *testing.T) {
	m, _ := adapted(t, kernels.Checked(cpu.New(1)), lora.Config{})
	run, err := New(m, randomSet(11), Config{Epochs: 3, Batch: 4, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	var epochs [3][]int
	for n := range run.Total {
		if err := run.deal(); err != nil {
			t.Fatal(err)
		}
		if got, want := len(run.step.all), []int{4, 4, 3}[n%3]; got != want {
			t.Errorf("step %d takes %d samples", n, got)
		}
		for _, number := range run.step.numbers {
			epochs[n/3] = append(epochs[n/3], int(number))
		}
		run.step = nil
	}
	if run.Total != 9 || slices.Equal(epochs[0], epochs[1]) || slices.IsSorted(epochs[0]) {
		t.Errorf("%d steps: %v", run.Total, epochs)
	}
	for _, e := range epochs {
		slices.Sort(e)
		for i := range 11 {
			if e[i] != i {
				t.Errorf("an epoch takes %v", e)
				break
			}
		}
	}
}

func plant(m *model.Model, p kernels.Tensor, at int, x float32) {
	v := make([]float32, p.Len())
	m.Device.Read(v, p)
	v[at] = x
	m.Device.Write(p, v)
}

// A step whose loss or gradient is not finite moves nothing and names step,
// records and tensor.
func TestNonFinite(t *testing.T) {
	for name, c := range map[string]struct {
		plant func(m *model.Model, a *lora.Adapter)
		want  string
	}{
		"adapter": {func(m *model.Model, a *lora.Adapter) { plant(m, a.Params()[4].Value, 3, float32(math.NaN())) },
			"the loss is NaN: base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight is not finite"},
		"base": {func(m *model.Model, a *lora.Adapter) { plant(m, m.Norm.Gain, 2, float32(math.Inf(1))) },
			"model.norm.weight is not finite"},
		"gradient": {func(m *model.Model, a *lora.Adapter) {
			plant(m, a.Params()[2].Grad, 1, float32(math.Inf(-1)))
		}, "the gradient of base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight is not finite"},
	} {
		t.Run(name, func(t *testing.T) {
			m, a := adapted(t, kernels.Checked(cpu.New(1)), lora.Config{})
			run, err := New(m, randomSet(3), Config{Batch: 2, NoShuffle: true})
			if err != nil {
				t.Fatal(err)
			}
			c.plant(m, a)
			before := values(m, a)
			n := 0
			for _, err := range run.Steps(context.Background()) {
				n++
				for _, want := range []string{"train: step 1", c.want, "set.jsonl:1, set.jsonl:2"} {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("error %v, want %q", err, want)
					}
				}
			}
			if n != 1 {
				t.Errorf("%d steps", n)
			}
			for i, v := range values(m, a) {
				for j := range v {
					if v[j] != before[i][j] && !math.IsNaN(float64(v[j])) {
						t.Fatalf("%s moved", a.Params()[i].Name)
					}
				}
			}
		})
	}
}

func values(m *model.Model, a *lora.Adapter) (all [][]float32) {
	for _, p := range a.Params() {
		v := make([]float32, p.Value.Len())
		m.Device.Read(v, p.Value)
		all = append(all, v)
	}
	return all
}

// A countdown is a context that ends when it has been asked so many times.
type countdown struct {
	context.Context
	left *int
}

func (c countdown) Err() error {
	if *c.left--; *c.left < 0 {
		return context.Canceled
	}
	return nil
}

// A run stopped after any batch has the parameters of its last whole step, and
// goes on to the same end.
func TestCancel(t *testing.T) {
	c := Config{Steps: 4, Batch: 3, MicroTokens: 1, LR: 1e-2}
	whole, a := adapted(t, kernels.Checked(cpu.New(1)), lora.Config{})
	var after [][][]float32 // parameters after each step
	after = append(after, values(whole, a))
	run, err := New(whole, randomSet(6), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range run.Steps(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		after = append(after, values(whole, a))
	}
	for cut := range 12 { // batches
		left := cut
		m, a := adapted(t, kernels.Checked(cpu.New(1)), lora.Config{})
		run, err := New(m, randomSet(6), c)
		if err != nil {
			t.Fatal(err)
		}
		var last error
		for _, last = range run.Steps(countdown{context.Background(), &left}) {
		}
		if !errors.Is(last, context.Canceled) || run.Done() != cut/3 || run.state.Accumulated != cut%3 {
			t.Errorf("stopped after batch %d: %v, %+v", cut, last, run.state)
		}
		if !slices.EqualFunc(values(m, a), after[run.Done()], slices.Equal[[]float32]) {
			t.Errorf("stopped after batch %d: the parameters moved", cut)
		}
		for _, err := range run.Steps(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if !slices.EqualFunc(values(m, a), after[c.Steps], slices.Equal[[]float32]) {
			t.Errorf("stopped after batch %d: another end", cut)
		}
	}
}

// A new run begins with no gradient, whatever one before it left.
func TestLeftGradients(t *testing.T) {
	m, _ := adapted(t, kernels.Checked(cpu.New(1)), lora.Config{})
	plant(m, m.Params()[1].Grad, 0, 7)
	if _, err := New(m, randomSet(1), Config{}); err != nil {
		t.Fatal(err)
	}
	g := make([]float32, m.Params()[1].Grad.Len())
	m.Device.Read(g, m.Params()[1].Grad)
	if g[0] != 0 {
		t.Errorf("gradient %v", g[0])
	}
}

func TestSetFaults(t *testing.T) {
	m, _ := adapted(t, kernels.Checked(cpu.New(1)), lora.Config{})
	if _, err := New(m, data.List{}, Config{}); err == nil || !strings.Contains(err.Error(), "no samples") {
		t.Errorf("error %v", err)
	}
	long := randomSet(2)
	long[1].Tokens = tiny.Tokens(65, 1)
	if _, err := New(m, long, Config{}); err == nil || !strings.Contains(err.Error(), "set.jsonl:2: 65 tokens") {
		t.Errorf("error %v", err)
	}
	mute := randomSet(2)
	for i := range mute {
		mute[i].Labels = slices.Repeat([]int32{model.IgnoreLabel}, len(mute[i].Tokens))
	}
	run, err := New(m, mute, Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range run.Steps(context.Background()) {
		if err == nil || !strings.Contains(err.Error(), "no label carries a loss (set.jsonl:") {
			t.Errorf("error %v", err)
		}
	}
}

// A sample that the model has no positions for is named before the run begins.
func TestTooLongForTheModel(t *testing.T) {
	m, _ := adaptedDir(t, cpu.New(1), lora.Config{Rank: 4}, tiny.Dir(t, map[string]any{"max_position_embeddings": 16}))
	ids := tiny.Tokens(17, 1)
	set := data.List{{Tokens: ids[:16], Labels: ids[:16], Source: "a:1"}, {Tokens: ids, Labels: ids, Source: "a:2"}}
	if _, err := New(m, set, Config{}); err == nil || !strings.Contains(err.Error(), "a:2: 17 tokens, more than the model's max_position_embeddings 16") {
		t.Errorf("error %v", err)
	}
}
