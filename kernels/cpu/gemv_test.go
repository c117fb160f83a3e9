package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// numbers returns n random numbers times powers of two within a range.
func numbers(seed uint64, n, low, high int) []float32 {
	v, rnd := make([]float32, n), random.New(seed, random.Sample, 3)
	rnd.Normal(v, 1)
	for i := range v {
		v[i] = float32(math.Ldexp(float64(v[i]), low+rnd.Intn(high-low+1)))
	}
	return v
}

// testMatrix makes a matrix of values.
func testMatrix(t *testing.T, d *Device, values []float32, rows int, format kernels.Format, c quant.Config) kernels.Matrix {
	t.Helper()
	w := kernels.Weights{Rows: rows, Cols: len(values) / rows, Format: format}
	if format == kernels.BF16 {
		w.Data = encode(values, float16.ToBF16)
	} else {
		q, err := quant.Quantize(quant.Floats(values), []int{rows, w.Cols}, c)
		if err != nil {
			t.Fatal(err)
		}
		w.Quantized = q
	}
	m, err := d.NewMatrix(w)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sameBits fails t unless a token's product alone has the bits of the same among
// many. NaNs are alike.
func sameBits(t *testing.T, d *Device, w kernels.Matrix, x kernels.Tensor, alpha float32, acc bool) {
	t.Helper()
	all := in(numbers(5, x.Rows*w.Rows, -1, 1), x.Rows, w.Rows)
	alone := in(slices.Clone(data(all)), x.Rows, w.Rows)
	d.MatMul(all, x, w, alpha, acc)
	for i := range x.Rows {
		d.MatMul(alone.Slice(i, i+1), x.Slice(i, i+1), w, alpha, acc)
	}
	for i, want := range data(all) {
		if got := data(alone)[i]; !alike(got, want) {
			t.Fatalf("weight [%d, %d], alpha %g, acc %v: row %d, column %d: %x alone, %x among %d",
				w.Rows, w.Cols, alpha, acc, i/w.Rows, i%w.Rows, math.Float32bits(got), math.Float32bits(want), x.Rows)
		}
	}
}

// A token alone has the bits that it has among many, in any format and shape,
// whether there is assembly for it alone or not.
func TestOneRowOfProducts(t *testing.T) {
	for _, set := range instructionSets() {
		if set.tileBF16 == nil {
			continue
		}
		d := newDevice(Config{Workers: 2}, set).For(kernels.BF16).(*Device)
		for _, c := range []struct {
			format kernels.Format
			config quant.Config
		}{
			{format: kernels.BF16}, {kernels.NF4, quant.Config{}}, {kernels.NF4, quant.Config{PlainScales: true}},
			{kernels.FP4, quant.Config{Type: quant.FP4}}, {kernels.NF4, quant.Config{Block: 128}}, {kernels.Int8, quant.Config{Type: quant.Int8}},
		} {
			t.Run(fmt.Sprint(set.name, c.format, c.config.Block, c.config.PlainScales), func(t *testing.T) {
				for _, in := range []int{64, 96, 576, 1088} {
					for _, out := range []int{1, 16, 17, 330} {
						w := testMatrix(t, d, numbers(uint64(in), in*out, -8, 8), out, c.format, c.config)
						x := benchTensor(d, 5, in)
						for _, form := range []struct {
							alpha float32
							acc   bool
						}{{1, false}, {1, true}, {0.5, true}} {
							sameBits(t, d, w, x, form.alpha, form.acc)
						}
					}
				}
			})
		}
	}
}

// So it has where numbers are about to vanish, where they overflow, and where
// they are none.
func TestOneRowOfSpecialProducts(t *testing.T) {
	const out, cols = 48, 320
	for _, d := range fastDevices(1) {
		if !d.bf16 {
			continue
		}
		for _, scale := range []struct{ low, high int }{{-75, -50}, {-64, -62}, {-140, -120}, {50, 70}} {
			for seed := range uint64(6) {
				x, w := in(numbers(seed, 20*cols, scale.low, scale.high), 20, cols), numbers(seed+9, out*cols, scale.low, scale.high)
				if seed == 5 {
					for i, v := range special {
						data(x)[i*cols+i], w[i*cols+7*i] = v, v
					}
				}
				sameBits(t, d, testMatrix(t, d, w, out, kernels.BF16, quant.Config{}), x, 1, seed%2 == 1)
			}
		}
		sameBits(t, d, testMatrix(t, d, numbers(1, out*cols, -130, -110), out, kernels.NF4, quant.Config{}), in(numbers(2, 20*cols, -20, 20), 20, cols), 1, false)
	}
}

// Which products of a token have assembly.
func TestOneRow(t *testing.T) {
	for _, set := range instructionSets() {
		if set.gemvBF16 == nil {
			continue
		}
		d := newDevice(Config{Workers: 1}, set).For(kernels.BF16).(*Device)
		for _, c := range []struct {
			name          string
			rows, out, in int
			format        kernels.Format
			block         int
			alpha         float32
			want          bool
		}{
			{"bfloat16", 1, 48, 128, kernels.BF16, 64, 1, true},
			{"NF4", 1, 48, 128, kernels.NF4, 64, 1, true},
			{"FP4", 1, 16, 64, kernels.FP4, 64, 1, true},
			{"int8", 1, 48, 128, kernels.Int8, 0, 1, true},
			{"int8 in rows of 96", 1, 48, 96, kernels.Int8, 0, 1, false},
			{"two tokens", 2, 48, 128, kernels.NF4, 64, 1, false},
			{"few rows", 1, 15, 128, kernels.NF4, 64, 1, false},
			{"a block cut short", 1, 48, 96, kernels.NF4, 64, 1, false},
			{"other blocks", 1, 48, 128, kernels.NF4, 128, 1, false},
			{"scaled", 1, 48, 128, kernels.BF16, 64, 2, false},
		} {
			config := quant.Config{Block: c.block, Type: map[kernels.Format]quant.Type{kernels.FP4: quant.FP4, kernels.Int8: quant.Int8}[c.format]}
			w := testMatrix(t, d, numbers(1, c.out*c.in, 0, 0), c.out, c.format, config)
			x := benchTensor(d, c.rows, c.in)
			g := newGemm(d, product{m: c.rows, n: c.out, k: c.in, a: tensorOperand(x, false), b: matrixOperand(w, false), alpha: c.alpha})
			if got := g.oneRow(); got != c.want {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
			if g.b.across = true; g.oneRow() {
				t.Errorf("%s: with a weight across", c.name)
			}
		}
	}
}

// Scales turned by assembly are those that package quant expands, from anywhere.
func TestExpandScales(t *testing.T) {
	q, err := quant.Quantize(quant.Floats(numbers(1, 64*700, -3, 3)), []int{700, 64}, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range fastDevices(1) {
		if d.simd.scales == nil {
			continue
		}
		for _, n := range []int{1, 7, 16, 33, 300} {
			for _, from := range []int{0, 1, 250, 256, 400} {
				got, want := make([]float32, n+1), make([]float32, n+1)
				d.expandScales(got[:n], &q.Scales, from)
				q.Scales.Expand(want[:n], from)
				if !slices.Equal(got, want) {
					t.Errorf("%s: %d scales from %d: %v, want %v", d.simd.name, n, from, got, want)
				}
			}
		}
	}
}
