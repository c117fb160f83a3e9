package train

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/kerneltest"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/safetensors"
)

// numbers are those of testdata/make.py: of both signs, over eleven octaves.
func numbers(n, seed int) []float32 {
	x := make([]float32, n)
	for i := range x {
		bits := uint32(uint64(i)*2654435761+uint64(seed)*362437) >> 8
		x[i] = (float32(bits)/(1<<24) - 0.5) * float32(math.Ldexp(1, -(i%11)))
	}
	return x
}

// parameter makes one of the given values.
func parameter(t *testing.T, dev kernels.Device, name string, rows, cols int, values []float32) *model.Param {
	t.Helper()
	p, err := model.NewParam(dev, name, rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	dev.Write(p.Value, values)
	return p
}

func valuesOf(dev kernels.Device, x kernels.Tensor) []float32 {
	v := make([]float32, x.Len())
	dev.Read(v, x)
	return v
}

// The devices that an optimiser must work on: the second's memory is out of Go's
// reach.
func optimiserDevices() map[string]kernels.Device {
	return map[string]kernels.Device{"cpu": kernels.Checked(cpu.New(2)), "opaque": kernels.Checked(kerneltest.NewOpaque(cpu.New(2)))}
}

// After one step and after six, parameters, codes and scales are bitsandbytes',
// within roundings.
func TestAdamW8AgainstBitsandbytes(t *testing.T) {
	f, err := safetensors.Open("testdata/adamw8.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, dev := range optimiserDevices() {
		t.Run(name, func(t *testing.T) {
			params := []*model.Param{
				parameter(t, dev, "wide", 37, 130, numbers(37*130, 137)),
				parameter(t, dev, "small", 5, 7, numbers(5*7, 105)),
			}
			o, err := NewAdamW8(dev, params, Config{Beta2: 0.95, WeightDecay: 0.1})
			if err != nil {
				t.Fatal(err)
			}
			defer o.Close()
			for step := 1; step <= 6; step++ {
				for _, p := range params {
					dev.Write(p.Grad, numbers(p.Grad.Len(), step))
				}
				if err := o.Step(1e-2, 1); err != nil {
					t.Fatal(err)
				}
				if step != 1 && step != 6 {
					continue
				}
				for _, p := range params {
					key := fmt.Sprintf("%s.%d", p.Name, step)
					near(t, key, valuesOf(dev, p.Value), stored(t, f, key), 1e-6)
				}
				for k, c := range o.codes[0] {
					key := fmt.Sprintf("wide.%d", step)
					near(t, key+".absmax", valuesOf(dev, c.scales), stored(t, f, fmt.Sprintf("%s.absmax%d", key, k+1)), 1e-6)
					alike(t, key+".codes", c.codes, tensor(t, f, fmt.Sprintf("%s.codes%d", key, k+1)).Data)
				}
			}
			if o.codes[1][0].codes != nil || params[1].Version != 6 || slices.ContainsFunc(valuesOf(dev, params[0].Grad), func(g float32) bool { return g != 0 }) {
				t.Error("a small parameter has codes, or steps were not counted, or gradients not cleared")
			}
		})
	}
}

func tensor(t *testing.T, f *safetensors.File, name string) safetensors.Tensor {
	t.Helper()
	x, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("tensor %s is missing", name)
	}
	return x
}

func stored(t *testing.T, f *safetensors.File, name string) []float32 {
	t.Helper()
	x := tensor(t, f, name)
	v := make([]float32, x.Len())
	if err := x.Float32s(v); err != nil {
		t.Fatal(err)
	}
	return v
}

// near compares within a share of the largest value.
func near(t *testing.T, name string, got, want []float32, share float64) {
	t.Helper()
	var off, most float64
	for i := range want {
		off, most = max(off, math.Abs(float64(got[i])-float64(want[i]))), max(most, math.Abs(float64(want[i])))
	}
	if len(got) != len(want) || !(most > 0) || !(off <= share*most) {
		t.Errorf("%s: %d values off by %v of %v, want %d", name, len(got), off, most, len(want))
	}
}

// alike allows a code in a thousand to be its neighbour.
func alike(t *testing.T, name string, got, want []byte) {
	t.Helper()
	differ := 0
	for i := range want {
		d := int(got[i]) - int(want[i])
		if d != 0 {
			differ++
		}
		if d < -1 || d > 1 {
			t.Fatalf("%s: code %d is %d, want %d", name, i, got[i], want[i])
		}
	}
	if len(got) != len(want) || differ > len(want)/1000 {
		t.Errorf("%s: %d of %d codes differ", name, differ, len(want))
	}
}

