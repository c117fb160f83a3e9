//go:build cuda

package cuda

import "github.com/seed-5afa5581/graft/kernels"

// tile is the part of a product's result that a block computes, squared; its
// operands lie in shared memory twice, in bfloat16.
const (
	tile       = 64
	tileMemory = 2 * 2 * tile * tile * 2
)

var (
	matMul       = entries("matmul", 128, tileMemory)
	matMulInput  = entries("matmul_input", 128, tileMemory)
	matMulWeight = entry("matmul_weight", 128, tileMemory)
)

// MatMul: y = alpha·x·Wᵀ, or y += with acc.
func (d *Device) MatMul(y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	d.product(matMul, y, x, w, alpha, acc)
}

// MatMulGradInput: dx = alpha·dy·W, or dx += with acc.
func (d *Device) MatMulGradInput(dx, dy kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	d.product(matMulInput, dx, dy, w, alpha, acc)
}

func (d *Device) product(f family, y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	var l launch
	l.tensors(y, x)
	l.weight(w)
	l.floats(float64(alpha))
	l.flag(acc)
	l.ints(y.Rows, w.Cols, w.Rows)
	d.run(f[w.Format], grid{blocks(y.Cols, tile), blocks(y.Rows, tile), 1}, &l)
}

// MatMulGradWeight: dw += alpha·dyᵀ·x, run by run.
func (d *Device) MatMulGradWeight(dw, dy, x kernels.Tensor, alpha float32, folds kernels.Ints) {
	if x.Rows == 0 {
		return
	}
	var l launch
	l.pointers(dw)
	l.tensors(dy, x)
	l.vectors(folds)
	l.ints(folds.Len())
	l.floats(float64(alpha))
	l.ints(x.Rows, dw.Cols, dw.Rows)
	d.run(matMulWeight, grid{blocks(dw.Cols, tile), blocks(dw.Rows, tile), 1}, &l)
}
