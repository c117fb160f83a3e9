package train

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/kerneltest"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
)

// fromJSON reads a file that scripts/train-golden made.
func fromJSON[T any](t *testing.T, name string) (v T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// tensors are values by parameter.
type tensors map[string][]float32

// peers is what other libraries made of the same values and gradients.
type peers struct {
	Start     tensors
	Gradients []tensors
	After     map[string][]tensors // by optimiser and step
}

// params returns parameters with the values of start.
func params(t *testing.T, dev kernels.Device, start tensors) (ps []*model.Param) {
	t.Helper()
	shapes := map[string][2]int{"matrix": {3, 5}, "vector": {1, 7}, "x.lora_A.w": {2, 4}, "x.lora_B.w": {4, 2}}
	for _, name := range slices.Sorted(maps.Keys(start)) {
		p, err := model.NewParam(dev, name, shapes[name][0], shapes[name][1])
		if err != nil {
			t.Fatal(err)
		}
		dev.Write(p.Value, start[name])
		ps = append(ps, p)
	}
	return ps
}

func read(dev kernels.Device, t kernels.Tensor) []float32 {
	v := make([]float32, t.Len())
	dev.Read(v, t)
	return v
}

// optimizerCases are the configurations whose weights scripts/train-golden has.
var optimizerCases = map[string]Config{
	"adamw":     {WeightDecay: 0.1},
	"lion":      {Optimizer: ByLion, WeightDecay: 0.1},
	"sgd":       {Optimizer: BySGD, WeightDecay: 0.1},
	"adafactor": {Optimizer: ByAdafactor, WeightDecay: 0.1},
	"loraplus":  {WeightDecay: 0.1, Rates: []Rate{{".lora_B.", 16}, {"vector", 16}}},
	"ema":       {WeightDecay: 0.1, Average: 0.7},
}

// Every optimiser takes the steps that PyTorch, transformers, PEFT and
// lion-pytorch take, on any device, also when it is saved and resumed half-way.
func TestOptimizersAgree(t *testing.T) {
	want := fromJSON[peers](t, "optimizers.json")
	if len(want.After) != len(optimizerCases) {
		t.Fatalf("%d optimisers in the file", len(want.After))
	}
	for name, c := range optimizerCases {
		if c.Optimizer == ByAdamW {
			small := c
			small.Optimizer = ByAdamW8 // keeps the moments of so small parameters in float32
			t.Run(name+" in 8 bits", func(t *testing.T) { agree(t, kernels.Checked(cpu.New(1)), small, want, name) })
		}
		for place, dev := range map[string]kernels.Device{"cpu": cpu.New(2), "opaque": kerneltest.NewOpaque(cpu.New(1))} {
			t.Run(name+" on "+place, func(t *testing.T) { agree(t, kernels.Checked(dev), c, want, name) })
		}
	}
}

func agree(t *testing.T, dev kernels.Device, c Config, want peers, name string) {
	ps := params(t, dev, want.Start)
	o, err := NewOptimizer(dev, ps, c)
	if err != nil {
		t.Fatal(err)
	}
	for n, gradients := range want.Gradients {
		if n == 3 {
			o = resumed(t, dev, ps, c, o, n)
		}
		for _, p := range ps {
			dev.Write(p.Grad, doubled(gradients[p.Name]))
		}
		if err := o.Step(1e-2, 0.5); err != nil {
			t.Fatal(err)
		}
		for i, p := range ps {
			value := p.Value
			if a, ok := o.(*average); ok {
				value = a.means[i]
			}
			compare(t, read(dev, value), want.After[name][n][p.Name], p.Name, n+1)
			if slices.ContainsFunc(read(dev, p.Grad), func(x float32) bool { return x != 0 }) || p.Version != uint64(n+1) {
				t.Errorf("%s: gradient kept, or version %d", p.Name, p.Version)
			}
		}
	}
	o.Close()
}

func doubled(v []float32) []float32 {
	twice := make([]float32, len(v))
	for i, x := range v {
		twice[i] = 2 * x
	}
	return twice
}

// resumed returns another optimiser with the memory of o.
func resumed(t *testing.T, dev kernels.Device, ps []*model.Param, c Config, o Optimizer, steps int) Optimizer {
	t.Helper()
	other, err := NewOptimizer(dev, ps, c)
	if err != nil {
		t.Fatal(err)
	}
	from, err := o.State()
	if err != nil {
		t.Fatal(err)
	}
	to, err := other.State()
	if err != nil || len(to) != len(from) || len(to) == 0 {
		t.Fatalf("%d and %d states, %v", len(from), len(to), err)
	}
	for i, s := range from {
		if to[i].Name != s.Name {
			t.Errorf("state %s became %s", s.Name, to[i].Name)
		}
		dev.Write(to[i].Tensor, read(dev, s.Tensor))
	}
	other.SetSteps(steps)
	o.Close()
	return other
}

// compare allows float32's rounding of each step, relative to a weight of 1.
func compare(t *testing.T, got, want []float32, name string, step int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", name, len(got), len(want))
	}
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= float64(step)*2e-7*max(1, math.Abs(float64(want[i])))) {
			t.Errorf("step %d: %s[%d] = %v, want %v", step, name, i, got[i], want[i])
			return
		}
	}
}

