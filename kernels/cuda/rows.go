//go:build cuda

package cuda

import "github.com/seed-5afa5581/graft/kernels"

const rowThreads = 64

var (
	embedGrad = entry("embed_grad", rowThreads, 0)
	moveRows  = entry("move_rows", rowThreads, 0)
)

// mostY is how many blocks a grid may have in its second direction.
const mostY = 65535

// across is the grid of blocks that each do eight columns a thread, of rows in turn.
func across(rows, cols int) grid { return grid{blocks(cols, 8*rowThreads), min(rows, mostY), 1} }

// EmbedGrad: dw[ids[t]] += dx[t], in token order.
func (d *Device) EmbedGrad(dw, dx kernels.Tensor, ids kernels.Ints) {
	if dx.Rows == 0 {
		return
	}
	var l launch
	l.pointers(dw)
	l.tensors(dx)
	l.vectors(ids)
	l.ints(dx.Rows, dx.Cols)
	d.run(embedGrad, grid{blocks(dx.Cols, rowThreads), 1, 1}, &l)
}

// TakeRows: dst[i] = src[rows[i]].
func (d *Device) TakeRows(dst, src kernels.Tensor, rows kernels.Ints) {
	d.move(dst, kernels.Ints{}, src, rows, dst.Rows)
}

// PutRows: dst[rows[i]] = src[i]; the other rows stay.
func (d *Device) PutRows(dst, src kernels.Tensor, rows kernels.Ints) {
	d.move(dst, rows, src, kernels.Ints{}, src.Rows)
}

func (d *Device) move(dst kernels.Tensor, to kernels.Ints, src kernels.Tensor, from kernels.Ints, rows int) {
	var l launch
	l.tensors(dst)
	l.vectors(to)
	l.tensors(src)
	l.vectors(from)
	l.ints(rows, src.Cols)
	d.run(moveRows, across(rows, src.Cols), &l)
}
