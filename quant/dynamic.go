package quant

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// DynamicBlock is the number of elements that share a scale in the 8-bit codes of
// a [DynamicMap].
const DynamicBlock = 256

// A DynamicMap is a table of 256 values, ascending, whose spacing grows with the
// magnitude over seven decades ("8-bit Approximations for Parallelism in Deep
// Learning", Dettmers 2015). Its codes serve the scales of 4-bit tensors and the
// moments of an 8-bit AdamW.
type DynamicMap struct {
	values [256]float32
	codes  [gridSize]uint8 // of each grid point
}

// So many points lie evenly on [-1, 1]; a value takes the code of the nearest.
const (
	gridSize      = 1 << 16
	pointsPerUnit = (gridSize - 1) / 2.
)

// Signed is the map for values of both signs: scales less their mean, and the
// first moment. Its values lie between -0.993 and 1.
func Signed() *DynamicMap { return signed() }

// Unsigned is the map for values that are never negative: the second moment.
func Unsigned() *DynamicMap { return unsigned() }

var (
	signed   = sync.OnceValue(func() *DynamicMap { return newDynamicMap(true) })
	unsigned = sync.OnceValue(func() *DynamicMap { return newDynamicMap(false) })
)

// Values returns the value of each code.
func (m *DynamicMap) Values() [256]float32 { return m.values }

// Quantize writes the codes of x and the scale of every [DynamicBlock] of them;
// the last block may be short. A block of zeros has the scale and the codes 0. It
// runs on so many goroutines, 0 for one a processor.
//
// The lengths of codes and x are equal, and scales has one for each block.
func (m *DynamicMap) Quantize(codes []uint8, scales, x []float32, workers int) error {
	if len(codes) != len(x) || len(scales) != ceil(len(x), DynamicBlock) {
		return fmt.Errorf("quant: %d codes and %d scales for %d elements; want %d and %d",
			len(codes), len(scales), len(x), len(x), ceil(len(x), DynamicBlock))
	}
	return parallel(ceil(len(x), stretch), workers, func(i int) error {
		for from := i * stretch; from < min(len(x), (i+1)*stretch); from += DynamicBlock {
			to := min(from+DynamicBlock, len(x))
			top := magnitude(x[from:to])
			if top >= infinite {
				return fmt.Errorf("quant: elements %d to %d: %w", from, to-1, errNotFinite)
			}
			scales[from/DynamicBlock] = math.Float32frombits(top)
			m.block(codes[from:to], x[from:to], math.Float32frombits(top))
		}
		return nil
	})
}

func (m *DynamicMap) block(codes []uint8, x []float32, scale float32) {
	inverse := 1 / scale
	switch {
	case scale == 0:
		clear(codes)
	case inverse > math.MaxFloat32: // the grid's ends are all that is left
		for i, v := range x {
			codes[i] = 0
			if v > 0 {
				codes[i] = math.MaxUint8
			}
		}
	default:
		codes = codes[:len(x)]
		for i, v := range x {
			point := float32((float32(v*inverse)+1)*pointsPerUnit) + 0.5
			codes[i] = m.codes[uint16(int32(point))]
		}
	}
}

// Dequantize writes the values of codes times their blocks' scales to dst, on the
// calling goroutine. codes start at a block and are as many as dst; scales are
// theirs.
func (m *DynamicMap) Dequantize(dst []float32, codes []uint8, scales []float32) {
	for from := 0; from < len(dst); from += DynamicBlock {
		scale, to := scales[from/DynamicBlock], min(from+DynamicBlock, len(dst))
		block := dst[from:to]
		for i, c := range codes[from:to] {
			block[i] = m.values[c] * scale
		}
	}
}

// DequantizeAll is [DynamicMap.Dequantize] on so many goroutines, 0 for one a
// processor.
func (m *DynamicMap) DequantizeAll(dst []float32, codes []uint8, scales []float32, workers int) {
	_ = parallel(ceil(len(dst), stretch), workers, func(i int) error {
		from, to := i*stretch, min(len(dst), (i+1)*stretch)
		m.Dequantize(dst[from:to], codes[from:to], scales[from/DynamicBlock:])
		return nil
	})
}

func newDynamicMap(signed bool) *DynamicMap {
	m := &DynamicMap{values: dynamicValues(signed)}
	code := 0
	for i := range m.codes {
		point := float32(2*i)/(gridSize-1) - 1
		for code < 255 && point > (m.values[code]+m.values[code+1])/2 {
			code++
		}
		m.codes[i] = uint8(code)
	}
	return m
}

// dynamicValues has, in each decade from 1e-6 to 1, the means of neighbouring
// points between 0.1 and 1 of the decade: 1, 2, 4 ... 64 of them, with both signs
// or twice as many; then zero and one.
func dynamicValues(signed bool) (values [256]float32) {
	v := append(values[:0], 0, 1)
	for decade := range 7 {
		means := 1 << decade
		if !signed {
			means *= 2
		}
		unit := float32(math.Pow10(decade - 6))
		points := linspace(means + 1)
		for i := range means {
			x := unit * ((points[i] + points[i+1]) / 2)
			v = append(v, x)
			if signed {
				v = append(v, -x)
			}
		}
	}
	slices.Sort(v)
	return values
}

// linspace returns n points from 0.1 to 1 in PyTorch's arithmetic: the first half
// counts up from the start, the second down from the end, with fused float32
// multiply-adds. (A float64 holds the product exactly.)
func linspace(n int) []float32 {
	start, end := float32(0.1), float32(1)
	step := (end - start) / float32(n-1)
	points := make([]float32, n)
	for i := range points {
		if i < n/2 {
			points[i] = float32(float64(step)*float64(i) + float64(start))
		} else {
			points[i] = float32(float64(end) - float64(step)*float64(n-1-i))
		}
	}
	return points
}
