package cpu

import (
	"unsafe"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// A product of one token reads each weight once: to pack it takes longer than to
// multiply. Where the matrix unit computes all other products, assembly with its
// order of summation takes 16 rows of the weight at a time as they lie or, of a
// quantised one, dequantised to scratch memory, as many elements as caches like.
// From two tokens on the matrix unit is as fast.
const vectorChunk = 256

// oneRow reports whether the product is one of a token that has assembly.
func (g *gemm) oneRow() bool {
	if g.simd.gemvBF16 == nil || !g.bf16 || g.m > 1 || g.n < panel || g.k%codeBlock != 0 || g.alpha != 1 || g.b.across || g.b.ld != g.k {
		return false
	}
	switch g.b.format {
	case kernels.BF16, kernels.Int8:
		return true
	case kernels.NF4, kernels.FP4:
		return g.b.quantized.Block == codeBlock
	}
	return false
}

// vector are the tasks of byVector.
type vector gemm

// byVector rounds A to bfloat16, and has tasks multiply it by panels of B.
func (g *gemm) byVector() {
	lent := g.borrow(g.k + g.k/2)
	defer g.giveBack(lent)
	a, narrowed := lent.f32[:g.k], unsafe.Pointer(&lent.f32[g.k])
	g.simd.narrow(1, g.k/32, unsafe.Pointer(&g.a.f32[0]), 0, narrowed, 0, 0)
	g.simd.widenBF16(1, g.k/16, narrowed, 0, unsafe.Pointer(&a[0]), 0)
	panels := ceil(g.n, panel)
	each := max(1, panels/(4*g.sharers()))
	g.packed, g.cols = a, each*panel
	g.share(ceil(panels, each), (*vector)(g))
}

func (v *vector) task(task int) {
	g := (*gemm)(v)
	first, end := task*g.cols, min(g.n, (task+1)*g.cols)
	if g.b.format.Quantized() {
		g.codesByVector(first, end)
		return
	}
	for n := first; n < end; n += panel {
		row, mask := g.panelAt(n, end)
		g.simd.gemvBF16(g.k/32, &g.packed[0], unsafe.Pointer(&g.b.u16[row*g.k]), 2*g.k, &g.c[row], mask, flag(g.acc), panel*2*g.k)
	}
}

// codesByVector is a task's product with rows first to end of a quantised B.
func (g *gemm) codesByVector(first, end int) {
	const step = 2*vectorChunk + 64 // bytes from row to row, out of each other's cache sets
	q, blocks, byRow := g.b.quantized, g.k/codeBlock, g.b.format == kernels.Int8
	lent := g.borrow(panel*step/4 + panel*blocks)
	defer g.giveBack(lent)
	values, scales := unsafe.Pointer(&lent.f32[0]), lent.f32[panel*step/4:]
	for n := first; n < end; n += panel {
		row, mask := g.panelAt(n, end)
		if !byRow {
			g.expandScales(scales, &q.Scales, row*blocks)
		}
		for k0 := 0; k0 < g.k; k0 += vectorChunk {
			k := min(vectorChunk, g.k-k0)
			if byRow {
				g.simd.int8BF16(panel, k/32, unsafe.Pointer(&q.Packed[row*g.k+k0]), g.k, values, step, &q.Scales.Plain[row])
			} else {
				g.simd.dequantizeBF16(panel, k/codeBlock, unsafe.Pointer(&q.Packed[(row*g.k+k0)/2]), g.k/2, values, step, &scales[k0/codeBlock], 4*blocks, &codeValues[q.Type])
			}
			g.simd.gemvBF16(k/32, &g.packed[k0], values, step, &g.c[row], mask, flag(g.acc || k0 > 0), 0)
		}
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
