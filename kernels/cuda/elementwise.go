//go:build cuda

package cuda

import (
	"math"

	"github.com/seed-5afa5581/graft/kernels"
)

// A block of these kernels does elementThreads pieces of eight elements.
const elementThreads = 256

var (
	fill       = entry("fill", elementThreads, 0)
	copyKinds  = entry("copy", elementThreads, 0)
	addBias    = entry("add_bias", elementThreads, 0)
	swiGLU     = entry("swiglu", elementThreads, 0)
	swiGLUGrad = entry("swiglu_grad", elementThreads, 0)
	dropout    = entry("dropout", elementThreads, 0)
	adamW      = entry("adamw", elementThreads, 0)
	rope       = entry("rope", elementThreads, 0)
)

// flat is the grid for n elements without regard to rows, byRow that for rows of
// so many columns.
func flat(n int) grid           { return grid{blocks(blocks(n, 8), elementThreads), 1, 1} }
func byRow(rows, cols int) grid { return grid{blocks(rows*blocks(cols, 8), elementThreads), 1, 1} }

// Fill sets every element to value.
func (d *Device) Fill(dst kernels.Tensor, value float32) {
	var l launch
	l.tensors(dst)
	l.ints(dst.Len())
	from := l.n
	l.floats(float64(value))
	l.changes(from)
	d.run(fill, flat(dst.Len()), &l)
}

// Copy: dst = src, converting between kinds.
func (d *Device) Copy(dst, src kernels.Tensor) {
	var l launch
	l.tensors(dst, src)
	l.ints(dst.Len())
	d.run(copyKinds, flat(dst.Len()), &l)
}

// AddBias: y[t] += b for every row.
func (d *Device) AddBias(y, b kernels.Tensor) {
	var l launch
	l.tensors(y)
	l.pointers(b)
	l.ints(y.Rows, y.Cols)
	d.run(addBias, byRow(y.Rows, y.Cols), &l)
}

// SwiGLU: y = silu(gate)·up.
func (d *Device) SwiGLU(y, gate, up kernels.Tensor) {
	var l launch
	l.tensors(y, gate, up)
	l.ints(y.Len())
	d.run(swiGLU, flat(y.Len()), &l)
}

// SwiGLUGrad writes dgate and dup, which may be gate and up themselves.
func (d *Device) SwiGLUGrad(dgate, dup, dy, gate, up kernels.Tensor) {
	var l launch
	l.tensors(dgate, dup, dy, gate, up)
	l.ints(dy.Len())
	d.run(swiGLUGrad, flat(dy.Len()), &l)
}

// RoPE rotates each head of x in place.
func (d *Device) RoPE(x, table kernels.Tensor, positions kernels.Ints, heads int, inverse bool) {
	sign := 1.0
	if inverse {
		sign = -1
	}
	var l launch
	l.tensors(x)
	l.pointers(table)
	l.vectors(positions)
	l.ints(x.Rows, heads, x.Cols/heads, table.Cols/2)
	l.floats(sign)
	d.run(rope, byRow(x.Rows*heads, table.Cols/2), &l)
}

// Dropout: dst = mask(src)/(1-Rate), or dst += with acc.
func (d *Device) Dropout(dst, src kernels.Tensor, p kernels.Dropout, acc bool) {
	key := p.Key()
	var l launch
	l.tensors(dst, src)
	l.vectors(p.Samples, p.Positions)
	l.ints(src.Rows, src.Cols)
	l.word(uint64(float64(p.Rate) * (1 << 32)))
	l.floats(float64(1 / (1 - p.Rate)))
	from := l.n
	l.ints(int(p.Step))
	l.changes(from)
	l.ints(int(key[0]), int(key[1]))
	l.flag(acc)
	d.run(dropout, byRow(src.Rows, src.Cols), &l)
}

// AdamW updates w, m and v by the gradient g.
func (d *Device) AdamW(w, m, v, g kernels.Tensor, h kernels.AdamW) {
	var l launch
	l.pointers(w, m, v, g)
	l.ints(w.Len())
	from := l.n
	l.floats(h.Beta1, 1-h.Beta1, h.Beta2, 1-h.Beta2)
	l.floats(h.LR/(1-math.Pow(h.Beta1, float64(h.Step))), math.Sqrt(1-math.Pow(h.Beta2, float64(h.Step))), h.Eps)
	l.floats(1-h.LR*h.WeightDecay, h.GradScale)
	l.changes(from)
	d.run(adamW, flat(w.Len()), &l)
}
