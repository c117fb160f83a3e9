package cpu

import (
	"unsafe"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// A product of one token reads each weight once: to pack it takes longer than to
// multiply. Where the matrix unit computes all other products, assembly with its
// order of summation takes 16 rows of the weight at a time as they lie. From two
// tokens on the matrix unit is as fast.

// oneRow reports whether the product is one of a token that has assembly.
func (g *gemm) oneRow() bool {
	if g.simd.gemvBF16 == nil || !g.bf16 || g.m > 1 || g.n < panel || g.k%codeBlock != 0 || g.alpha != 1 || g.b.across || g.b.ld != g.k {
		return false
	}
	return g.b.format == kernels.BF16 || g.b.format == kernels.Int8 || g.fourBit() && g.b.quantized.Block == codeBlock
}

// fourBit reports whether B has codes of 4 bits.
func (g *gemm) fourBit() bool { return g.b.format.Quantized() && g.b.format != kernels.Int8 }

// vectorPanels is the most of B that a task takes, so that nobody waits for long
// for the last.
const vectorPanels = 64

// vector are the tasks of byVector.
type vector gemm

// byVector rounds A to bfloat16, and has tasks multiply it by panels of B.
func (g *gemm) byVector() {
	lent := g.borrow(2 * g.k)
	defer g.giveBack(lent)
	a, b := lent.f32[:g.k], lent.f32[g.k:]
	g.simd.narrow(1, g.k/32, unsafe.Pointer(&g.a.f32[0]), 0, unsafe.Pointer(&b[0]), 0, 0)
	g.simd.widenBF16(1, g.k/16, unsafe.Pointer(&b[0]), 0, unsafe.Pointer(&a[0]), 0)
	if g.packed = a; g.fourBit() {
		pairHalves(b, a)
		g.packed = b
	}
	panels := ceil(g.n, panel)
	each := max(1, min(panels/(4*g.sharers()), vectorPanels))
	g.cols = each * panel
	g.share(ceil(panels, each), (*vector)(g))
}

// pairHalves copies blocks of 64 in the order 0, 1, 32, 33, 2, 3, 34, 35 and so on.
func pairHalves(dst, src []float32) {
	for i := 0; i < len(src); i += codeBlock {
		from, to := src[i:i+codeBlock], dst[i:i+codeBlock]
		for j := 0; j < codeBlock/2; j += 2 {
			to[2*j], to[2*j+1], to[2*j+2], to[2*j+3] = from[j], from[j+1], from[codeBlock/2+j], from[codeBlock/2+j+1]
		}
	}
}

func (v *vector) task(task int) {
	g := (*gemm)(v)
	first, end := task*g.cols, min(g.n, (task+1)*g.cols)
	switch {
	case g.fourBit():
		g.codesByVector(first, end)
		return
	case g.b.format == kernels.Int8:
		g.int8ByVector(first, end)
		return
	}
	for n := first; n < end; n += panel {
		row, mask := g.panelAt(n, end)
		g.simd.gemvBF16(g.k/32, &g.packed[0], unsafe.Pointer(&g.b.u16[row*g.k]), 2*g.k, &g.c[row], mask, flag(g.acc))
	}
}

// int8ByVector multiplies by rows first to end of a B in int8, some elements of 16
// rows at a time, which are bfloat16 in scratch memory meanwhile.
func (g *gemm) int8ByVector(first, end int) {
	const chunk, step = 256, 2*256 + 64 // elements, and bytes from row to row, out of each other's cache sets
	q := g.b.quantized
	lent := g.borrow(panel * step / 4)
	defer g.giveBack(lent)
	values := unsafe.Pointer(&lent.f32[0])
	for n := first; n < end; n += panel {
		row, mask := g.panelAt(n, end)
		for k0 := 0; k0 < g.k; k0 += chunk {
			blocks := min(chunk, g.k-k0) / 32
			g.simd.int8BF16(panel, blocks, unsafe.Pointer(&q.Packed[row*g.k+k0]), g.k, values, step, &q.Scales.Plain[row])
			g.simd.gemvBF16(blocks, &g.packed[k0], values, step, &g.c[row], mask, flag(g.acc || k0 > 0))
		}
	}
}

// codesByVector multiplies by rows first to end of a quantised B.
func (g *gemm) codesByVector(first, end int) {
	const group, room = 4, 8 // rows that share tables, and floats that these take for each
	q, blocks := g.b.quantized, g.k/codeBlock
	lent := g.borrow(panel * blocks * (1 + room))
	defer g.giveBack(lent)
	tables, scales := lent.f32[:panel*blocks*room], lent.f32[panel*blocks*room:]
	for n := first; n < end; n += panel {
		row, mask := g.panelAt(n, end)
		g.expandScales(scales, &q.Scales, row*blocks)
		for r := 0; r < panel; r += group {
			g.simd.gemvTables(blocks, &scales[r*blocks], 4*blocks, &codeValues[q.Type], unsafe.Pointer(&tables[r*blocks*room]))
		}
		g.simd.gemvCodes(panel/group, blocks, &g.packed[0], unsafe.Pointer(&q.Packed[row*g.k/2]), g.k/2, &g.c[row], mask, flag(g.acc), unsafe.Pointer(&tables[0]))
	}
}

// panelAt returns the first of 16 rows of B that has row n and rows before the end
// among them, and which those are.
func (g *gemm) panelAt(n, end int) (row int, mask uint64) {
	row = min(n, g.n-panel)
	return row, 1<<min(panel, end-row) - 1<<(n-row)
}

// expandScales is s.Expand by assembly.
func (d *Device) expandScales(dst []float32, s *quant.Scales, from int) {
	if !s.Double() {
		s.Expand(dst, from)
		return
	}
	for len(dst) > 0 {
		n := min(len(dst), quant.DynamicBlock-from%quant.DynamicBlock)
		d.simd.scales(n, &s.Codes[from], s.Map, &dst[0], s.Nested[from/quant.DynamicBlock], s.Offset)
		dst, from = dst[n:], from+n
	}
}
