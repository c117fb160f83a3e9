package cpu

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/kernels"
)

var (
	nan     = float32(math.NaN())
	inf     = float32(math.Inf(1))
	special = []float32{nan, inf, -inf, 0, float32(math.Copysign(0, -1)), 1e-40, -1e-40, math.MaxFloat32, -math.MaxFloat32}
)

func in(v []float32, rows, cols int) kernels.Tensor {
	return kernels.Tensor{Rows: rows, Cols: cols, Kind: kernels.Float32, Mem: &memory{v}}
}

func column(v ...float32) kernels.Tensor { return in(v, len(v), 1) }

// alike reports whether two results are alike in what is special about them.
func alike(x, y float32) bool {
	return x == y && math.Signbit(float64(x)) == math.Signbit(float64(y)) || x != x && y != y
}

// Products keep denormals in float32 and take them for zero in bfloat16, as
// operands and as sums; infinities and NaN stay in their row and column.
func TestSpecialProducts(t *testing.T) {
	const size = 40 // more than a skinny product has
	x, w := make([]float32, 3*size), make([]float32, size*size)
	for i, v := range []float32{1e-40, 0x1p-66, 1} {
		x[i*size] = v
	}
	for i, v := range []float32{1, 0x1p-66, inf, nan} {
		w[i*size] = v
	}
	want := [2][]float32{
		{1e-40, 0, inf, nan, 0x1p-66, 0x1p-132, inf, nan, 1, 0x1p-66, inf, nan},
		{0, 0, nan, nan, 0x1p-66, 0, inf, nan, 1, 0x1p-66, inf, nan},
	}
	for _, d := range append(fastDevices(1), newDevice(Config{Workers: 1}, nil)) {
		for _, format := range []kernels.Format{kernels.F32, kernels.BF16} {
			m := in(w, size, size).Matrix()
			if format == kernels.BF16 {
				m, _ = d.NewMatrix(kernels.Weights{Rows: size, Cols: size, Format: format, Data: encode(w, float16.ToBF16)})
			}
			y := in(make([]float32, 3*size), 3, size)
			d.MatMul(y, in(x, 3, size), m, 1, false)
			for i, want := range want[flag(d.bf16)] {
				if got := data(y)[i/4*size+i%4]; !alike(got, want) {
					t.Errorf("%s, weights in %v, [%d,%d]: %g, want %g", d.Info().Detail, format, i/4, i%4, got, want)
				}
			}
		}
	}
}

// A NaN that a product does not read, or reads in another row, changes nothing.
func TestNaNStaysInItsRow(t *testing.T) {
	const rows, cols, n = 37, 53, 29
	for _, d := range fastDevices(2) {
		in := newInputs(d, 1)
		x, w, clean, poisoned := in.tensor(rows, cols), in.tensor(n, cols), in.tensor(rows, n), in.tensor(rows, n)
		d.MatMul(clean, x, w.Matrix(), 1, false)
		data(x)[20*cols+cols-1] = nan
		d.MatMul(poisoned, x, w.Matrix(), 1, false)
		for i, got := range data(poisoned) {
			if want := data(clean)[i]; i/n == 20 && got == got || i/n != 20 && got != want {
				t.Fatalf("%s: row %d: %g, without the NaN %g", d.Info().Detail, i/n, got, want)
			}
		}
	}
}

// What is not a product does with special numbers what plain Go does, wherever
// in a vector they are.
func TestSpecialActivations(t *testing.T) {
	const n = 37
	plain := newDevice(Config{Workers: 1}, nil)
	silu := func(d *Device, gate, up float32, at int) []float32 {
		g, u, dy, y, dgate, dup := column(make([]float32, n)...), column(make([]float32, n)...), column(slices.Repeat([]float32{1}, n)...), column(make([]float32, n)...), column(make([]float32, n)...), column(make([]float32, n)...)
		data(g)[at], data(u)[at] = gate, up
		d.SwiGLU(y, g, u)
		d.SwiGLUGrad(dgate, dup, dy, g, u)
		return []float32{data(y)[at], data(dgate)[at], data(dup)[at]}
	}
	for _, d := range fastDevices(1) {
		for _, gate := range special {
			for _, up := range special {
				for _, at := range []int{3, n - 1} {
					if got, want := silu(d, gate, up, at), silu(plain, gate, up, at); !slices.EqualFunc(got, want, alike) {
						t.Errorf("%s: SwiGLU and its gradient at gate %g, up %g: %v, in plain Go %v", d.Info().Detail, gate, up, got, want)
					}
				}
			}
		}
	}
}
