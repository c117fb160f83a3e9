package cpu

import "unsafe"

// A band is 8 rows of A next to all columns of a region, two panels at a time.
// Where A's elements lie along its rows nothing is packed: the micro-kernel reads
// the rows as they are. Only the rows of a last panel that is not whole are
// packed, for they cannot all be read.

const bandRows = 8

// banded reports whether the product is computed by bands.
func (g *gemm) banded() bool { return !g.bf16 && g.simd.bandF32 != nil }

// along reports whether A is read where it lies.
func (g *gemm) along() bool { return g.banded() && !g.a.across }

// bands runs the micro-kernel over a region, from to to of the summed dimension.
func (g *gemm) bands(b []float32, r region, from, to int, acc bool) {
	for i := r.first; i < r.last; i++ {
		switch rows := min(panel, g.m-i*panel); {
		case g.a.across:
			at := ((from-g.k0)/g.block*g.panels + i) * g.stride
			g.packedBands(g.packed[at:], b, r, i, to-from, acc)
		case rows == panel:
			g.bandsAlong(b, r, i, from, to-from, acc)
		default:
			lent := g.borrow(g.stride)
			g.packA(lent.f32, i*panel, rows, from, to)
			g.packedBands(lent.f32, b, r, i, to-from, acc)
			g.giveBack(lent)
		}
	}
}

// lastPair returns the pairs of panels that a region has and the columns of the
// last as a mask.
func (r region) lastPair() (pairs int, mask uint64) {
	pairs = ceil(r.n, 2*panel)
	return pairs, 1<<(r.n-(pairs-1)*2*panel) - 1
}

// packedBands computes a packed panel's rows.
func (g *gemm) packedBands(a, b []float32, r region, i, units int, acc bool) {
	pairs, mask := r.lastPair()
	ahead := uintptr(unsafe.Pointer(&a[0])) + uintptr(g.stride*4) // an integer: it may lie outside
	for row := 0; row < min(panel, g.m-i*panel); row += bandRows {
		g.simd.bandF32(units, unsafe.Pointer(&a[row]), unsafe.Pointer(&b[0]), g.stride*4, pairs,
			&g.c[(i*panel+row)*g.ldc+r.n0], g.ldc, g.m-i*panel-row, mask, flag(acc), ahead, g.alpha)
		ahead += uintptr(pairs * units / 4 * 64)
	}
}

// bandsAlong computes the rows of a whole panel from where they lie.
func (g *gemm) bandsAlong(b []float32, r region, i, from, units int, acc bool) {
	pairs, mask := r.lastPair()
	for row := i * panel; row < (i+1)*panel; row += bandRows {
		a := unsafe.Pointer(&g.a.f32[row*g.a.ld+from])
		g.simd.alongF32(units, a, g.a.ld*4, unsafe.Pointer(&b[0]), g.stride*4, pairs,
			&g.c[row*g.ldc+r.n0], g.ldc, bandRows, mask, flag(acc), uintptr(a)+uintptr(panel*g.a.ld*4), g.alpha)
	}
}
