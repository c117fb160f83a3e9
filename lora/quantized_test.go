package lora

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/safetensors"
	"github.com/seed-5afa5581/graft/quant"
)

// openQuantized opens a bfloat16 model in 4 bits.
func openQuantized(t *testing.T, dir string) *model.Model {
	t.Helper()
	return openAs(t, dir, quant.NF4)
}

func openAs(t *testing.T, dir string, kind quant.Type) *model.Model {
	t.Helper()
	m, err := model.OpenWith(kernels.Checked(cpu.New(2)), dir, model.Options{Quantize: &quant.Config{Type: kind}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func bf16Dir(t *testing.T) string {
	c := tiny.New(tiny.Config(nil), 1)
	c.DType = safetensors.BF16
	return c.Write(t)
}

func weights(t *testing.T, m *model.Model, w kernels.Matrix) []float32 {
	t.Helper()
	mem, err := m.Device.Alloc(kernels.Float32, w.Rows*w.Cols)
	if err != nil {
		t.Fatal(err)
	}
	x := kernels.Tensor{Rows: w.Rows, Cols: w.Cols, Kind: kernels.Float32, Mem: mem}
	m.Device.Expand(x, w, 0)
	v := make([]float32, x.Len())
	m.Device.Read(v, x)
	return v
}

// Merging computes in float32 whatever the device multiplies in, and rounds
// once.
func TestMergeRoundsOnce(t *testing.T) {
	m := openDir(t, kernels.Checked(cpu.New(2)), bf16Dir(t))
	a := attachRandom(t, m, Config{Rank: 4, Alpha: 8})
	l := a.branches[5].linear
	before, left, right := weights(t, m, l.W), make([]float32, l.Out()*4), make([]float32, 4*l.In())
	m.Device.Read(left, a.branches[5].b.Value)
	m.Device.Read(right, a.branches[5].a.Value)
	if err := a.Merge(); err != nil {
		t.Fatal(err)
	}
	differ := 0
	for i, got := range weights(t, m, l.W) {
		sum := float64(before[i])
		for r := range 4 {
			sum += 2 * float64(left[i/l.In()*4+r]) * float64(right[r*l.In()+i%l.In()])
		}
		if got != float16.FromBF16(float16.ToBF16(float32(sum))) {
			differ++
		}
	}
	if differ > len(before)/200 { // where float32 falls on the other side of a midpoint
		t.Errorf("%d of %d weights are not the rounded sum", differ, len(before))
	}
}

func TestMergeQuantized(t *testing.T) {
	dir := bf16Dir(t)
	for name, c := range map[string]struct {
		kind   quant.Type
		merge  func(*Adapter) error
		format kernels.Format
		bound  float64
	}{
		"into 4 bits":       {quant.NF4, (*Adapter).Merge, kernels.NF4, 1.5},
		"dense from 4 bits": {quant.NF4, (*Adapter).MergeDense, kernels.BF16, 0.1},
		"into 8 bits":       {quant.Int8, (*Adapter).Merge, kernels.Int8, 0.2},
		"dense from 8 bits": {quant.Int8, (*Adapter).MergeDense, kernels.BF16, 0.1},
	} {
		t.Run(name, func(t *testing.T) {
			m := openAs(t, dir, c.kind)
			base := logits(t, m)
			a := attachRandom(t, m, Config{Rank: 4, Alpha: 8, Targets: []string{"q_proj", "down_proj"}})
			adapted := logits(t, m)
			if err := c.merge(a); err != nil {
				t.Fatal(err)
			}
			got := logits(t, m)
			if d := worst(got, adapted); !(d < c.bound) || !(worst(base, adapted) > 2*c.bound) {
				t.Errorf("merged logits differ by %v of %v", d, worst(base, adapted))
			}
			for l := range m.Linears() {
				if l != &m.Head && l.W.Format != c.format {
					t.Errorf("%s is stored in %v", l.Name, l.W.Format)
				}
			}
			out := filepath.Join(t.TempDir(), "merged")
			if err := m.Save(out); err != nil {
				t.Fatal(err)
			}
			if again := logits(t, openDir(t, kernels.Checked(cpu.New(2)), out)); !slices.Equal(again, got) {
				t.Errorf("saved logits differ by %v", worst(again, got))
			}
		})
	}
}

// SaveMerged writes what merging in memory and saving does, and leaves the model
// as it is.
func TestSaveMerged(t *testing.T) {
	dir := bf16Dir(t)
	for name, c := range map[string]struct {
		open  func() *model.Model
		merge func(*Adapter) error
	}{
		"dense base": {func() *model.Model { return openDir(t, kernels.Checked(cpu.New(2)), dir) }, (*Adapter).Merge},
		"4-bit base": {func() *model.Model { return openQuantized(t, dir) }, (*Adapter).MergeDense},
		"8-bit base": {func() *model.Model { return openAs(t, dir, quant.Int8) }, (*Adapter).MergeDense},
	} {
		t.Run(name, func(t *testing.T) {
			m := c.open()
			a := attachRandom(t, m, Config{Rank: 4, Targets: []string{"q_proj", "down_proj"}})
			before := logits(t, m)
			streamed, inMemory := filepath.Join(t.TempDir(), "streamed"), filepath.Join(t.TempDir(), "memory")
			if err := a.SaveMerged(streamed); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(logits(t, m), before) {
				t.Error("saving changed the model")
			}
			if err := errors.Join(c.merge(a), m.Save(inMemory)); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{"model.safetensors", "config.json"} {
				got, err1 := os.ReadFile(filepath.Join(streamed, file))
				want, err2 := os.ReadFile(filepath.Join(inMemory, file))
				if err := errors.Join(err1, err2); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: other bytes, %v", file, err)
				}
			}
			if err := a.SaveMerged(t.TempDir()); err == nil || !strings.Contains(err.Error(), "nothing to merge") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Merged into the dense base and quantised in memory is the same as written,
// opened in 4 bits and written again.
func TestMergeThenQuantize(t *testing.T) {
	dir, c := bf16Dir(t), Config{Rank: 4, Targets: []string{"q_proj"}}
	m := openDir(t, kernels.Checked(cpu.New(2)), dir)
	a := attachRandom(t, m, c)
	dense, want, got := filepath.Join(t.TempDir(), "dense"), filepath.Join(t.TempDir(), "want"), filepath.Join(t.TempDir(), "got")
	if err := m.Quantize(quant.Config{}); err == nil || !strings.Contains(err.Error(), "q_proj trains") {
		t.Errorf("error %v", err)
	}
	if err := errors.Join(a.SaveMerged(dense), openQuantized(t, dense).Save(want), a.Merge(), m.Quantize(quant.Config{}), m.Save(got)); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"model.safetensors", "config.json"} {
		x, err1 := os.ReadFile(filepath.Join(want, file))
		y, err2 := os.ReadFile(filepath.Join(got, file))
		if err := errors.Join(err1, err2); err != nil || !bytes.Equal(x, y) {
			t.Errorf("%s: other bytes, %v", file, err)
		}
	}
}

// What merge-aware training computes is what the merged model computes, to the
// bit, before and after a step.
func TestMergeAware(t *testing.T) {
	for _, kind := range []quant.Type{quant.NF4, quant.Int8} {
		t.Run(kind.String(), func(t *testing.T) { testMergeAware(t, openAs(t, bf16Dir(t), kind)) })
	}
}

func testMergeAware(t *testing.T, m *model.Model) {
	t.Helper()
	a := attachRandom(t, m, Config{Rank: 4, Alpha: 8})
	plain := logits(t, m)
	_, branchGrads := step(t, m, false)
	if err := a.SetMergeAware(true); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(logits(t, m), plain) {
		t.Error("merge-aware logits are those of the branches")
	}
	_, grads := step(t, m, true)
	var dot, n1, n2 float64
	for i, g := range grads {
		for j := range g {
			dot += float64(g[j]) * float64(branchGrads[i][j])
			n1 += float64(g[j]) * float64(g[j])
			n2 += float64(branchGrads[i][j]) * float64(branchGrads[i][j])
		}
	}
	if cosine := dot / math.Sqrt(n1*n2); !(cosine > 0.7) {
		t.Errorf("the gradient points elsewhere: cosine %v", cosine)
	}
	p := a.Params()[1]
	v := make([]float32, p.Value.Len())
	m.Device.Read(v, p.Value)
	for i := range v {
		v[i] *= -1
	}
	m.Device.Write(p.Value, v)
	p.Version++
	aware := logits(t, m)
	if err := a.Merge(); err != nil {
		t.Fatal(err)
	}
	if got := logits(t, m); !slices.Equal(got, aware) {
		t.Errorf("merged logits differ by %v", worst(got, aware))
	}
}

func TestMergeAwareRefusals(t *testing.T) {
	a := attachRandom(t, openTiny(t, nil), Config{})
	if err := a.SetMergeAware(true); err == nil || !strings.Contains(err.Error(), "is not quantised") {
		t.Errorf("error %v", err)
	}
	a = attachRandom(t, openQuantized(t, bf16Dir(t)), Config{Dropout: 0.1})
	if err := a.SetMergeAware(true); err == nil || !strings.Contains(err.Error(), "dropout") {
		t.Errorf("error %v", err)
	}
}
