//go:build cuda

package cuda

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

func uniform(n int, id uint64) []float32 {
	v := make([]float32, n)
	random.New(3, random.Sample, id).Uniform(v, 2)
	return v
}

// placed returns a tensor of v that starts so many elements into its memory.
func placed(t *testing.T, d *Device, kind kernels.Kind, rows, cols, off int, v []float32) kernels.Tensor {
	t.Helper()
	mem, err := d.Alloc(kind, off+rows*cols)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Free(mem) })
	x := kernels.Tensor{Rows: rows, Cols: cols, Kind: kind, Mem: mem, Off: off}
	d.Write(x, v)
	return x
}

func contents(d *Device, x kernels.Tensor) []float32 {
	v := make([]float32, x.Len())
	d.Read(v, x)
	return v
}

// weights returns one random weight in each format that has kernels of its own.
func weights(t *testing.T, d *Device, rows, cols int) map[string]kernels.Matrix {
	t.Helper()
	v := uniform(rows*cols, 7)
	var bf16 []byte
	for _, x := range v {
		bf16 = binary.LittleEndian.AppendUint16(bf16, float16.ToBF16(x))
	}
	all := map[string]kernels.Matrix{}
	add := func(name string, w kernels.Weights) {
		m, err := d.NewMatrix(w)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Free(m.Mem) })
		all[name] = m
	}
	add("bf16", kernels.Weights{Rows: rows, Cols: cols, Format: kernels.BF16, Data: bf16})
	for name, c := range map[string]quant.Config{"nf4": {}, "nf4 with plain scales": {PlainScales: true}} {
		q, err := quant.Quantize(quant.Floats(v), []int{rows, cols}, c)
		if err != nil {
			t.Fatal(err)
		}
		add(name, kernels.Weights{Rows: rows, Cols: cols, Format: kernels.NF4, Quantized: q})
	}
	return all
}

// Every kernel of a product gives the bits of the one that takes any operands,
// and kerneltest has looked at those. An operand off its alignment forces that
// one.
func TestProductsAgree(t *testing.T) {
	d := open(t, Config{Blocking: true})
	for _, s := range [][3]int{{3, 64, 8}, {200, 128, 136}, {40, 576, 264}} {
		rows, in, out := s[0], s[1], s[2]
		for name, w := range weights(t, d, out, in) {
			for i, p := range []product{matMul, matMulInput} {
				from, to := in, out
				if i == 1 {
					from, to = out, in
				}
				for _, k := range []kernels.Kind{kernels.Activation, kernels.Float32} {
					label := fmt.Sprintf("%s, product %d, %d rows, %d to %d, kind %d", name, i, rows, from, to, k)
					d.agree(t, label, p, w, rows, from, to, k)
				}
			}
		}
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
}

func (d *Device) agree(t *testing.T, label string, p product, w kernels.Matrix, rows, from, to int, k kernels.Kind) {
	t.Helper()
	x, before := uniform(rows*from, 1), uniform(rows*to, 2)
	plain := placed(t, d, kernels.Activation, rows, from, 3, x)
	even := placed(t, d, kernels.Activation, rows, from, 0, x)
	run := func(p product, x kernels.Tensor) []float32 {
		y := placed(t, d, k, rows, to, 0, before)
		d.product(p, y, x, w, 0.75, k == kernels.Float32)
		return contents(d, y)
	}
	want := run(p, plain) // by p.any
	if slices.ContainsFunc(want, func(v float32) bool { return v != v }) {
		t.Fatalf("%s: NaN", label)
	}
	y := placed(t, d, k, rows, to, 0, before)
	if !aligned(y, even, w) || aligned(y, plain, w) {
		t.Fatalf("%s: the kernels for aligned operands take the wrong ones", label)
	}
	for shape, p := range map[string]product{"few": {few: p.few, square: p.few, wide: p.few}, "square": {few: p.square, square: p.square, wide: p.square}, "wide": {few: p.wide, square: p.wide, wide: p.wide}} {
		if got := run(p, even); !slices.EqualFunc(got, want, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
			t.Errorf("%s: the %s kernel gives other bits", label, shape)
		}
	}
}
