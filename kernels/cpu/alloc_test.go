package cpu

import (
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
)

// Products take no memory once they have run: not for their tasks, their packed
// panels or what they dequantise.
func TestProductsAllocateNothing(t *testing.T) {
	if everySize > 1 {
		t.Skip("under the race detector pools lose what they are given")
	}
	for _, d := range fastDevices(2) {
		for _, format := range []kernels.Format{kernels.F32, kernels.BF16, kernels.NF4, kernels.Int8} {
			for _, n := range [][3]int{{192, 128, 50}, {64, 1100, 50}, {16, 192, 50}, {192, 16, 50}, {192, 128, 1}} {
				in := newInputs(d, 1)
				x, y, dw, w := in.tensor(n[2], n[1]), in.tensor(n[2], n[0]), in.tensor(n[0], n[1]), in.weight(format, n[0], n[1])
				folds := kernels.Ints{Host: []int32{0, int32(n[2] / 2)}}
				allocs := testing.AllocsPerRun(20, func() {
					d.MatMul(y, x, w, 1, false)
					d.MatMulGradInput(x, y, w, 1, true)
					d.MatMulGradWeight(dw, y, x, 1, folds)
				})
				if allocs >= 1 {
					t.Errorf("%s, %d tokens, weights [%d, %d] in %v: %g allocations", d.Info().Detail, n[2], n[0], n[1], format, allocs)
				}
			}
		}
	}
}
