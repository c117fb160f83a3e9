package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/seed-5afa5581/graft/internal/float16"
)

// A DType is the type of a tensor's elements, as the header spells it.
type DType string

// The types of the format.
const (
	F64    DType = "F64"
	F32    DType = "F32"
	F16    DType = "F16"
	BF16   DType = "BF16"
	F8E4M3 DType = "F8_E4M3"
	F8E5M2 DType = "F8_E5M2"
	F8E8M0 DType = "F8_E8M0"
	F6E2M3 DType = "F6_E2M3"
	F6E3M2 DType = "F6_E3M2"
	F4     DType = "F4"
	C64    DType = "C64"
	I64    DType = "I64"
	I32    DType = "I32"
	I16    DType = "I16"
	I8     DType = "I8"
	U64    DType = "U64"
	U32    DType = "U32"
	U16    DType = "U16"
	U8     DType = "U8"
	Bool   DType = "BOOL"
)

var bits = map[DType]int{
	F64: 64, F32: 32, F16: 16, BF16: 16, F8E4M3: 8, F8E5M2: 8, F8E8M0: 8, F6E2M3: 6, F6E3M2: 6, F4: 4, C64: 64,
	I64: 64, I32: 32, I16: 16, I8: 8, U64: 64, U32: 32, U16: 16, U8: 8, Bool: 8,
}

// Bits returns the size of an element in bits, 0 for an unknown type.
func (d DType) Bits() int { return bits[d] }

// A Tensor is a tensor of a file. Data is a part of the file's mapping.
type Tensor struct {
	Name  string
	DType DType
	Shape []int
	Data  []byte
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
