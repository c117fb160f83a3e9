package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/seed-5afa5581/graft/internal/float16"
)

// A Tensor is a tensor of a file. Data is a part of the file's mapping.
type Tensor struct {
	Name  string
	DType DType
	Shape []int
	Data  []byte

	mapping *mapping // that Data is a part of; nil if it is Go's memory
}

// Keep makes Data valid for as long as the program runs: closing the file
// leaves its mapping where it is. That costs addresses rather than memory, as
// the system takes back pages that were not written to; on Windows the file
// cannot be replaced meanwhile.
func (t Tensor) Keep() {
	if t.mapping != nil {
		t.mapping.kept.Store(true)
	}
}

// Release tells the system that Data will not be read for a while: its pages
// leave memory and come back from the file when they are touched. What was
// written to them is lost.
func (t Tensor) Release() {
	if t.mapping != nil {
		releasePages(t.Data)
	}
}

// Len returns the number of elements; 1 for the empty shape.
func (t Tensor) Len() int {
	n := 1
	for _, s := range t.Shape {
		n *= s
	}
	return n
}

// Float32s writes the elements to dst, of length t.Len(), as float32. The
// tensor must be F64, F32, F16 or BF16; an F64 is rounded.
func (t Tensor) Float32s(dst []float32) error {
	if len(dst) != t.Len() {
		return fmt.Errorf("safetensors: %s has %d elements, not %d", t.Name, t.Len(), len(dst))
	}
	if 8*len(t.Data) != t.DType.Bits()*len(dst) {
		return fmt.Errorf("safetensors: %s: %d bytes for %s %v", t.Name, len(t.Data), t.DType, t.Shape)
	}
	switch t.DType {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = float16.FromBF16(binary.LittleEndian.Uint16(t.Data[2*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = float16.FromHalf(binary.LittleEndian.Uint16(t.Data[2*i:]))
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:])))
		}
	default:
		return fmt.Errorf("safetensors: %s is %s: not a type of real numbers that converts to float32", t.Name, t.DType)
	}
	return nil
}

// Encode returns the bytes of v as elements of d, which is F32, F16 or BF16,
// rounded to nearest even.
func Encode(d DType, v []float32) []byte {
	b := make([]byte, 0, len(v)*d.Bits()/8)
	switch d {
	case F32:
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
	case BF16:
		for _, x := range v {
			b = binary.LittleEndian.AppendUint16(b, float16.ToBF16(x))
		}
	case F16:
		for _, x := range v {
			b = binary.LittleEndian.AppendUint16(b, float16.ToHalf(x))
		}
	default:
		panic("safetensors: Encode: not F32, F16 or BF16")
	}
	return b
}

// WriteFloats writes v as elements of d, as Encode does.
func WriteFloats(w io.Writer, d DType, v []float32) error {
	if d != F32 && d != BF16 && d != F16 {
		return fmt.Errorf("safetensors: float32 values are written as F32, F16 or BF16, not as %q", d)
	}
	const piece = 1 << 16
	for len(v) > 0 {
		n := min(piece, len(v))
		if _, err := w.Write(Encode(d, v[:n])); err != nil {
			return err
		}
		v = v[n:]
	}
	return nil
}
