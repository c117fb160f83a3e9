package cpu

import "github.com/seed-5afa5581/graft/kernels"

// Embed: x[t] = w[ids[t]].
func (d *plain) Embed(x kernels.Tensor, w kernels.Matrix, ids kernels.Ints) {
	out, c := data(x), x.Cols
	d.split(x.Rows, c, func(from, to int) {
		for t := from; t < to; t++ {
			id := int(ids.Host[t])
			expand(out[t*c:(t+1)*c], w, id, id+1)
		}
	})
}

// EmbedGrad: dw[ids[t]] += dx[t], in token order: a task owns columns.
func (d *plain) EmbedGrad(dw, dx kernels.Tensor, ids kernels.Ints) {
	sum, grad, c := data(dw), data(dx), dx.Cols
	d.split(c, dx.Rows, func(from, to int) {
		for t, id := range ids.Host {
			dst, src := sum[int(id)*c:][:c], grad[t*c:][:c]
			for i := from; i < to; i++ {
				dst[i] += src[i]
			}
		}
	})
}

// TakeRows: dst[i] = src[rows[i]].
func (d *plain) TakeRows(dst, src kernels.Tensor, rows kernels.Ints) {
	out, in, c := data(dst), data(src), src.Cols
	d.split(dst.Rows, c, func(from, to int) {
		for i := from; i < to; i++ {
			copy(out[i*c:(i+1)*c], in[int(rows.Host[i])*c:])
		}
	})
}

// PutRows: dst[rows[i]] = src[i].
func (d *plain) PutRows(dst, src kernels.Tensor, rows kernels.Ints) {
	out, in, c := data(dst), data(src), src.Cols
	d.split(src.Rows, c, func(from, to int) {
		for i := from; i < to; i++ {
			copy(out[int(rows.Host[i])*c:][:c], in[i*c:(i+1)*c])
		}
	})
}
