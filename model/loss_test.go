package model

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/kerneltest"
)

// lay lays sequences into a batch, all but the first few tokens labelled.
func lay(sequences ...[]int32) (b Batch) {
	for i, s := range sequences {
		b.Starts = append(b.Starts, int32(len(b.Tokens)))
		b.Samples = append(b.Samples, int32(i))
		b.Tokens = append(b.Tokens, s...)
		labels := slices.Clone(s)
		for j := range min(i+1, len(s)) {
			labels[j] = IgnoreLabel
		}
		b.Labels = append(b.Labels, labels...)
	}
	return b
}

func unfrozen(t *testing.T, dev kernels.Device, changes map[string]any) *Model {
	t.Helper()
	m := openTiny(t, dev, changes)
	if err := m.Unfreeze(func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	return m
}

// grads runs batches of one step and returns the loss and every gradient.
func grads(t *testing.T, m *Model, recompute bool, batches ...Batch) (Loss, map[string][]float32) {
	t.Helper()
	p := m.NewPass()
	defer p.Close()
	p.Recompute = recompute
	labels, loss := 0, Loss{}
	for _, b := range batches {
		labels += b.CountLabels()
	}
	for _, b := range batches {
		if err := p.LossGrad(b, labels, &loss); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string][]float32{}
	for _, param := range m.Params() {
		g := make([]float32, param.Grad.Len())
		m.Device.Read(g, param.Grad)
		m.Device.Fill(param.Grad, 0)
		all[param.Name] = g
	}
	return loss, all
}

func equalGrads(t *testing.T, what string, a, b map[string][]float32) {
	t.Helper()
	if len(a) != len(b) || len(a) == 0 {
		t.Errorf("%s: %d and %d gradients", what, len(a), len(b))
	}
	for name, g := range a {
		if !slices.Equal(g, b[name]) {
			t.Errorf("%s: the gradients of %s differ", what, name)
		}
		if !slices.ContainsFunc(g, func(x float32) bool { return x != 0 }) {
			t.Errorf("%s: the gradient of %s is zero", what, name)
		}
	}
}

var familyChanges = map[string]map[string]any{
	"llama":   {"attention_bias": true, "mlp_bias": true},
	"mistral": {"model_type": "mistral", "sliding_window": 5},
	"qwen2":   {"model_type": "qwen2"},
	"qwen3":   {"model_type": "qwen3", "head_dim": 6},
}

func TestRecomputeChangesNoBit(t *testing.T) {
	for name, changes := range familyChanges {
		t.Run(name, func(t *testing.T) {
			m := unfrozen(t, testDevice(), changes)
			b := lay(tiny.Tokens(17, 1), tiny.Tokens(3, 2), tiny.Tokens(29, 3))
			loss, want := grads(t, m, false, b)
			again, got := grads(t, m, true, b)
			if loss != again {
				t.Errorf("losses %v and %v", loss, again)
			}
			equalGrads(t, "recompute", want, got)
		})
	}
}

// The head is not tied: a tied embedding sums the head's and the embedding's
// gradients in another order.
func TestPackingChangesNoBit(t *testing.T) {
	for name, changes := range familyChanges {
		t.Run(name, func(t *testing.T) {
			m := unfrozen(t, testDevice(), changes)
			a, b, c := tiny.Tokens(17, 1), tiny.Tokens(2, 2), tiny.Tokens(29, 3)
			loss, want := grads(t, m, false, lay(a, b, c))
			parts := []Batch{lay(a), lay(b), lay(c)}
			for i := range parts { // label as many as in the whole
				for j := range min(i+1, len(parts[i].Labels)) {
					parts[i].Labels[j] = IgnoreLabel
				}
			}
			again, got := grads(t, m, false, parts...)
			if loss != again {
				t.Errorf("losses %v and %v", loss, again)
			}
			equalGrads(t, "packing", want, got)
		})
	}
}

// Long sequences and many labels need several runs and chunks.
func TestManyChunks(t *testing.T) {
	m := unfrozen(t, testDevice(), map[string]any{"max_position_embeddings": 700})
	a, b := tiny.Tokens(600, 1), tiny.Tokens(300, 2)
	loss, want := grads(t, m, false, lay(a, b))
	parts := []Batch{lay(a), lay(b)}
	parts[1].Labels[1] = IgnoreLabel
	again, got := grads(t, m, true, parts...)
	if loss != again || loss.Labels != 599+298 {
		t.Errorf("losses %+v and %+v", loss, again)
	}
	equalGrads(t, "chunks", want, got)
}

func TestWorkersChangeNoBit(t *testing.T) {
	b := lay(tiny.Tokens(17, 1), tiny.Tokens(29, 3))
	_, want := grads(t, unfrozen(t, kernels.Checked(cpu.New(1)), nil), false, b)
	for _, workers := range []int{2, 5} {
		_, got := grads(t, unfrozen(t, kernels.Checked(cpu.New(workers)), nil), false, b)
		equalGrads(t, "workers", want, got)
	}
}

// The second device keeps activations in bfloat16 where Go cannot reach them. The
// loss is the same with recompute; gradients are as close to those in float32,
// though blocks start from rounded inputs then.
func TestOpaqueDevice(t *testing.T) {
	for name, changes := range familyChanges {
		t.Run(name, func(t *testing.T) {
			b := lay(tiny.Tokens(17, 1), tiny.Tokens(29, 3))
			loss, want := grads(t, unfrozen(t, testDevice(), changes), false, b)
			dev := kernels.Checked(kerneltest.NewOpaque(cpu.New(2)))
			kept, k := grads(t, unfrozen(t, dev, changes), false, b)
			got, g := grads(t, unfrozen(t, dev, changes), true, b)
			if !(math.Abs(got.Mean()-loss.Mean()) < 0.02*loss.Mean()) || got.Mean() == loss.Mean() || got != kept {
				t.Errorf("loss %v, with activations kept %v, in float32 %v", got.Mean(), kept.Mean(), loss.Mean())
			}
			var all [3][]float32
			for name := range want {
				for i, x := range [][]float32{want[name], k[name], g[name]} {
					all[i] = append(all[i], x...)
					if d := relativeDistance(x, want[name]); !(d < 0.1) {
						t.Errorf("gradient of %s is off by %v of its length", name, d)
					}
				}
			}
			if far, again := relativeDistance(all[1], all[0]), relativeDistance(all[2], all[0]); !(again < 1.25*far) {
				t.Errorf("the gradient is off by %v of its length, computed again by %v", far, again)
			}
		})
	}
}

func relativeDistance(a, b []float32) float64 {
	var d, n float64
	for i := range a {
		d += float64(a[i]-b[i]) * float64(a[i]-b[i])
		n += float64(b[i]) * float64(b[i])
	}
	return math.Sqrt(d / n)
}

// Whatever part of a model trains, it gets the gradient that it gets when all
// of it does, and nothing else gets one.
func TestPartsTrainAlone(t *testing.T) {
	b := lay(tiny.Tokens(17, 1), tiny.Tokens(29, 3))
	_, want := grads(t, unfrozen(t, testDevice(), familyChanges["qwen3"]), false, b)
	for name := range want {
		m := openTiny(t, testDevice(), familyChanges["qwen3"])
		if err := m.Unfreeze(func(n string) bool { return n == name }); err != nil {
			t.Fatal(err)
		}
		for _, recompute := range []bool{false, true} {
			_, got := grads(t, m, recompute, b)
			equalGrads(t, name, map[string][]float32{name: want[name]}, got)
		}
	}
}

func TestLossIsLossGrads(t *testing.T) {
	m := unfrozen(t, testDevice(), nil)
	b := lay(tiny.Tokens(17, 1), tiny.Tokens(29, 3))
	want, _ := grads(t, m, false, b)
	p := m.NewPass()
	defer p.Close()
	var got Loss
	if err := p.Loss(b, &got); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if want.Labels != 16+27 || want.Entropy <= 0 || want.Sum <= 0 || want.Accuracy() < 0 || want.Accuracy() > 1 {
		t.Errorf("%+v", want)
	}
}

func TestUnlabelledBatch(t *testing.T) {
	m := unfrozen(t, testDevice(), nil)
	b := Batch{Tokens: tiny.Tokens(5, 1), Starts: []int32{0}}
	p := m.NewPass()
	defer p.Close()
	var loss Loss
	if err := p.LossGrad(b, 1, &loss); err != nil || loss != (Loss{}) {
		t.Errorf("%+v, %v", loss, err)
	}
}

func TestBatchFaults(t *testing.T) {
	m := openTiny(t, testDevice(), nil)
	ids := []int32{3, 4, 5}
	for want, b := range map[string]Batch{
		"empty batch":                                       {},
		"first sequence starts at 0":                        {Tokens: ids, Starts: []int32{1}},
		"3 tokens with 2 labels":                            {Tokens: ids, Labels: ids[:2], Starts: []int32{0}},
		"1 sequences with 2 sample numbers":                 {Tokens: ids, Starts: []int32{0}, Samples: []int32{0, 1}},
		"sequence 1 of the batch covers tokens 5 to 3":      {Tokens: ids, Starts: []int32{0, 5}},
		"sequence 0 of the batch covers tokens 0 to 0":      {Tokens: ids, Starts: []int32{0, 0}},
		"token 48 at 1 is outside the vocabulary":           {Tokens: []int32{3, 48}, Starts: []int32{0}},
		"token -1 at 0 is outside the vocabulary":           {Tokens: []int32{-1}, Starts: []int32{0}},
		"label -1 at 1 is outside the vocabulary":           {Tokens: ids, Labels: []int32{3, -1, 5}, Starts: []int32{0}},
		"65 tokens is longer than the model's max_position": {Tokens: tiny.Tokens(65, 1), Starts: []int32{0}},
	} {
		p := m.NewPass()
		if _, err := p.Logits(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		p.Close()
	}
	p := m.NewPass()
	defer p.Close()
	if err := p.LossGrad(lay(ids), 2, &Loss{}); err == nil || !strings.Contains(err.Error(), "nothing to train") {
		t.Errorf("error %v", err)
	}
}

// Two passes over one model may run at once.
func TestPassesAtOnce(t *testing.T) {
	m := openTiny(t, testDevice(), nil)
	b := lay(tiny.Tokens(40, 1))
	p := m.NewPass()
	want, err := p.Logits(b)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	done := make(chan []float32)
	for range 4 {
		go func() {
			p := m.NewPass()
			defer p.Close()
			got, _ := p.Logits(b)
			done <- got
		}()
	}
	for range 4 {
		if !slices.Equal(<-done, want) {
			t.Error("passes disturb each other")
		}
	}
}
