// Package oracle has tests alone: they compare graft's backward pass, which is
// written by hand, with one that a program derived. The two-layer Llama of the
// reference values is built as an expression graph of gorgonia in float64,
// with grouped queries, rotary embedding, SwiGLU, adapters on every linear layer
// and cross-entropy, and gorgonia differentiates it. But for the reader of the
// weights' files the two share no code.
package oracle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/safetensors"
)

const folder = "../golden/testdata/llama_rslora"

// answers are what both sides compute.
type answers struct {
	logits []float64
	loss   float64
	grads  map[string][]float64 // of the adapter's parameters
}

// ask evaluates the graph of a model.
func ask(m *llama) (a answers, err error) {
	logits := m.logits()
	loss := m.loss(logits)
	var logitsValue, lossValue G.Value
	G.Read(logits, &logitsValue)
	G.Read(loss, &lossValue)
	var params G.Nodes
	for _, name := range slices.Sorted(maps.Keys(m.params)) {
		params = append(params, m.params[name])
	}
	if _, err := G.Grad(loss, params...); err != nil {
		return a, err
	}
	vm := G.NewTapeMachine(m.ExprGraph, G.BindDualValues(params...))
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		return a, err
	}
	a = answers{logits: logitsValue.Data().([]float64), loss: lossValue.Data().(float64), grads: map[string][]float64{}}
	for name, n := range m.params {
		g, err := n.Grad()
		if err != nil {
			return a, err
		}
		a.grads[name] = matrix{n.Shape()[0], n.Shape()[1], g.Data().([]float64)}.transpose().v
	}
	return a, nil
}

