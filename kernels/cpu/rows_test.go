package cpu

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
)

// A few rows of a product are bit for bit what they are among many, whichever
// micro-kernel computes them.
func TestFewRowsOfProducts(t *testing.T) {
	for _, set := range instructionSets() {
		for _, base := range []kernels.Format{kernels.F32, kernels.BF16} {
			if base == kernels.BF16 && set.tileBF16 == nil {
				continue
			}
			d := newDevice(Config{Workers: 2}, set).For(base).(*Device)
			for _, s := range [][2]int{{64, 64}, {200, 96}, {31, 1100}, {192, 33}} {
				for _, form := range []struct{ alpha, acc float32 }{{1, 0}, {1, 1}, {0.5, 1}} {
					t.Run(fmt.Sprint(set.name, base, s, form), func(t *testing.T) { fewRows(t, d, s[0], s[1], form.alpha, form.acc != 0) })
				}
			}
		}
	}
}

func fewRows(t *testing.T, d *Device, out, in int, alpha float32, acc bool) {
	values := make([]float32, out*in)
	random.New(1, random.Sample, 7).Normal(values, 1)
	bytes := make([]byte, 2*len(values))
	for i, v := range values {
		b := float16.ToBF16(v)
		bytes[2*i], bytes[2*i+1] = byte(b), byte(b>>8)
	}
	w, _ := d.NewMatrix(kernels.Weights{Rows: out, Cols: in, Format: kernels.BF16, Data: bytes})
	const many = 48
	x, all := benchTensor(d, many, in), benchTensor(d, many, out)
	start := slices.Clone(data(all))
	d.MatMul(all, x, w, alpha, acc)
	for _, n := range []int{1, 2, 5, 15, 16, 17} {
		part := benchTensor(d, n, out)
		copy(data(part), start[3*out:])
		d.MatMul(part, x.Slice(3, 3+n), w, alpha, acc)
		if !slices.Equal(data(part), data(all)[3*out:(3+n)*out]) {
			t.Errorf("%d rows differ from the same among %d", n, many)
		}
	}
}

// A held operand gives the same products, and what is written after its release
// is seen.
func TestHeld(t *testing.T) {
	for _, set := range instructionSets() {
		for _, base := range []kernels.Format{kernels.F32, kernels.BF16} {
			d := newDevice(Config{Workers: 2}, set).For(base).(*Device)
			x, w, want, got := benchTensor(d, 40, 70), benchTensor(d, 50, 70), benchTensor(d, 40, 50), benchTensor(d, 40, 50)
			for round := range 3 {
				data(x)[round] = float32(round) + 10
				d.MatMul(want, x, w.Matrix(), 1, false)
				d.Hold(x)
				d.Hold(x)
				for range 3 {
					d.MatMul(got, x, w.Matrix(), 1, false)
					if !slices.Equal(data(got), data(want)) {
						t.Errorf("%s %v: a held operand gives other bits in round %d", set.name, base, round)
					}
				}
				d.Release(x)
				along := set.alongF32 != nil && !d.bf16
				if packed, holds := d.larder.look(d.leftOf(x)); packed == nil != along || !holds {
					t.Errorf("%s %v: packed %v, held %v", set.name, base, packed != nil, holds)
				}
				d.Release(x)
			}
			if len(d.larder.held) != 0 {
				t.Errorf("%s %v: %d operands stay held", set.name, base, len(d.larder.held))
			}
		}
	}
}
