//go:build cuda

package cuda

import "github.com/seed-5afa5581/graft/kernels"

const (
	blockThreads = 256
	// warpSums is shared memory for one float a warp of a block, blockSums for
	// one float64 a thread.
	warpSums  = blockThreads / 32 * 4
	blockSums = blockThreads * 8
)

var (
	rmsNorm     = entry("rms_norm", blockThreads, warpSums)
	rmsNormGrad = entry("rms_norm_grad", blockThreads, warpSums)
	columnSums  = entry("column_sums", rowThreads, 0)
	squareSums  = entry("square_sums", blockThreads, blockSums)
	total       = entry("total", blockThreads, blockSums)
)

// RMSNorm: rstd = 1/√(mean(x²)+eps), y = x·rstd·gain.
func (d *Device) RMSNorm(y, rstd, x, gain kernels.Tensor, eps float32) {
	var l launch
	l.tensors(y)
	l.pointers(rstd)
	l.tensors(x)
	l.pointers(gain)
	l.ints(x.Cols)
	l.floats(float64(eps))
	d.run(rmsNorm, grid{x.Rows, 1, 1}, &l)
}

// RMSNormGrad: dx = rstd·(dy·gain - x·rstd²·mean(dy·gain·x)), or dx += with acc;
// dgain += Σ dy·x·rstd run by run, unless dgain is none.
func (d *Device) RMSNormGrad(dx, dgain, dy, x, rstd, gain kernels.Tensor, folds kernels.Ints, acc bool) {
	if !dgain.None() { // first: dx may be what dy was
		d.sumColumns(dgain, dy, x, rstd, folds)
	}
	var l launch
	l.tensors(dx, dy, x)
	l.pointers(rstd, gain)
	l.ints(x.Cols)
	l.flag(acc)
	d.run(rmsNormGrad, grid{x.Rows, 1, 1}, &l)
}

// AddBiasGrad: db += Σ dy[t], run by run.
func (d *Device) AddBiasGrad(db, dy kernels.Tensor, folds kernels.Ints) {
	d.sumColumns(db, dy, kernels.Tensor{}, kernels.Tensor{}, folds)
}

// sumColumns: sums += Σ dy·x·rstd over the rows, run by run; x may be none.
func (d *Device) sumColumns(sums, dy, x, rstd kernels.Tensor, folds kernels.Ints) {
	if dy.Rows == 0 {
		return
	}
	var l launch
	l.pointers(sums)
	l.tensors(dy, x)
	l.pointers(rstd)
	l.vectors(folds)
	l.ints(folds.Len(), dy.Rows, dy.Cols)
	d.run(columnSums, grid{blocks(dy.Cols, rowThreads), 1, 1}, &l)
}

// SumSquares: dst = Σ x², in float64 and in chunks that are added in order.
func (d *Device) SumSquares(dst, x kernels.Tensor) {
	n, sums := blocks(x.Len(), sumChunk), d.borrow(SumScratch(x.Len()))
	defer d.giveBack()
	var parts, all launch
	parts.word(sums)
	parts.pointers(x)
	parts.ints(x.Len())
	d.run(squareSums, grid{n, 1, 1}, &parts)
	all.pointers(dst)
	all.word(sums)
	all.ints(n)
	d.run(total, grid{1, 1, 1}, &all)
}