func open(t *testing.T, path string) *safetensors.File {
	t.Helper()
	f, err := safetensors.Open(filepath.Join(folder, path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// weights returns the values of the model's and the adapter's tensors.
func weights(t *testing.T) func(name string) matrix {
	base, adapter := open(t, "model/model.safetensors"), open(t, "adapter_init/adapter_model.safetensors")
	return func(name string) matrix {
		v, ok := base.Tensor(name)
		if !ok {
			v, ok = adapter.Tensor("base_model.model." + name)
		}
		if !ok {
			t.Fatalf("no tensor %s", name)
		}
		f := make([]float32, v.Len())
		if err := v.Float32s(f); err != nil {
			t.Fatal(err)
		}
		rows := 1
		if len(v.Shape) == 2 {
			rows = v.Shape[0]
		}
		return fill(rows, len(f)/rows, func(i, j int) float64 { return float64(f[i*len(f)/rows+j]) })
	}
}

// sequences packs the three of the folder.
func sequences(t *testing.T) (b model.Batch) {
	f := open(t, "out.safetensors")
	ints := func(name string) (v []int32) {
		s, ok := f.Tensor(name)
		if !ok {
			t.Fatalf("no tensor %s", name)
		}
		for i := range s.Len() {
			v = append(v, int32(binary.LittleEndian.Uint32(s.Data[4*i:])))
		}
		return v
	}
	for i := range 3 {
		b.Starts = append(b.Starts, int32(len(b.Tokens)))
		b.Tokens = append(b.Tokens, ints(fmt.Sprintf("seq%d.ids", i))...)
		b.Labels = append(b.Labels, ints(fmt.Sprintf("seq%d.labels", i))...)
	}
	return b
}

// graft computes the same by graft.
func graft(t *testing.T, b model.Batch) answers {
	t.Helper()
	m, err := model.Open(kernels.Checked(cpu.New(0)), filepath.Join(folder, "model"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	adapter, err := lora.Load(m, filepath.Join(folder, "adapter_init"))
	if err != nil {
		t.Fatal(err)
	}
	p := m.NewPass()
	defer p.Close()
	logits, err := p.Logits(b)
	if err != nil {
		t.Fatal(err)
	}
	var loss model.Loss
	if err := p.LossGrad(b, b.CountLabels(), &loss); err != nil {
		t.Fatal(err)
	}
	a := answers{logits: float64s(logits), loss: loss.Mean(), grads: map[string][]float64{}}
	for _, param := range adapter.Params() {
		g := make([]float32, param.Grad.Len())
		m.Device.Read(g, param.Grad)
		a.grads[param.Name[len("base_model.model."):]] = float64s(g)
	}
	return a
}

func float64s(v []float32) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

// Float32 rounds by up to 2^-24, 6e-8, and a number here has gone through some
// thirty sums of up to 106 terms, forward and back. The largest deviations
// measured are 3.1e-6 in the logits, 1.8e-6 of its largest magnitude in a
// gradient, 1.9e-8 in the loss; four to five times as much is allowed.
const (
	logitBound = 1.2e-5 // absolute, of logits up to 4
	gradBound  = 8e-6   // of the tensor's largest magnitude
	lossBound  = 1e-7   // relative
)

// compare returns every deviation beyond the bounds.
func compare(got, want answers) error {
	var faults []error
	if off, _ := apart(got.logits, want.logits); !(off <= logitBound) {
		faults = append(faults, fmt.Errorf("logits are off by %.3g", off))
	}
	if off := math.Abs(got.loss-want.loss) / want.loss; !(off <= lossBound) {
		faults = append(faults, fmt.Errorf("the loss is off by %.3g of it", off))
	}
	return errors.Join(append(faults, compareGrads(got.grads, want.grads))...)
}

func compareGrads(got, want map[string][]float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d gradients, want %d", len(got), len(want))
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(want)) {
		off, top := apart(got[name], want[name])
		if top == 0 {
			faults = append(faults, fmt.Errorf("the gradient of %s is zero", name))
		}
		if !(off <= gradBound*top) {
			faults = append(faults, fmt.Errorf("the gradient of %s is off by %.3g of its largest magnitude", name, off/top))
		}
	}
	return errors.Join(faults...)
}

// apart returns the largest difference of two lists, and the largest magnitude
// in the second.
func apart(a, b []float64) (worst, top float64) {
	if len(a) != len(b) {
		return math.Inf(1), 0
	}
	for i := range a {
		if d := math.Abs(a[i] - b[i]); !(d <= worst) {
			worst = d
		}
		top = max(top, math.Abs(b[i]))
	}
	return worst, top
}

// numbers are those of the folder's config.json and adapter_config.json.
func numbers() hyper {
	return hyper{
		hidden: 32, layers: 2, heads: 4, kvHeads: 2, width: 8, eps: 1e-5, theta: 10000, scale: 8 / math.Sqrt(4),
		kv: func(head, heads, kvHeads int) int { return head / (heads / kvHeads) },
	}
}

func TestOracle(t *testing.T) {
	b := sequences(t)
	got := graft(t, b)
	if n := len(got.grads); n != 2*7*2 {
		t.Fatalf("%d parameters: want A and B of seven layers in two blocks", n)
	}
	want, err := ask(newLlama(numbers(), b, weights(t)))
	if err != nil {
		t.Fatal(err)
	}
	if err := compare(got, want); err != nil {
		t.Error(err)
	}
}

// TestFaultsAreSeen plants faults in the graph: each must break the gradients'
// bound.
func TestFaultsAreSeen(t *testing.T) {
	b := sequences(t)
	got := graft(t, b)
	for name, fault := range map[string]func(*hyper, *model.Batch){
		"frequencies":          func(h *hyper, b *model.Batch) { h.theta *= 1.01 },
		"norm eps":             func(h *hyper, b *model.Batch) { h.eps = 1e-6 },
		"scale without a root": func(h *hyper, b *model.Batch) { h.scale = 8.0 / 4 },
		"groups of queries":    func(h *hyper, b *model.Batch) { h.kv = func(head, heads, kvHeads int) int { return head % kvHeads } },
		"sequences not apart":  func(h *hyper, b *model.Batch) { b.Starts = []int32{0} },
		"one label more":       func(h *hyper, b *model.Batch) { b.Labels[1] = b.Tokens[1] },
		"another token":        func(h *hyper, b *model.Batch) { b.Tokens[len(b.Tokens)-2]++ },
	} {
		t.Run(name, func(t *testing.T) {
			h, faulty := numbers(), sequences(t)
			fault(&h, &faulty)
			want, err := ask(newLlama(h, faulty, weights(t)))
			if err != nil {
				t.Fatal(err)
			}
			if compareGrads(got.grads, want.grads) == nil {
				t.Error("not seen")
			}
		})
	}
}