// From the step after its warmup on a schedule is transformers'; in it a step
// takes the rate of transformers' next one.
func TestSchedulesAgree(t *testing.T) {
	type curve struct {
		Warmup int
		Rates  []float64
	}
	all := fromJSON[map[string][]curve](t, "schedules.json")
	if len(all) != len(scheduleNames) {
		t.Errorf("%d schedules in the file", len(all))
	}
	for name, curves := range all {
		var s Schedule
		if err := s.UnmarshalText([]byte(name)); err != nil || s.String() != name {
			t.Error(s, err)
		}
		for _, want := range curves {
			total := len(want.Rates)
			c := Config{LR: 1, Schedule: s, Cycles: 3, Decay: 0.25, Warmup: float64(want.Warmup) / float64(total), NoWarmup: want.Warmup == 0}.withDefaults(false)
			for n := range total {
				from := n
				if n < want.Warmup {
					from = n + 1
				}
				if got := c.rate(n, total); !(math.Abs(got-want.Rates[from]) < 1e-12) {
					t.Errorf("%s, warmup %d: rate of step %d is %v, want %v", name, want.Warmup, n, got, want.Rates[from])
					break
				}
			}
		}
	}
}

// The gradient of a smoothed and penalised objective is PyTorch's, and the loss
// that is reported is the plain one.
func TestObjectivesAgree(t *testing.T) {
	cases := fromJSON[[]struct {
		Smoothing, Penalty     float32
		Logits, Loss, Gradient []float32
		Targets                []int32
	}](t, "losses.json")
	dev := kernels.Checked(cpu.New(1))
	for _, c := range cases {
		n := len(c.Targets)
		tensor := func(rows, cols int, v []float32) kernels.Tensor {
			p, err := model.NewParam(dev, "x", rows, cols)
			if err != nil {
				t.Fatal(err)
			}
			dev.Write(p.Value, v)
			return p.Value
		}
		logits, stats := tensor(n, len(c.Logits)/n, c.Logits), tensor(n, 3, make([]float32, 3*n))
		h := kernels.CrossEntropy{Smoothing: c.Smoothing, Penalty: c.Penalty}
		dev.CrossEntropy(stats, logits, tensor(n, 1, slices.Repeat([]float32{1}, n)), kernels.Ints{Host: c.Targets}, h)
		compare(t, read(dev, logits), c.Gradient, "gradient", 10)
		for i, want := range c.Loss {
			compare(t, read(dev, stats)[3*i:3*i+1], []float32{want}, "loss", 10)
		}
	}
	if len(cases) != 4 {
		t.Errorf("%d cases", len(cases))
	}
}

