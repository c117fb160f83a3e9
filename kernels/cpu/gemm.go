package cpu

import (
	"unsafe"

	"github.com/seed-5afa5581/graft/kernels"
)

// Products by micro-kernels. Both operands are packed into panels of 16
// vectors, unit-major: a unit is one float32 of the summed dimension or a pair
// of bfloat16, and unit k of a panel's 16 vectors lies together. The operands'
// storage format is dealt with while packing, once for each use.
//
// The summed dimension is cut into blocks by its length alone; a result is the
// sum of its blocks in order, each summed by the micro-kernel in order. Which
// task computes it, and beside what else, changes no bit.

const (
	panel      = 16      // vectors of a panel
	blockUnits = 512     // longest block of the summed dimension
	taskCols   = 128     // columns of the result that a task should have
	packFloats = 4 << 20 // most of A that is packed at once
)

// An operand is a matrix of a product. Its vectors, which are multiplied with
// each other, are its rows, or with across its columns.
type operand struct {
	format kernels.Format
	f32    []float32
	u16    []uint16
	ld     int // elements from row to row
	across bool
}

func tensorOperand(t kernels.Tensor, across bool) operand {
	return operand{format: kernels.F32, f32: data(t), ld: t.Cols, across: across}
}

func matrixOperand(w kernels.Matrix, across bool) operand {
	o := operand{format: w.Format, ld: w.Cols, across: across}
	n := w.Rows * w.Cols
	if w.Format == kernels.F32 {
		o.f32 = w.Mem.(*memory).f32[w.Off : w.Off+n]
	} else {
		o.u16 = w.Mem.(*weight).u16[w.Off : w.Off+n]
	}
	return o
}

// A product is C [m, n] = alpha·A·B, or += with acc, summed over k.
type product struct {
	m, n, k int
	a, b    operand
	c       []float32
	ldc     int
	alpha   float32
	acc     bool
	bf16    bool // multiply rounded to bfloat16, sum in float32
	whole   bool // cut the summed dimension at multiples of blockUnits, whatever its length
}

func ceil(n, m int) int { return (n + m - 1) / m }
func up(n, m int) int   { return ceil(n, m) * m }

// unit returns how many elements of the summed dimension a unit holds.
func (p *product) unit() int {
	if p.bf16 {
		return 2
	}
	return 1
}

// block returns the length of the blocks of the summed dimension, in elements.
func (p *product) block() int {
	units := ceil(p.k, p.unit())
	if p.whole {
		return min(blockUnits, up(units, 16)) * p.unit()
	}
	return up(ceil(units, ceil(units, blockUnits)), 16) * p.unit()
}

// multiply computes p on the device's workers.
func (d *Device) multiply(p product) { d.multiplyOn(d.workers, d.do, p) }

// multiplyHere computes p on the caller's goroutine.
func (d *Device) multiplyHere(p product) {
	d.multiplyOn(1, func(n int, task func(int)) {
		for i := range n {
			task(i)
		}
	}, p)
}

// multiplyOn computes p by tasks that do runs.
func (d *Device) multiplyOn(workers int, do func(n int, task func(int)), p product) {
	if p.m == 0 || p.n == 0 {
		return
	}
	if p.k == 0 {
		d.zero(p)
		return
	}
	block, panels := p.block(), ceil(p.m, panel)
	stride := block/p.unit()*panel + panel // the gap keeps panels from the same cache sets
	blocks := min(ceil(p.k, block), max(1, packFloats/(panels*stride)))
	lent := d.borrow(blocks * panels * stride)
	defer d.giveBack(lent)
	packed := lent.f32
	for k0 := 0; k0 < p.k; k0 += blocks * block {
		end := min(p.k, k0+blocks*block)
		n := ceil(end-k0, block)
		do(n*panels, func(i int) {
			b, j := i/panels, i%panels
			from := k0 + b*block
			d.pack(packed[i*stride:(i+1)*stride], 0, &p.a, j*panel, min(panel, p.m-j*panel), from, min(end, from+block), p.bf16)
		})
		d.multiplyPacked(workers, do, &p, packed, stride, k0, end, block)
	}
}

// zero writes the sum of nothing.
func (d *Device) zero(p product) {
	if p.acc {
		return
	}
	for i := range p.m {
		clear(p.c[i*p.ldc:][:p.n])
	}
}

// multiplyPacked adds the blocks from k0 to end: tasks own columns of the result
// and, where those are few, rows of it.
func (d *Device) multiplyPacked(workers int, do func(int, func(int)), p *product, a []float32, stride, k0, end, block int) {
	panels := ceil(p.m, panel)
	cols := taskCols
	if n := ceil(p.n, 2*workers); n < cols {
		cols = max(panel, up(n, panel))
	}
	colTasks, rowTasks := ceil(p.n, cols), 1
	if colTasks < 2*workers {
		rowTasks = min(panels, ceil(2*workers, colTasks))
	}
	height := ceil(panels, rowTasks)
	do(colTasks*rowTasks, func(task int) {
		n0, first := task/rowTasks*cols, task%rowTasks*height
		n, last := min(cols, p.n-n0), min(panels, first+height)
		if first >= last {
			return
		}
		width := block / p.unit() * panel
		lent := d.borrow(ceil(n, panel) * width)
		defer d.giveBack(lent)
		b := lent.f32
		for from := k0; from < end; from += block {
			to := min(end, from+block)
			d.pack(b, width, &p.b, n0, n, from, to, p.bf16)
			d.tiles(p, a[(from-k0)/block*panels*stride:], stride, b, width, n0, n, first, last, ceil(to-from, p.unit()), p.acc || from > 0)
		}
	})
}

// tiles runs the micro-kernel over the panels first to last of A and those of
// the columns from n0 on.
func (d *Device) tiles(p *product, a []float32, stride int, b []float32, width, n0, n, first, last, units int, acc bool) {
	tile, add := d.simd.tileF32, 0
	if p.bf16 {
		tile = d.simd.tileBF16
	}
	if acc {
		add = 1
	}
	for i := first; i < last; i++ {
		rows := min(panel, p.m-i*panel)
		ahead := uintptr(unsafe.Pointer(&a[i*stride])) + uintptr(stride*4) // an integer: it may lie outside
		for j := 0; j < n; j += panel {
			mask := uint64(1)<<min(panel, n-j) - 1
			tile(units, unsafe.Pointer(&a[i*stride]), unsafe.Pointer(&b[j/panel*width]), &p.c[i*panel*p.ldc+n0+j], p.ldc, rows, mask, add, ahead, p.alpha)
			ahead += uintptr(units / 4 * 64)
		}
	}
}
