package cpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// memory is what tensors of any kind live in. Ints are read on the host.
type memory struct{ f32 []float32 }

// weight is the memory of a Matrix in a 16-bit format or a quantised one.
type weight struct {
	u16       []uint16
	quantized *quant.Tensor
}

// Alloc returns zeroed memory.
func (d *Device) Alloc(kind kernels.Kind, n int) (kernels.Mem, error) {
	if kind == kernels.Int32 {
		return &memory{}, nil
	}
	return &memory{f32: make([]float32, n)}, nil
}

// Free leaves the memory to the garbage collector.
func (d *Device) Free(kernels.Mem) {}

// WriteInts does nothing: Ints are read on the host.
func (d *Device) WriteInts(kernels.Ints) {}

// Read copies src to dst.
func (d *Device) Read(dst []float32, src kernels.Tensor) { copy(dst, data(src)) }

// Write copies src to dst.
func (d *Device) Write(dst kernels.Tensor, src []float32) { copy(data(dst), src) }

// data returns the elements of t.
func data(t kernels.Tensor) []float32 {
	return t.Mem.(*memory).f32[t.Off : t.Off+t.Len()]
}

// NewMatrix uses w.Data where it lies, if its address is a multiple of the
// element's size, and copies it otherwise.
func (d *Device) NewMatrix(w kernels.Weights) (kernels.Matrix, error) {
	m := kernels.Matrix{Rows: w.Rows, Cols: w.Cols, Format: w.Format}
	switch w.Format {
	case kernels.F32:
		m.Mem = &memory{f32: alias(w.Data, 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) })}
	case kernels.BF16, kernels.F16:
		m.Mem = &weight{u16: alias(w.Data, 2, binary.LittleEndian.Uint16)}
	case kernels.NF4, kernels.FP4, kernels.Int8:
		m.Mem = &weight{quantized: w.Quantized}
	default:
		return m, fmt.Errorf("cpu: no matrices of format %d", w.Format)
	}
	return m, nil
}

// littleEndian tells whether the host keeps numbers as files do.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// alias returns the numbers in b, without a copy where that is possible.
func alias[E float32 | uint16](b []byte, size int, decode func([]byte) E) []E {
	n := len(b) / size
	if n == 0 {
		return nil
	}
	if p := unsafe.Pointer(&b[0]); littleEndian && uintptr(p)%uintptr(size) == 0 {
		return unsafe.Slice((*E)(p), n)
	}
	v := make([]E, n)
	for i := range v {
		v[i] = decode(b[i*size:])
	}
	return v
}

// expand writes rows [from, to) of w as float32.
func expand(dst []float32, w kernels.Matrix, from, to int) {
	lo, hi := w.Off+from*w.Cols, w.Off+to*w.Cols
	switch w.Format {
	case kernels.F32:
		copy(dst, w.Mem.(*memory).f32[lo:hi])
	case kernels.BF16:
		for i, v := range w.Mem.(*weight).u16[lo:hi] {
			dst[i] = float16.FromBF16(v)
		}
	case kernels.F16:
		for i, v := range w.Mem.(*weight).u16[lo:hi] {
			dst[i] = float16.FromHalf(v)
		}
	default:
		w.Mem.(*weight).quantized.Dequantize(dst[:hi-lo], lo)
	}
}

// rows returns rows [from, to) of w as float32, expanded into scratch unless
// they lie in memory as such.
func rows(scratch []float32, w kernels.Matrix, from, to int) []float32 {
	if w.Format == kernels.F32 {
		return w.Mem.(*memory).f32[w.Off+from*w.Cols : w.Off+to*w.Cols]
	}
	expand(scratch, w, from, to)
	return scratch[:(to-from)*w.Cols]
}

// Expand writes rows of w from row on.
func (d *plain) Expand(dst kernels.Tensor, w kernels.Matrix, row int) {
	out := data(dst)
	d.split(dst.Rows, dst.Cols, func(from, to int) {
		expand(out[from*w.Cols:to*w.Cols], w, row+from, row+to)
	})
}
