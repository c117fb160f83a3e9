package quant

import (
	"fmt"
	"math"
)

// QuantizeRows quantises a matrix to 8 bits with one scale a row, as LLM.int8
// stores weights: scales[r] is the largest magnitude in row r, and
//
//	q[r·C+c] = round(x[r·C+c] · (127/scales[r]))
//
// in float32, halves to even. A row of zeros, or so small that 127/scales[r] is
// infinite, becomes zeros. The matrix has len(scales) rows. It runs on so many
// goroutines, 0 for one a processor.
func QuantizeRows(q []int8, scales []float32, x Source, workers int) error {
	rows := len(scales)
	if len(q) == 0 || rows == 0 || len(q)%rows != 0 {
		return fmt.Errorf("quant: %d codes and %d scales; want rows of equal length with a scale each", len(q), rows)
	}
	if err := x.check(len(q)); err != nil {
		return err
	}
	columns := len(q) / rows
	band := max(1, stretch/columns) // rows that a goroutine takes at a time
	return parallel(ceil(rows, band), workers, func(i int) error {
		var buf [maxBlock]float32
		for r := i * band; r < min(rows, (i+1)*band); r++ {
			top := x.rowMagnitude(buf[:], r*columns, columns)
			if top >= infinite {
				return fmt.Errorf("quant: row %d: elements %d to %d: %w", r, r*columns, (r+1)*columns-1, errNotFinite)
			}
			scales[r] = math.Float32frombits(top)
			x.encodeRow(q[r*columns:][:columns], buf[:], r*columns, 127/scales[r])
		}
		return nil
	})
}

func (s Source) rowMagnitude(buf []float32, from, n int) (top uint32) {
	for end := from + n; from < end; from += len(buf) {
		top = max(top, magnitude(s.read(buf[:min(len(buf), end-from)], from)))
	}
	return top
}

// roundEven, added to a float32 below 2^22, leaves the nearest integer in the
// lowest bits, with those of a two's complement. Infinities and NaNs leave zeros.
const roundEven = 3 << 22

func (s Source) encodeRow(q []int8, buf []float32, from int, inverse float32) {
	for len(q) > 0 {
		v := s.read(buf[:min(len(buf), len(q))], from)
		for i, x := range v {
			q[i] = int8(math.Float32bits(float32(x*inverse) + roundEven))
		}
		q, from = q[len(v):], from+len(v)
	}
}

// DequantizeRows writes q[i] · scales[i/C] / 127 to dst, whole rows of C columns,
// on the calling goroutine. Each product is rounded to float32, the division is a
// product with float32(1/127), as bitsandbytes does it. q is as long as dst, and
// there is a scale for each row.
func DequantizeRows(dst []float32, q []int8, scales []float32) {
	columns := len(dst) / max(1, len(scales))
	for r, scale := range scales {
		row := dst[r*columns:][:columns]
		for i, c := range q[r*columns:][:columns] {
			row[i] = float32(float32(c)*scale) * (1. / 127)
		}
	}
}
