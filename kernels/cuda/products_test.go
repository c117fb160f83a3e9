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
	for name, c := range map[string]quant.Config{"nf4": {}, "nf4 with plain scales": {PlainScales: true}, "fp4": {Type: quant.FP4}, "int8": {Type: quant.Int8}} {
		q, err := quant.Quantize(quant.Floats(v), []int{rows, cols}, c)
		if err != nil {
			t.Fatal(err)
		}
		add(name, kernels.Weights{Rows: rows, Cols: cols, Format: kernels.QuantizedAs(c.Type), Quantized: q})
	}
	return all
}

// Every kernel of a product for many rows gives the bits of the one that takes any
// operands, and kerneltest has looked at those. An operand off its alignment
// forces that one.
func TestProductsAgree(t *testing.T) {
	d := open(t, Config{Blocking: true})
	for _, s := range [][3]int{{3, 64, 8}, {200, 128, 136}, {40, 576, 264}} {
		agreements(t, d, s[0], s[1], s[2], []product{matMul, matMulInput}, func(a *agreement) {
			want := a.any()
			for name, s := range map[string]shape{"square": a.p.square, "wide": a.p.wide} {
				if s.family[a.w.Format] != nil && !same(a.run(s, a.operand(a.rows, 0)), want) {
					a.Errorf("%s: the %s kernel gives other bits", a.label, name)
				}
			}
		})
	}
}

// So does that for warpgroups, on the emulator: the manual leaves open how either
// instruction rounds within 16 products, and no card has been asked yet.
func TestWarpgroupsAgree(t *testing.T) {
	d := openHopper(t, Config{Blocking: true})
	for _, s := range [][3]int{{3, 64, 8}, {200, 128, 136}, {40, 576, 264}} {
		t.Run(fmt.Sprint(s[0]), func(t *testing.T) {
			agreements(t, d, s[0], s[1], s[2], []product{matMul, matMulInput}, func(a *agreement) {
				if s := a.p.warpgroup; s.family[a.w.Format] != nil && !same(a.run(s, a.operand(a.rows, 0)), a.any()) {
					a.Errorf("%s: the kernel for warpgroups gives other bits", a.label)
				}
			})
		})
	}
}

// Warpgroups are used where there are any, for what would be wide elsewhere.
func TestWarpgroupsChosen(t *testing.T) {
	hopper := openHopper(t, Config{})
	chosen := func(rows, cols int) *kernel {
		w := kernels.Matrix{Rows: cols, Cols: 64, Format: kernels.BF16, Mem: &memory{}}
		x, y := placed(t, hopper, kernels.Activation, rows, 64, 0, make([]float32, rows*64)), placed(t, hopper, kernels.Activation, rows, cols, 0, make([]float32, rows*cols))
		return hopper.choose(matMul, y, x, w).family[kernels.BF16]
	}
	many := 256 * hopper.processors
	for _, c := range []struct {
		rows, cols int
		want       shape
	}{{200, many, matMul.warpgroup}, {100, 64, matMul.square}, {8, many, matMul.eight}} {
		if got := chosen(c.rows, c.cols); got != c.want.family[kernels.BF16] {
			t.Errorf("%d rows, %d columns: %s", c.rows, c.cols, got.name)
		}
	}
	d := open(t, Config{})
	if _, loaded := d.functions[matMul.warpgroup.family[kernels.BF16]]; loaded != d.warpgroups {
		t.Errorf("warpgroups %v, their kernels loaded %v", d.warpgroups, loaded)
	}
}

// Kernels for few rows sum in another order, and do not round a code times its
// scale but the code: they come as near to that for any operands as bfloat16 lets
// them, and have the same bits whatever the number of rows. Of 4352 features a
// warp has more chunks than fit its ring.
func TestProductsOfFewRowsAgree(t *testing.T) {
	d := open(t, Config{Blocking: true})
	for _, s := range [][3]int{{3, 64, 8}, {11, 4352, 8}, {16, 576, 40}} {
		agreements(t, d, s[0], s[1], s[2], []product{matMul}, func(a *agreement) {
			want, got := a.any(), a.run(a.p.sixteen, a.operand(a.rows, 0))
			if far := distance(got, want); !(far < 0.006) {
				a.Errorf("%s: off by %g of the length", a.label, far)
			}
			for _, rows := range []int{1, min(9, a.rows)} {
				for name, s := range map[string]shape{"eight": a.p.eight, "sixteen": a.p.sixteen} {
					if !same(a.run(s, a.operand(rows, 0)), got[:rows*a.to]) {
						a.Errorf("%s: %d rows by the kernel for %s give other bits", a.label, rows, name)
					}
				}
			}
		})
	}
}

// agreements calls check for each product with weights [out, in] of all formats
// and both kinds of result.
func agreements(t *testing.T, d *Device, rows, in, out int, products []product, check func(a *agreement)) {
	t.Helper()
	for name, w := range weights(t, d, out, in) {
		for i, p := range products {
			for _, k := range []kernels.Kind{kernels.Activation, kernels.Float32} {
				a := agreement{T: t, d: d, p: p, w: w, rows: rows, from: in, to: out, kind: k}
				if i == 1 {
					a.from, a.to = out, in
				}
				a.label = fmt.Sprintf("%s, product %d, %d rows, %d to %d, kind %d", name, i, rows, a.from, a.to, k)
				check(&a)
			}
		}
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
}

// An agreement is about the kernels of one product with one weight.
type agreement struct {
	*testing.T
	label          string
	d              *Device
	p              product
	w              kernels.Matrix
	rows, from, to int
	kind           kernels.Kind // of the result
}

// operand returns the first rows of the left operand, so many elements into their memory.
func (a *agreement) operand(rows, off int) kernels.Tensor {
	return placed(a.T, a.d, kernels.Activation, rows, a.from, off, uniform(a.rows*a.from, 1)[:rows*a.from])
}

// run returns x's product by kernels of one shape.
func (a *agreement) run(s shape, x kernels.Tensor) []float32 {
	y := placed(a.T, a.d, a.kind, x.Rows, a.to, 0, uniform(a.rows*a.to, 2)[:x.Rows*a.to])
	a.d.multiply(s, y, x, a.w, 0.75, a.kind == kernels.Float32)
	return contents(a.d, y)
}

// any returns the product by the kernel that takes any operands.
func (a *agreement) any() []float32 {
	a.Helper()
	plain := a.operand(a.rows, 3)
	if a.d.choose(a.p, plain, plain, a.w).family[a.w.Format] != a.p.any.family[a.w.Format] {
		a.Fatalf("%s: the kernels for aligned operands take others", a.label)
	}
	y := a.run(a.p.any, plain)
	if slices.ContainsFunc(y, func(v float32) bool { return v != v }) {
		a.Fatalf("%s: NaN", a.label)
	}
	return y
}

// same tells whether a and b are the same bits.
func same(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
}
