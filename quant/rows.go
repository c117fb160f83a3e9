package quant

import (
	"fmt"
	"math"
)

// Int8 is what LLM.int8 stores weights in: the scale of row r is the largest
// magnitude in it, and
//
//	code[r,c] = round(x[r,c] · (1/scale[r] · 127))
//
// with each operation rounded to float32 (PyTorch has no 127/scale), and halves to
// even. A row of zeros, or so small that the factor is infinite, becomes zeros.

// encodeRows writes the codes of rows of so many columns and the scale of each.
func encodeRows(codes []byte, scales []float32, x Source, columns, workers int) error {
	rows := len(scales)
	band := max(1, stretch/columns) // rows that a goroutine takes at a time
	return parallel(ceil(rows, band), workers, func(i int) error {
		var buf [maxBlock]float32
		for r := i * band; r < min(rows, (i+1)*band); r++ {
			top := x.rowMagnitude(buf[:], r*columns, columns)
			if top >= infinite {
				return fmt.Errorf("quant: row %d: elements %d to %d: %w", r, r*columns, (r+1)*columns-1, errNotFinite)
			}
			scale := math.Float32frombits(top)
			if scale > LargestRow {
				return fmt.Errorf("quant: row %d: largest magnitude %v; int8 can keep one of %v", r, scale, float32(LargestRow))
			}
			scales[r] = scale
			x.encodeRow(codes[r*columns:][:columns], buf[:], r*columns, 1/scale*127)
		}
		return nil
	})
}

// LargestRow is the largest scale of an Int8 row: its product with a code is finite.
const LargestRow = math.MaxFloat32 / 128

func (s Source) rowMagnitude(buf []float32, from, n int) (top uint32) {
	for end := from + n; from < end; from += len(buf) {
		top = max(top, magnitude(s.read(buf[:min(len(buf), end-from)], from)))
	}
	return top
}

// roundEven, added to a float32 below 2^22, leaves the nearest integer in the
// lowest bits, with those of a two's complement. Infinities and NaNs leave zeros.
const roundEven = 3 << 22

func (s Source) encodeRow(codes []byte, buf []float32, from int, factor float32) {
	for len(codes) > 0 {
		v := s.read(buf[:min(len(buf), len(codes))], from)
		for i, x := range v {
			codes[i] = byte(math.Float32bits(float32(x*factor) + roundEven))
		}
		codes, from = codes[len(v):], from+len(v)
	}
}

// dequantizeRows writes code · scale / 127 of elements from one on. The product is
// rounded to float32 and the division is one with float32(1/127), as bitsandbytes
// does it.
func (t *Tensor) dequantizeRows(dst []float32, from int) {
	for len(dst) > 0 {
		r, within := from/t.Block, from%t.Block
		n := min(t.Block-within, len(dst))
		scale := t.Scales.Plain[r]
		for i, c := range t.Packed[from:][:n] {
			dst[i] = float32(float32(int8(c))*scale) * (1. / 127)
		}
		dst, from = dst[n:], from+n
	}
}

// dequantizeRowsBF16 is dequantizeRows, rounded to bfloat16.
func (t *Tensor) dequantizeRowsBF16(dst []uint16, from int) {
	var buf [256]float32
	for len(dst) > 0 {
		v := buf[:min(len(buf), len(dst))]
		t.dequantizeRows(v, from)
		for i, x := range v {
			dst[i] = toBFloat16(x)
		}
		dst, from = dst[len(v):], from+len(v)
	}
}