// A parameter longer than a band moves as its parts would by themselves.
func TestAdamW8Bands(t *testing.T) {
	dev := kernels.Checked(cpu.New(2))
	const tail = 5000
	all, grads := numbers(bandLen+tail, 1), numbers(bandLen+tail, 2)
	params := []*model.Param{parameter(t, dev, "long", 1, len(all), all), parameter(t, dev, "tail", 1, tail, all[bandLen:])}
	o, err := NewAdamW8(dev, params, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for range 3 {
		dev.Write(params[0].Grad, grads)
		dev.Write(params[1].Grad, grads[bandLen:])
		if err := o.Step(1e-2, 0.5); err != nil {
			t.Fatal(err)
		}
	}
	got := valuesOf(dev, params[0].Value)
	if slices.Equal(got, all) || !slices.Equal(got[bandLen:], valuesOf(dev, params[1].Value)) {
		t.Error("the tail of a long parameter differs from the same as a parameter")
	}
	for k, c := range o.codes[0] {
		if !bytes.Equal(c.codes[bandLen:], o.codes[1][k].codes) {
			t.Errorf("codes of moment %d differ", k)
		}
	}
}

func TestAdamW8Overflow(t *testing.T) {
	dev := cpu.New(1)
	p := parameter(t, dev, "w", 64, 64, numbers(4096, 1))
	o, err := NewAdamW8(dev, []*model.Param{p}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	dev.Fill(p.Grad, 1e25) // whose square is not finite
	if err := o.Step(1e-2, 1); err == nil || !strings.Contains(err.Error(), "the moments of w: quant: elements 0 to 255") {
		t.Errorf("error %v", err)
	}
}

// What State lists is all that a step needs from the one before.
func TestAdamW8State(t *testing.T) {
	for name, dev := range optimiserDevices() {
		optimiser := func(values []float32) (*AdamW8, *model.Param) {
			p := parameter(t, dev, "w", 50, 100, values)
			small := parameter(t, dev, "b", 1, 100, values[:100])
			o, err := NewAdamW8(dev, []*model.Param{p, small}, Config{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(o.Close)
			return o, p
		}
		step := func(o *AdamW8, seed int) {
			for _, p := range o.params {
				dev.Write(p.Grad, numbers(p.Grad.Len(), seed))
			}
			if err := o.Step(1e-2, 1); err != nil {
				t.Fatal(err)
			}
		}
		whole, w := optimiser(numbers(5000, 1))
		step(whole, 2)
		again, v := optimiser(valuesOf(dev, w.Value))
		dev.Copy(again.params[1].Value, whole.params[1].Value)
		copyState(t, dev, again, whole)
		again.SetSteps(1)
		step(whole, 3)
		step(again, 3)
		if !slices.Equal(valuesOf(dev, v.Value), valuesOf(dev, w.Value)) || !slices.Equal(valuesOf(dev, again.params[1].Value), valuesOf(dev, whole.params[1].Value)) {
			t.Errorf("%s: resumed from its state, the optimiser steps elsewhere", name)
		}
	}
}

func copyState(t *testing.T, dev kernels.Device, dst, src Optimizer) {
	t.Helper()
	to, err := dst.State()
	if err != nil {
		t.Fatal(err)
	}
	from, err := src.State()
	if err != nil || len(from) != 6 || len(to) != len(from) {
		t.Fatal(len(from), err)
	}
	for i, s := range from {
		if s.Name != to[i].Name || s.Tensor.None() != (s.Bytes != nil) {
			t.Errorf("state %d is %s, want %s", i, to[i].Name, s.Name)
		}
		if s.Bytes != nil {
			copy(to[i].Bytes, s.Bytes)
			continue
		}
		dev.Copy(to[i].Tensor, s.Tensor)
	}
}

// A run with either algorithm learns, and they are not the same.
func TestAlgorithms(t *testing.T) {
	dir := tiny.Dir(t, map[string]any{"hidden_size": 96}) // weights above 4096 elements
	last := map[Algorithm]float64{}
	for _, a := range []Algorithm{ByAdamW, ByAdamW8} {
		m, err := model.Open(kernels.Checked(cpu.New(2)), dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Unfreeze(func(string) bool { return true }); err != nil {
			t.Fatal(err)
		}
		all := steps(t, m, randomSet(4), Config{Steps: 20, Batch: 4, LR: 3e-3, Optimizer: a})
		if last[a] = all[19].Loss; !(last[a] < 0.7*all[0].Loss) {
			t.Errorf("%v: loss went from %v to %v", a, all[0].Loss, last[a])
		}
		var read Algorithm
		if text, err := a.MarshalText(); err != nil || read.UnmarshalText(text) != nil || read != a {
			t.Errorf("%v reads back as %v", a, read)
		}
		m.Close()
	}
	if d := math.Abs(last[ByAdamW] - last[ByAdamW8]); d == 0 || d > 0.1*last[ByAdamW] {
		t.Errorf("last losses %v", last)
	}
	if err := new(Algorithm).UnmarshalText([]byte("sgd8")); err == nil || !strings.Contains(err.Error(), `optimiser "sgd8"`) {
		t.Errorf("error %v", err)
	}
}
