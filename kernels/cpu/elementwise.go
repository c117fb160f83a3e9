package cpu

import (
	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
)

// AddBias: y[t] += b.
func (d *plain) AddBias(y, b kernels.Tensor) {
	out, bias, c := data(y), data(b), y.Cols
	d.split(y.Rows, c, func(from, to int) {
		for t := from; t < to; t++ {
			row := out[t*c : (t+1)*c]
			for i, v := range bias {
				row[i] += v
			}
		}
	})
}

// AddBiasGrad: db += Σ dy[t], run by run.
func (d *plain) AddBiasGrad(db, dy kernels.Tensor, folds kernels.Ints) {
	sum, grad, c := data(db), data(dy), dy.Cols
	d.split(c, dy.Rows, func(from, to int) {
		for i := from; i < to; i++ {
			eachRun(folds, dy.Rows, func(first, end int) {
				var s float32
				for t := first; t < end; t++ {
					s += grad[t*c+i]
				}
				sum[i] += s
			})
		}
	})
}

// Copy: dst = src.
func (d *plain) Copy(dst, src kernels.Tensor) {
	out, in := data(dst), data(src)
	d.split(len(out), 1, func(from, to int) { copy(out[from:to], in[from:to]) })
}

// Fill sets every element to value.
func (d *plain) Fill(dst kernels.Tensor, value float32) {
	out := data(dst)
	d.split(len(out), 1, func(from, to int) {
		for i := from; i < to; i++ {
			out[i] = value
		}
	})
}

// Dropout: dst (+)= src/(1-Rate) where the mask keeps an element, 0 elsewhere.
func (d *plain) Dropout(dst, src kernels.Tensor, p kernels.Dropout, acc bool) {
	out, in, c := data(dst), data(src), src.Cols
	key, limit, scale := p.Key(), uint64(float64(p.Rate)*(1<<32)), 1/(1-p.Rate)
	d.split(src.Rows, c, func(from, to int) {
		for t := from; t < to; t++ {
			var bits [4]uint32
			for i := range c {
				if i%4 == 0 {
					bits = random.Block([4]uint32{uint32(i / 4), uint32(p.Positions.Host[t]), uint32(p.Samples.Host[t]), p.Step}, key)
				}
				v := float32(0)
				if uint64(bits[i%4]) >= limit {
					v = in[t*c+i] * scale
				}
				if acc {
					v += out[t*c+i]
				}
				out[t*c+i] = v
			}
		}
	})
}
