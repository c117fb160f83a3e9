package cpu

import (
	"unsafe"

	"github.com/seed-5afa5581/graft/kernels"
)

// A skinny product has a matrix of few rows or columns, as an adapter's are.
// Its other matrix meets so few panels that packing it would take as long as to
// multiply: the micro-kernel reads it where it lies, in float32, because to round
// it would take as long too. In float32 the sums are those of any other product,
// in the same order.

// skinny is the most vectors of B, or terms of a sum, of a skinny product.
const skinny = 2 * panel

func (p *product) fewColumns() bool { return p.n <= skinny }

// fewRows is for weights' gradients alone: elsewhere it is how many tokens are
// computed together, on which no bit may depend. To read B more than once where it
// lies takes longer than to pack it.
func (d *Device) fewRows(p *product) bool {
	return d.simd.onePass && p.m <= panel && p.a.across && p.b.across && p.b.format == kernels.F32
}
func (p *product) fewTerms() bool { return p.k <= skinny }

// skinny reports whether a product is, on a device that has what it takes. In
// bfloat16, products of tokens with few columns are not: their A is held, packed
// already for a wider one.
func (d *Device) skinny(p *product) bool {
	switch {
	case d.simd.directF32 == nil || d.bf16 && p.attention:
		return false
	case p.fewColumns():
		return !d.bf16 || p.a.across
	}
	return d.fewRows(p) || p.fewTerms()
}

// tall and broad are the tasks of byRows and byColumns.
type (
	tall  gemm
	broad gemm
)

// byRows packs B, and reads A where it lies but for a last panel that is
// not whole.
func (g *gemm) byRows() {
	blocks, wide := ceil(g.k, g.block), g.wide()
	lent := g.borrow(blocks * wide)
	defer g.giveBack(lent)
	for i := range blocks {
		g.packB(lent.f32[i*wide:(i+1)*wide], 0, g.n, i*g.block, min(g.k, (i+1)*g.block))
	}
	g.packed, g.height = lent.f32, max(1, g.panels/(4*g.sharers()))
	g.share(ceil(g.panels, g.height), (*tall)(g))
}

// wide returns the floats of a packed block of a B of few columns.
func (g *gemm) wide() int { return ceil(g.n, panel) * g.stride }

func (t *tall) task(task int) {
	g := (*gemm)(t)
	lent := g.borrow(g.stride)
	defer g.giveBack(lent)
	first, last := task*g.height, min(g.panels, (task+1)*g.height)
	for from := 0; from < g.k; from += g.block {
		to := min(g.k, from+g.block)
		for i := first; i < last; i++ {
			g.addToFew(i, from, to, lent.f32)
		}
	}
}

// addToFew adds the elements from, to of the summed dimension to the rows of
// panel i of A.
func (g *gemm) addToFew(i, from, to int, room []float32) {
	rows := min(panel, g.m-i*panel)
	a, row, step := g.a.direct(i*panel, from)
	if rows < panel {
		g.packA(room, i*panel, rows, from, to)
		a, row, step = unsafe.Pointer(&room[0]), 4, 4*panel
	}
	b := g.packed[from/g.block*g.wide():]
	for j := 0; j < g.n; j += panel {
		cols := min(panel, g.n-j)
		g.simd.directF32(to-from, a, row, step, unsafe.Pointer(&b[j/panel*g.stride]), 4*panel,
			&g.c[i*panel*g.ldc+j], g.ldc, rows, 1<<cols-1, flag(g.acc || from > 0), g.alpha)
	}
}

// byColumns packs A, and reads B where it lies.
func (g *gemm) byColumns() {
	blocks, panels := ceil(g.k, g.block), ceil(g.n, panel)
	lent := g.borrow(blocks * g.stride)
	defer g.giveBack(lent)
	for i := range blocks {
		g.packA(lent.f32[i*g.stride:(i+1)*g.stride], 0, g.m, i*g.block, min(g.k, (i+1)*g.block))
	}
	each := max(1, panels/(4*g.sharers()))
	g.packed, g.cols = lent.f32, each*panel
	g.share(ceil(panels, each), (*broad)(g))
}

func (b *broad) task(task int) {
	g := (*gemm)(b)
	first, end := task*g.cols, min(g.n, (task+1)*g.cols)
	for from := 0; from < g.k; from += g.block {
		units, a := min(g.block, g.k-from), unsafe.Pointer(&g.packed[from/g.block*g.stride])
		for j := first; j < end; j += panel {
			g.simd.directF32(units, a, 4, 4*panel, unsafe.Pointer(&g.b.f32[from*g.b.ld+j]), 4*g.b.ld,
				&g.c[j], g.ldc, g.m, 1<<min(panel, end-j)-1, flag(g.acc || from > 0), g.alpha)
		}
	}
}

// direct returns where vector v of a float32 operand is at element k, and the
// bytes from vector to vector and from element to element.
func (o *operand) direct(v, k int) (p unsafe.Pointer, row, step int) {
	if o.across {
		return unsafe.Pointer(&o.f32[k*o.ld+v]), 4, 4 * o.ld
	}
	return unsafe.Pointer(&o.f32[v*o.ld+k]), 4 * o.ld, 4
}
