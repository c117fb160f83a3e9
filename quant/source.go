package quant

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A DType is the type of a tensor's elements before they were quantised.
type DType uint8

// The types that can be quantised.
const (
	Float32 DType = iota
	Float16
	BFloat16
)

var dtypeNames = [...]string{Float32: "float32", Float16: "float16", BFloat16: "bfloat16"}

// ParseDType returns the type that PyTorch calls by that name.
func ParseDType(name string) (DType, error) {
	i, err := lookup(dtypeNames[:], name)
	if err != nil {
		return 0, fmt.Errorf("quant: dtype %w", err)
	}
	return DType(i), nil
}

// String returns PyTorch's name of the type.
func (d DType) String() string {
	if !d.valid() {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypeNames[d]
}

func (d DType) valid() bool { return int(d) < len(dtypeNames) }

// Size returns the bytes of an element.
func (d DType) Size() int {
	if d == Float32 {
		return 4
	}
	return 2
}

// A Source is a flattened tensor to quantise.
type Source struct {
	floats []float32
	data   []byte
	dtype  DType
}

// Floats is the source of x.
func Floats(x []float32) Source { return Source{floats: x} }

// Bytes is the source of data: elements of type d, little-endian, as a
// checkpoint stores them.
func Bytes(data []byte, d DType) Source { return Source{data: data, dtype: d} }

// Len returns the number of elements.
func (s Source) Len() int {
	if s.data == nil {
		return len(s.floats)
	}
	return len(s.data) / s.dtype.Size()
}

// check demands n whole elements.
func (s Source) check(n int) error {
	switch {
	case !s.dtype.valid():
		return fmt.Errorf("quant: elements of %v cannot be quantised; those of float32, float16 and bfloat16 can", s.dtype)
	case len(s.data)%s.dtype.Size() != 0:
		return fmt.Errorf("quant: %d bytes are no whole number of elements of %v", len(s.data), s.dtype)
	case s.Len() != n:
		return fmt.Errorf("quant: %d elements, want %d", s.Len(), n)
	}
	return nil
}

// read returns elements [from, from+len(dst)), in dst unless they lie in memory
// as float32.
func (s Source) read(dst []float32, from int) []float32 {
	if s.data == nil {
		return s.floats[from:][:len(dst)]
	}
	size := s.dtype.Size()
	data := s.data[from*size:][:len(dst)*size]
	switch s.dtype {
	case Float32:
		readFloat32(dst, data)
	case Float16:
		for i := range dst {
			dst[i] = fromHalf(binary.LittleEndian.Uint16(data[2*i:]))
		}
	case BFloat16:
		readBFloat16(dst, data)
	}
	return dst
}

func readFloat32(dst []float32, data []byte) {
	for ; len(dst) >= 2; dst, data = dst[2:], data[8:] {
		d, two := (*[2]float32)(dst), binary.LittleEndian.Uint64(data)
		d[0], d[1] = math.Float32frombits(uint32(two)), math.Float32frombits(uint32(two>>32))
	}
	if len(dst) == 1 {
		dst[0] = math.Float32frombits(binary.LittleEndian.Uint32(data))
	}
}

func readBFloat16(dst []float32, data []byte) {
	for ; len(dst) >= 4; dst, data = dst[4:], data[8:] {
		d, four := (*[4]float32)(dst), binary.LittleEndian.Uint64(data)
		d[0] = math.Float32frombits(uint32(four) << 16)
		d[1] = math.Float32frombits(uint32(four) &^ 0xffff)
		d[2] = math.Float32frombits(uint32(four>>32) << 16)
		d[3] = math.Float32frombits(uint32(four>>32) &^ 0xffff)
	}
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(data[2*i:])) << 16)
	}
}
