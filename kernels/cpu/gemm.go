package cpu

import (
	"sync"
	"unsafe"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// Products by micro-kernels. Both operands are packed into panels of 16
// vectors, unit-major: a unit is one float32 of the summed dimension or a pair
// of bfloat16, and unit k of a panel's 16 vectors lies together. (For AMX, A is
// packed into tiles instead.) The operands' storage format is dealt with while
// packing, once for each use.
//
// The summed dimension is cut into blocks by its length alone; a result is the
// sum of its blocks in order, each summed by the micro-kernel in order. Which
// task computes it, and beside what else, changes no bit.

const (
	panel      = 16      // vectors of a panel
	blockUnits = 512     // longest block of the summed dimension
	taskCols   = 128     // most columns of the result that a task has
	bandCols   = 480     // and where bands are computed
	packFloats = 1 << 21 // most of A that is packed at once
)

// An operand is a matrix of a product. Its vectors, which are multiplied with
// each other, are its rows, or with across its columns.
type operand struct {
	format    kernels.Format
	f32       []float32
	u16       []uint16
	quantized *quant.Tensor
	ld        int // elements from row to row
	across    bool
}

func tensorOperand(t kernels.Tensor, across bool) operand {
	return operand{format: kernels.F32, f32: data(t), ld: t.Cols, across: across}
}

func matrixOperand(w kernels.Matrix, across bool) operand {
	o := operand{format: w.Format, ld: w.Cols, across: across}
	n := w.Rows * w.Cols
	switch {
	case w.Format == kernels.F32:
		o.f32 = w.Mem.(*memory).f32[w.Off : w.Off+n]
	case w.Format.Quantized():
		o.quantized = w.Mem.(*weight).quantized
	default:
		o.u16 = w.Mem.(*weight).u16[w.Off : w.Off+n]
	}
	return o
}

// A product is C [m, n] = alpha·A·B, or += with acc, summed over k. A is in
// float32.
type product struct {
	m, n, k int
	a, b    operand
	c       []float32
	ldc     int
	alpha   float32
	acc     bool
	whole   bool // cut the summed dimension at multiples of blockUnits, whatever its length
	// attention tells that a dimension is a number of keys, which must not decide
	// how numbers are rounded.
	attention bool
}

func ceil(n, m int) int { return (n + m - 1) / m }
func up(n, m int) int   { return ceil(n, m) * m }

// multiply computes p on the device's workers.
func (d *Device) multiply(p product) {
	g := newGemm(d, p)
	defer gemms.Put(g)
	g.run()
}

// multiplyHere computes p on the caller's goroutine.
func (d *Device) multiplyHere(p product) {
	g := newGemm(d, p)
	defer gemms.Put(g)
	g.alone = true
	g.run()
}

// A gemm is a product under way.
type gemm struct {
	*Device
	product
	bf16   bool // multiply in bfloat16
	unit   int  // elements of the summed dimension in a unit
	block  int  // elements of it in a block
	panels int  // of A
	stride int  // floats from one packed panel to the next
	alone  bool // the caller's goroutine does it all

	// Of what is under way: the elements of the summed dimension, packed, and
	// the columns, tasks and panels of A of a region.
	k0, end                int
	packed                 []float32
	cols, rowTasks, height int
}

// share runs tasks on the workers, or here.
func (g *gemm) share(n int, t tasks) {
	if !g.alone {
		g.do(n, t)
		return
	}
	for i := range n {
		t.task(i)
	}
}

// sharers returns among how many tasks are shared.
func (g *gemm) sharers() int {
	if g.alone {
		return 1
	}
	return g.workers
}

// gemms are those that are done, to be used again.
var gemms = sync.Pool{New: func() any { return new(gemm) }}

func newGemm(d *Device, p product) *gemm {
	g := gemms.Get().(*gemm)
	*g = gemm{Device: d, product: p, unit: 1, panels: ceil(p.m, panel)}
	if g.bf16 = d.bf16 && !d.skinny(&p); g.bf16 {
		g.unit = 2
	}
	units := ceil(p.k, g.unit)
	g.block = min(blockUnits, up(units, panel)) * g.unit
	if !p.whole && units > 0 {
		g.block = up(ceil(units, ceil(units, blockUnits)), panel) * g.unit
	}
	g.stride = (g.block/g.unit + 1) * panel // the gap keeps panels from the same cache sets
	return g
}

// run computes the product: as many blocks of the summed dimension at once as
// memory allows.
func (g *gemm) run() {
	if g.m == 0 || g.n == 0 {
		return
	}
	if g.k == 0 {
		g.zero()
		return
	}
	switch {
	case g.oneRow():
		g.byVector()
		return
	case !g.skinny(&g.product):
	case g.fewColumns():
		g.byRows()
		return
	case g.fewRows(&g.product):
		g.byColumns()
		return
	}
	if g.along() {
		g.regions(nil, 0, g.k)
		return
	}
	blocks := min(ceil(g.k, g.block), max(1, packFloats/(g.panels*g.stride)))
	if blocks*g.block >= g.k && g.holdable() {
		g.runHeld()
		return
	}
	lent := g.borrow(blocks * g.panels * g.stride)
	defer g.giveBack(lent)
	for k0 := 0; k0 < g.k; k0 += blocks * g.block {
		end := min(g.k, k0+blocks*g.block)
		g.pack(lent.f32, k0, end)
		g.regions(lent.f32, k0, end)
	}
}

// packing are the tasks of pack.
type packing gemm

// pack packs the elements from k0 to end of the summed dimension of A.
func (g *gemm) pack(a []float32, k0, end int) {
	g.packed, g.k0, g.end = a, k0, end
	g.share(ceil(end-k0, g.block)*g.panels, (*packing)(g))
}

func (p *packing) task(i int) {
	g := (*gemm)(p)
	from, v0 := g.k0+i/g.panels*g.block, i%g.panels*panel
	g.packA(g.packed[i*g.stride:(i+1)*g.stride], v0, min(panel, g.m-v0), from, min(g.end, from+g.block))
}

// holdable reports whether A is a whole tensor, which may be held.
func (g *gemm) holdable() bool { return !g.a.across && !g.whole && g.a.ld == g.k }

// runHeld is run for an A that may be held, packed at once.
func (g *gemm) runHeld() {
	o := left{&g.a.f32[0], g.m, g.k, g.bf16}
	packed, holds := g.larder.look(o)
	if packed == nil {
		packed = g.borrow(ceil(g.k, g.block) * g.panels * g.stride)
		g.pack(packed.f32, 0, g.k)
		if !holds || !g.larder.keep(o, packed) {
			defer g.giveBack(packed)
		}
	}
	g.regions(packed.f32, 0, g.k)
}

// zero writes the sum of nothing.
func (g *gemm) zero() {
	if g.acc {
		return
	}
	for i := range g.m {
		clear(g.c[i*g.ldc:][:g.n])
	}
}

// A region is some columns of the result and the panels of A that give its rows.
type region struct{ n0, n, first, last int }

// widest returns the most columns that a task has.
func (g *gemm) widest() int {
	if g.banded() {
		return bandCols
	}
	return taskCols
}

// evenCols returns the columns of a task, of which there are to be so many or a few
// more: those that leave the busiest worker with the fewest.
func (g *gemm) evenCols(tasks int) int {
	pairs, workers := ceil(g.n, 2*panel), g.sharers()
	best, least := 0, pairs+1
	for t := tasks; t < tasks+2*workers; t++ {
		each := ceil(pairs, t)
		last := ceil(pairs, each) - 1
		busiest := (last/workers + 1) * each
		if last%workers == 0 { // whose last task is the last of all, with what is left
			busiest = pairs - last*each + last/workers*each
		}
		if busiest < least {
			best, least = each, busiest
		}
	}
	return best * 2 * panel
}

// adding are the tasks of regions.
type adding gemm

// regions adds the blocks from k0 to end: tasks own columns of the result and,
// where those are few, rows of it.
func (g *gemm) regions(a []float32, k0, end int) {
	wanted := 2 * g.sharers()
	g.packed, g.k0, g.end, g.rowTasks = a, k0, end, 1
	g.cols = g.evenCols(max(wanted, ceil(g.n, g.widest())))
	colTasks := ceil(g.n, g.cols)
	if colTasks < wanted {
		g.rowTasks = min(g.panels, ceil(wanted, colTasks))
	}
	g.height = up(ceil(g.panels, g.rowTasks), 2)
	g.share(colTasks*g.rowTasks, (*adding)(g))
}

func (p *adding) task(i int) {
	g := (*gemm)(p)
	n0, first := i/g.rowTasks*g.cols, i%g.rowTasks*g.height
	r := region{n0, min(g.cols, g.n-n0), first, min(g.panels, first+g.height)}
	if r.first < r.last {
		g.add(r)
	}
}

// add packs what a region needs of B, block by block, and runs the micro-kernel.
func (g *gemm) add(r region) {
	lent := g.borrow(up(ceil(r.n, panel), 2) * g.stride)
	defer g.giveBack(lent)
	for from := g.k0; from < g.end; from += g.block {
		to := min(g.end, from+g.block)
		g.packB(lent.f32, r.n0, r.n, from, to)
		acc := g.acc || from > 0
		if g.banded() {
			g.bands(lent.f32, r, from, to, acc)
			continue
		}
		blockA, units := g.packed[(from-g.k0)/g.block*g.panels*g.stride:], ceil(to-from, g.unit)
		if g.usesAMX() {
			g.tilesAMX(blockA, lent.f32, r, units, acc)
		} else {
			g.tiles(blockA, lent.f32, r, units, acc)
		}
	}
}

// flag returns a bool as assembly takes it.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tiles runs the micro-kernel over a region.
func (g *gemm) tiles(a, b []float32, r region, units int, acc bool) {
	tile := g.simd.tileF32
	if g.bf16 {
		tile = g.simd.tileBF16
	}
	for i := r.first; i < r.last; i++ {
		rows, from := min(panel, g.m-i*panel), unsafe.Pointer(&a[i*g.stride])
		ahead := uintptr(from) + uintptr(g.stride*4) // an integer: it may lie outside
		for j := 0; j < r.n; j += panel {
			mask := uint64(1)<<min(panel, r.n-j) - 1
			tile(units, from, unsafe.Pointer(&b[j/panel*g.stride]), &g.c[i*panel*g.ldc+r.n0+j], g.ldc, rows, mask, flag(acc), ahead, g.alpha)
			ahead += uintptr(units / 4 * 64)
		}
	}
}