// Every algorithm lowers the loss of a run at its own rate.
func TestAlgorithmsLearn(t *testing.T) {
	for a := range algorithmNames {
		m, _ := adapted(t, kernels.Checked(cpu.New(2)), lora.Config{})
		all := steps(t, m, randomSet(4), Config{Optimizer: Algorithm(a), Steps: 30, Batch: 4, LR: 20 * Algorithm(a).peak(false)})
		if first, last := all[0].Loss, all[29].Loss; !(last < 0.9*first) {
			t.Errorf("%s: loss went from %v to %v", Algorithm(a), first, last)
		}
		var read Algorithm
		if text, err := Algorithm(a).MarshalText(); err != nil || read.UnmarshalText(text) != nil || read != Algorithm(a) {
			t.Errorf("%s: %v", text, err)
		}
	}
	var a Algorithm
	if err := a.UnmarshalText([]byte("muon")); err == nil || !strings.Contains(err.Error(), "adafactor") {
		t.Errorf("error %v", err)
	}
}

// Swapping twice changes nothing; swapped once the model has the average.
func TestSwapAverage(t *testing.T) {
	m, a := adapted(t, kernels.Checked(cpu.New(1)), lora.Config{})
	run, err := New(m, randomSet(4), Config{Steps: 4, Batch: 4, LR: 1e-2, Average: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if err := run.SwapAverage(); err == nil {
		t.Error("an average before the first step")
	}
	var sum [][]float32
	for s, err := range run.Steps(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values(m, a) {
			if s.N == 1 {
				sum = append(sum, v)
				continue
			}
			for j := range v {
				sum[i][j] += (v[j] - sum[i][j]) / 2
			}
		}
	}
	last := values(m, a)
	if err := run.SwapAverage(); err != nil {
		t.Fatal(err)
	}
	for i, v := range values(m, a) {
		compare(t, v, sum[i], a.Params()[i].Name, 4)
	}
	if err := run.SwapAverage(); err != nil || !slices.EqualFunc(values(m, a), last, slices.Equal[[]float32]) {
		t.Error("swapping twice changes the weights", err)
	}
}

// A budget of tokens takes as many samples as stay within it, epoch by epoch.
func TestBatchTokens(t *testing.T) {
	m, _ := adapted(t, kernels.Checked(cpu.New(1)), lora.Config{})
	set := randomSet(11)
	run, err := New(m, set, Config{Epochs: 2, BatchTokens: 40})
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	tokens, n := 0, 0
	for s, err := range run.Steps(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		end := s.Epoch == 1 || s.Epoch == 2
		if s.Tokens <= 40-27 && !end || s.Tokens > 40 {
			t.Errorf("step %d has %d tokens", s.N, s.Tokens)
		}
		n, tokens = s.N, tokens+s.Tokens
	}
	if n != run.Total || n < 6 || tokens != 2*set.Tokens() {
		t.Errorf("%d steps of %d, %d tokens", n, run.Total, tokens)
	}
}

// BenchmarkStep steps 2 million parameters in matrices of an adapter's shapes.
func BenchmarkStep(b *testing.B) {
	dev := cpu.New(0)
	var ps []*model.Param
	for range 64 {
		for _, shape := range [][2]int{{16, 1024}, {1024, 16}} {
			p, err := model.NewParam(dev, "x", shape[0], shape[1])
			if err != nil {
				b.Fatal(err)
			}
			ps = append(ps, p)
		}
	}
	for a := range algorithmNames {
		b.Run(Algorithm(a).String(), func(b *testing.B) {
			o, err := NewOptimizer(dev, ps, Config{Optimizer: Algorithm(a)})
			if err != nil {
				b.Fatal(err)
			}
			defer o.Close()
			b.SetBytes(4 * 64 * 2 * 16 * 1024)
			for b.Loop() {
				for _, p := range ps {
					dev.Fill(p.Grad, 1e-3)
				}
				if err := o.Step(1e-4, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
