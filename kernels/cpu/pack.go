package cpu

import (
	"math"
	"unsafe"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// scratchUnits is how many units of a row are expanded at once; rows of scratch
// memory lie a cache line further apart, out of each other's cache sets.
const (
	scratchUnits = 128
	scratchStep  = scratchUnits*4 + 64 // bytes
	scratchRows  = 64
	scratchRoom  = scratchRows * scratchStep / 4 // floats; behind them lie the scales of what is there
	scratchSize  = scratchRoom + scratchRows*2*scratchUnits/codeBlock
)

// packer returns what packs an operand; scratch has scratchSize floats.
func (g *gemm) packer(o *operand, scratch *scratch) packer {
	return packer{
		simd: g.simd, o: o, bf16: g.bf16, unit: g.unit, scratch: unsafe.Pointer(&scratch.f32[0]), scales: scratch.f32[scratchRoom:scratchSize],
		direct: o.format == kernels.F32 && !g.bf16 || o.format == kernels.BF16 && g.bf16,
	}
}

// packB writes n vectors of B from v0 on, elements k0 to k1 of the summed
// dimension, into panels that lie width floats apart. What a panel has beyond n
// is zero or arbitrary, what it has beyond the last element, up to a multiple
// of 16 units, is zero.
func (g *gemm) packB(dst []float32, v0, n, k0, k1 int) {
	lent := g.borrow(scratchSize)
	defer g.giveBack(lent)
	p := g.packer(&g.b, lent)
	if g.b.across {
		p.packColumns(dst, g.stride, v0, n, k0, k1)
		return
	}
	for i := 0; i < n; i += panel {
		p.packRows(dst[i/panel*g.stride:], v0+i, min(panel, n-i), k0, k1)
	}
}

// packA writes a panel of A, in the same way, or for AMX as tiles of 16 rows by
// 16 units.
func (g *gemm) packA(dst []float32, v0, n, k0, k1 int) {
	lent := g.borrow(scratchSize)
	defer g.giveBack(lent)
	p := g.packer(&g.a, lent)
	switch {
	case g.a.across && g.usesAMX():
		turned := g.borrow(g.stride)
		defer g.giveBack(turned)
		p.packColumns(turned.f32, g.stride, v0, n, k0, k1)
		for i := 0; i < ceil(k1-k0, panel*g.unit)*panel*panel; i += panel * panel {
			p.transpose(1, unsafe.Pointer(&turned.f32[i]), panel*4, unsafe.Pointer(&dst[i]))
		}
	case g.a.across:
		p.packColumns(dst, g.stride, v0, n, k0, k1)
	case g.usesAMX():
		p.packTiles(dst, v0, n, k0, k1)
	default:
		p.packRows(dst, v0, n, k0, k1)
	}
}

type packer struct {
	*simd
	o       *operand
	bf16    bool
	direct  bool // the elements can be taken as they are
	unit    int
	scratch unsafe.Pointer
	scales  []float32
}

// at returns the address of an element.
func (p *packer) at(row, col int) unsafe.Pointer {
	i := row*p.o.ld + col
	if p.o.format == kernels.F32 {
		return unsafe.Pointer(&p.o.f32[i])
	}
	return unsafe.Pointer(&p.o.u16[i])
}

// rowBytes returns the distance of rows.
func (p *packer) rowBytes() int { return p.o.format.Bytes(p.o.ld) }

// packRows packs up to 16 rows.
func (p *packer) packRows(dst []float32, r0, n, k0, k1 int) {
	if blocks := (k1 - k0) / (16 * p.unit); p.direct && n == panel && blocks > 0 {
		p.transpose(blocks, p.at(r0, k0), p.rowBytes(), unsafe.Pointer(&dst[0]))
		k0 += blocks * 16 * p.unit
		if k0 == k1 {
			return
		}
		dst = dst[blocks*16*panel:]
	}
	for k0 < k1 {
		to := min(k1, k0+scratchUnits*p.unit)
		p.expand(r0, n, k0, to)
		blocks := ceil(to-k0, 16*p.unit)
		for r := n; r < panel; r++ {
			clear(unsafe.Slice((*float32)(unsafe.Add(p.scratch, r*scratchStep)), blocks*16))
		}
		p.transpose(blocks, p.scratch, scratchStep, unsafe.Pointer(&dst[0]))
		if k0 = to; k0 < k1 {
			dst = dst[blocks*16*panel:]
		}
	}
}

// packTiles packs up to 16 rows of float32 into tiles.
func (p *packer) packTiles(dst []float32, r0, n, k0, k1 int) {
	whole, tail := narrowBlocks(k1 - k0)
	p.narrowTiles(n, whole, p.at(r0, k0), p.rowBytes(), unsafe.Pointer(&dst[0]), tail)
}

// narrowBlocks returns the blocks of 32 of a row and the mask of the rest.
func narrowBlocks(elements int) (whole, tail int) {
	return elements / 32, 1<<(elements%32) - 1
}

// packColumns packs n columns.
func (p *packer) packColumns(dst []float32, width, c0, n, k0, k1 int) {
	interleave, straight := p.interleaveF32, p.interleaveF32
	if p.bf16 {
		interleave, straight = p.interleaveBF16, p.interleaveBF16
		if p.o.format == kernels.F32 {
			straight = p.interleaveNarrow
		}
	}
	done := 0 // columns taken from where they are
	units := (k1 - k0) / p.unit
	if (p.direct || p.o.format == kernels.F32) && units > 0 {
		if done = n / panel * panel; done > 0 {
			straight(units, done/panel, p.at(k0, c0), p.rowBytes(), unsafe.Pointer(&dst[0]), width*4)
		}
	}
	put := func(from, to, first, last int) { // columns of dst, rows of o
		for c := from; c < to; c += scratchUnits {
			cols := min(scratchUnits, to-c)
			for r := first; r < last; r += scratchRows {
				rows := min(scratchRows, last-r)
				p.expandColumns(r, rows, c0+c, c0+c+cols)
				interleave(ceil(rows, p.unit), ceil(cols, panel), p.scratch, scratchStep, unsafe.Pointer(&dst[c/panel*width+(r-k0)/p.unit*panel]), width*4)
			}
		}
	}
	put(done, n, k0, k0+units*p.unit)
	put(0, n, k0+units*p.unit, k1)
	used := ceil(k1-k0, p.unit) * panel
	for c := 0; c < n; c += panel {
		clear(dst[c/panel*width:][used:up(used, panel*panel)])
	}
}

// expandColumns expands rows for interleave: as many as its pairs need.
func (p *packer) expandColumns(r0, n, c0, c1 int) {
	p.expand(r0, n, c0, c1)
	if n%p.unit != 0 {
		clear(unsafe.Slice((*float32)(unsafe.Add(p.scratch, n*scratchStep)), scratchUnits))
	}
}

// expand writes n rows, elements k0 to k1, into scratch memory in the
// arithmetic's own format, with zeros up to a whole number of 16 units.
func (p *packer) expand(r0, n, k0, k1 int) {
	if p.o.format.Quantized() {
		p.dequantize(r0, n, k0, k1)
		return
	}
	if p.bf16 && p.o.format == kernels.F32 {
		whole, tail := narrowBlocks(k1 - k0)
		p.narrow(n, whole, p.at(r0, k0), p.rowBytes(), p.scratch, scratchStep, tail)
		return
	}
	count, block := k1-k0, 16*p.unit
	whole := count / block
	if whole > 0 {
		p.expandBlocks(r0, n, k0, whole)
	}
	if count%block == 0 {
		return
	}
	for r := range n {
		row := unsafe.Add(p.scratch, r*scratchStep+whole*64)
		if p.bf16 {
			tail := unsafe.Slice((*uint16)(row), block)
			clear(tail)
			for i := range count % block {
				tail[i] = p.element16(r0+r, k0+whole*block+i)
			}
			continue
		}
		tail := unsafe.Slice((*float32)(row), block)
		clear(tail)
		if p.o.format == kernels.F32 {
			copy(tail, p.o.f32[(r0+r)*p.o.ld+k0+whole*block:][:count%block])
			continue
		}
		for i := range count % block {
			tail[i] = p.element(r0+r, k0+whole*block+i)
		}
	}
}

// dequantize is expand for a quantised operand.
func (p *packer) dequantize(r0, n, k0, k1 int) {
	done := 0 // elements of a row
	if p.o.format == kernels.Int8 {
		done = p.dequantizeRows(r0, n, k0, k1)
	} else if p.dequantizeBlocks(r0, n, k0, k1) {
		return
	}
	count := k1 - k0 - done
	if count == 0 {
		return
	}
	for r := range n {
		row, at := unsafe.Add(p.scratch, r*scratchStep+done/p.unit*4), (r0+r)*p.o.ld+k0+done
		if p.bf16 {
			to := unsafe.Slice((*uint16)(row), up(count, 32))
			p.o.quantized.DequantizeBF16(to[:count], at)
			clear(to[count:])
		} else {
			to := unsafe.Slice((*float32)(row), up(count, 16))
			p.o.quantized.Dequantize(to[:count], at)
			clear(to[count:])
		}
	}
}

// codeBlock is how many codes the assembly turns at once.
const codeBlock = 64

// codeValues has the values of the 4-bit types' codes.
var codeValues = [...][16]float32{quant.NF4: quant.NF4.Values(), quant.FP4: quant.FP4.Values()}

// dequantizeBlocks does it by assembly, if the blocks lie so that it can. Columns
// after the last that were not asked for may then not be zero.
func (p *packer) dequantizeBlocks(r0, n, k0, k1 int) bool {
	q, convert := p.o.quantized, p.dequantizeF32
	if p.bf16 {
		convert = p.dequantizeBF16
	}
	whole := (k1-k0)%codeBlock == 0 || p.o.across
	if convert == nil || q.Block != codeBlock || p.o.ld%codeBlock != 0 || k0%codeBlock != 0 || !whole {
		return false
	}
	blocks, step := ceil(k1-k0, codeBlock), p.o.ld/codeBlock
	for r := range n {
		q.Scales.Expand(p.scales[r*blocks:(r+1)*blocks], (r0+r)*step+k0/codeBlock)
	}
	convert(n, blocks, unsafe.Pointer(&q.Packed[(r0*p.o.ld+k0)/2]), p.o.ld/2, p.scratch, scratchStep, &p.scales[0], blocks*4, &codeValues[q.Type])
	return true
}

// dequantizeRows does it for int8 by assembly, as far as it can: the first so many
// elements of the rows.
func (p *packer) dequantizeRows(r0, n, k0, k1 int) int {
	convert, block := p.int8F32, 16*p.unit
	if p.bf16 {
		convert = p.int8BF16
	}
	blocks := (k1 - k0) / block
	if convert == nil || blocks == 0 {
		return 0
	}
	q := p.o.quantized
	convert(n, blocks, unsafe.Pointer(&q.Packed[r0*p.o.ld+k0]), p.o.ld, p.scratch, scratchStep, &q.Scales.Plain[r0])
	return blocks * block
}

// expandBlocks writes whole blocks of 16 units.
func (p *packer) expandBlocks(r0, n, k0, blocks int) {
	src, ld := p.at(r0, k0), p.rowBytes()
	switch {
	case p.direct:
		for r := range n {
			copy(unsafe.Slice((*uint32)(unsafe.Add(p.scratch, r*scratchStep)), blocks*16), unsafe.Slice((*uint32)(unsafe.Add(src, r*ld)), blocks*16))
		}
	case p.bf16: // half precision: by way of float32 and element by element
		for r := range n {
			row := unsafe.Slice((*uint16)(unsafe.Add(p.scratch, r*scratchStep)), blocks*32)
			for i := range row {
				row[i] = p.element16(r0+r, k0+i)
			}
		}
	case p.o.format == kernels.BF16:
		p.widenBF16(n, blocks, src, ld, p.scratch, scratchStep)
	default:
		p.widenF16(n, blocks, src, ld, p.scratch, scratchStep)
	}
}

// element returns an element as float32.
func (p *packer) element(row, col int) float32 {
	i := row*p.o.ld + col
	switch p.o.format {
	case kernels.BF16:
		return float16.FromBF16(p.o.u16[i])
	case kernels.F16:
		return float16.FromHalf(p.o.u16[i])
	}
	return p.o.f32[i]
}

// element16 returns an element as bfloat16; like the instructions that do
// this for whole blocks it takes a denormal for zero.
func (p *packer) element16(row, col int) uint16 {
	if p.o.format == kernels.BF16 {
		return p.o.u16[row*p.o.ld+col]
	}
	x := p.element(row, col)
	if bits := math.Float32bits(x); bits&0x7f800000 == 0 {
		return uint16(bits >> 31 << 15)
	}
	return float16.ToBF16(x)
}
