package cpu

import (
	"math"

	"github.com/seed-5afa5581/graft/kernels"
)

// RMSNorm: y = x·rstd·gain with rstd = 1/√(mean(x²)+eps).
func (d *plain) RMSNorm(y, rstd, x, gain kernels.Tensor, eps float32) {
	out, inv, in, g, c := data(y), data(rstd), data(x), data(gain), x.Cols
	d.split(x.Rows, c, func(from, to int) {
		for n := from; n < to; n++ {
			row, o := in[n*c:(n+1)*c], out[n*c:(n+1)*c]
			var sum float64
			for _, v := range row {
				sum += float64(v) * float64(v)
			}
			r := float32(1 / math.Sqrt(sum/float64(c)+float64(eps)))
			inv[n] = r
			for i, v := range row {
				o[i] = v * r * g[i]
			}
		}
	})
}

// RMSNormGrad: dx = rstd·(dy·gain - x·rstd²·mean(dy·gain·x)).
func (d *plain) RMSNormGrad(dx, dgain, dy, x, rstd, gain kernels.Tensor, folds kernels.Ints, acc bool) {
	din, dout, in, inv, g, c := data(dx), data(dy), data(x), data(rstd), data(gain), x.Cols
	if !dgain.None() {
		d.gainGrad(data(dgain), dout, in, inv, x.Rows, c, folds)
	}
	d.split(x.Rows, c, func(from, to int) {
		for n := from; n < to; n++ {
			row, drow, o, r := in[n*c:(n+1)*c], dout[n*c:(n+1)*c], din[n*c:(n+1)*c], inv[n]
			var sum float64
			for i, v := range row {
				sum += float64(drow[i]*g[i]) * float64(v)
			}
			k := float32(sum/float64(c)) * r * r
			for i, v := range row {
				grad := r * (float32(drow[i]*g[i]) - float32(v*k))
				if acc {
					grad += o[i]
				}
				o[i] = grad
			}
		}
	})
}

// gainGrad: dgain += Σ dy·x·rstd, run by run.
func (d *plain) gainGrad(dgain, dy, x, rstd []float32, n, c int, folds kernels.Ints) {
	d.split(c, n, func(from, to int) {
		lent := d.borrow(to - from)
		defer d.giveBack(lent)
		sum := lent.f32
		eachRun(folds, n, func(first, end int) {
			clear(sum)
			for t := first; t < end; t++ {
				for i := from; i < to; i++ {
					sum[i-from] += float32(dy[t*c+i] * x[t*c+i] * rstd[t])
				}
			}
			for i, s := range sum {
				dgain[from+i] += s
			}
		})
	})
}
