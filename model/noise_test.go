package model

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/kerneltest"
)

// noiseOf returns the noise [T, C] on a batch.
func noiseOf(t *testing.T, m *Model, b Batch, step uint32) []float32 {
	t.Helper()
	p := m.NewPass()
	defer p.Close()
	p.Noise, p.Step = 5, step
	if err := p.begin(b); err != nil {
		t.Fatal(err)
	}
	x := p.Arena.Float32(len(b.Tokens), m.Config.Hidden)
	p.dev.Fill(x, 0)
	p.addNoise(x)
	v := make([]float32, x.Len())
	p.dev.Read(v, x)
	return v
}

// The noise is uniform in ±α/√(L·C), new in every step, and the same for a
// sequence wherever it lies.
func TestNoise(t *testing.T) {
	for name, dev := range map[string]kernels.Device{"cpu": cpu.New(2), "opaque": kerneltest.NewOpaque(cpu.New(1))} {
		m := openTiny(t, kernels.Checked(dev), nil)
		long, short := tiny.Tokens(40, 1), tiny.Tokens(7, 2)
		both := noiseOf(t, m, lay(long, short), 1)
		at := len(long) * m.Config.Hidden
		for i, part := range [][]float32{both[:at], both[at:]} {
			size := 5 / math.Sqrt(float64(len(part)))
			var sum, squares float64
			for _, x := range part {
				sum += float64(x) / float64(len(part))
				squares += float64(x) * float64(x) / float64(len(part))
				if !(math.Abs(float64(x)) <= size) {
					t.Fatalf("%s: noise %v beyond %v", name, x, size)
				}
			}
			n := math.Sqrt(float64(len(part)))
			if !(math.Abs(sum) < 4*size/math.Sqrt(3)/n) || !(math.Abs(squares/(size*size/3)-1) < 4/n) {
				t.Errorf("%s: sequence %d: mean %v, mean square %v of ±%v", name, i, sum, squares, size)
			}
		}
		alone := lay(short)
		alone.Samples[0] = 1
		if !slices.Equal(noiseOf(t, m, alone, 1), both[at:]) {
			t.Errorf("%s: other noise alone", name)
		}
		if slices.Equal(noiseOf(t, m, alone, 2), both[at:]) {
			t.Errorf("%s: the same noise in the next step", name)
		}
	}
}

// Noise and objective change gradients; the loss of an evaluation sees neither.
func TestNoiseAndObjectiveTrainOnly(t *testing.T) {
	m := unfrozen(t, kernels.Checked(cpu.New(1)), nil)
	b := lay(tiny.Tokens(20, 1))
	p := m.NewPass()
	defer p.Close()
	first := func(noise float64, h kernels.CrossEntropy) []float32 {
		p.Noise, p.Objective = noise, h
		var l Loss
		if err := p.LossGrad(b, b.CountLabels(), &l); err != nil {
			t.Fatal(err)
		}
		g := m.Params()[1].Grad
		v := make([]float32, g.Len())
		m.Device.Read(v, g)
		for _, q := range m.Params() {
			m.Device.Fill(q.Grad, 0)
		}
		return v
	}
	loss := func() float64 {
		var l Loss
		if err := p.Loss(b, &l); err != nil {
			t.Fatal(err)
		}
		return l.Mean()
	}
	plain, before := first(0, kernels.CrossEntropy{}), loss()
	for _, other := range [][]float32{first(5, kernels.CrossEntropy{}), first(0, kernels.CrossEntropy{Smoothing: 0.1}), first(0, kernels.CrossEntropy{Penalty: 0.1})} {
		if slices.Equal(plain, other) {
			t.Error("the gradient is the same")
		}
		if loss() != before {
			t.Error("the loss of an evaluation is another")
		}
	}
}
