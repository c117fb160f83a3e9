//go:build cuda

package cuda

import "github.com/seed-5afa5581/graft/kernels"

// tile is the part of a product's result that a block computes, squared; its
// operands lie in shared memory twice, in bfloat16.
const (
	tile       = 64
	tileMemory = 2 * 2 * tile * tile * 2
)

// A shape is a family of kernels and the part of the result of one block.
type shape struct {
	family
	rows, columns int
}

// A product has a shape for any operands, and for aligned ones two for few rows,
// two for many, and one that does the work of the wide one on Hopper.
type product struct{ any, eight, sixteen, square, wide, warpgroup shape }

var (
	matMul       = product{anyShape("matmul"), fewShape("matmul_eight", 8), fewShape("matmul_sixteen", 16), wideShape("matmul_square", 128, 2), wideShape("matmul_wide", 256, 2), wideShape("matmul_warpgroup", 256, 3)}
	anyInput     = anyShape("matmul_input")
	matMulInput  = product{any: anyInput, square: wideShape("matmul_square_input", 128, 2), wide: wideShape("matmul_wide_input", 256, 2), warpgroup: wideShape("matmul_warpgroup_input", 256, 3)} // few rows have no gradient of their own
	matMulWeight = entry("matmul_weight", 128, tileMemory)
)

func anyShape(name string) shape { return shape{entries(name, 128, tileMemory), tile, tile} }

// wideShape keeps so many tiles of both operands in shared memory, 64 deep, and the
// map of quantised scales.
func wideShape(name string, columns, tiles int) shape {
	const rows, depth, threads = 128, 64, 256
	shared := tiles*2*(rows+columns)*depth + 256*4
	return shape{family{
		kernels.BF16: entry(name+"_bf16", threads, shared), kernels.NF4: entry(name+"_nf4", threads, shared), kernels.Int8: entry(name+"_int8", threads, shared),
	}, rows, columns}
}

// MatMul: y = alpha·x·Wᵀ, or y += with acc.
func (d *Device) MatMul(y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	d.multiply(d.choose(matMul, y, x, w), y, x, w, alpha, acc)
}

// MatMulGradInput: dx = alpha·dy·W, or dx += with acc.
func (d *Device) MatMulGradInput(dx, dy kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	d.multiply(d.choose(matMulInput, dx, dy, w), dx, dy, w, alpha, acc)
}

// multiply runs the kernel of a shape for w's format.
func (d *Device) multiply(s shape, y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	var l launch
	k := s.family[w.Format]
	if k.joins {
		l.few(y, x, w, alpha, acc)
	} else {
		l.tensors(y, x)
		l.weight(w)
		l.floats(float64(alpha))
		l.flag(acc)
		l.ints(y.Rows, w.Cols, w.Rows)
	}
	d.run(k, grid{blocks(y.Cols, s.columns), blocks(y.Rows, s.rows), 1}, &l)
}

// choose returns the kernels to use. Those for many rows give the same bits as
// those for any operands, and those for few rows the same as each other.
func (d *Device) choose(p product, y, x kernels.Tensor, w kernels.Matrix) shape {
	if !aligned(y, x, w) {
		return p.any
	}
	s := p.wide
	if d.warpgroups {
		s = p.warpgroup
	}
	switch {
	case y.Rows <= p.eight.rows:
		s = p.eight
	case y.Rows <= p.sixteen.rows:
		s = p.sixteen
	case blocks(y.Cols, p.wide.columns)*blocks(y.Rows, p.wide.rows) < d.processors:
		s = p.square
	}
	if s.family[w.Format] == nil {
		return p.any
	}
	return s
}

// aligned tells whether the kernels of src/tiles.h and matmul_few.cu can do
// a product.
func aligned(y, x kernels.Tensor, w kernels.Matrix) bool {
	if x.Kind != kernels.Activation || w.Cols%64 != 0 || w.Rows%8 != 0 || address(x)%16 != 0 || address(y)%8 != 0 {
		return false
	}
	mem := w.Mem.(*memory)
	switch w.Format {
	case kernels.BF16:
		return (mem.address+uint64(2*w.Off))%16 == 0
	case kernels.NF4, kernels.FP4:
		return mem.weight.shift == 6
	case kernels.Int8:
		return true // its memory begins at a multiple of 256 bytes
	}
	return false
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
