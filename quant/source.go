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
// checkpoint stores them. A rest smaller than an element is ignored.
func Bytes(data []byte, d DType) Source { return Source{data: data, dtype: d} }

// Len returns the number of elements.
func (s Source) Len() int {
	if s.data == nil {
		return len(s.floats)
	}
	return len(s.data) / s.dtype.Size()
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
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
	case Float16:
		for i := range dst {
			dst[i] = fromHalf(binary.LittleEndian.Uint16(data[2*i:]))
		}
	case BFloat16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(data[2*i:])) << 16)
		}
	}
	return dst
}

// fromHalf moves exponent and fraction into place and scales by the difference of
// the exponents' biases, which is right for subnormals too.
func fromHalf(h uint16) float32 {
	sign, rest := uint32(h>>15)<<31, uint32(h&0x7fff)
	if rest >= 0x7c00 { // infinity or NaN
		return math.Float32frombits(sign | 0x7f800000 | rest<<13)
	}
	return math.Float32frombits(sign | math.Float32bits(math.Float32frombits(rest<<13)*0x1p112))
}

// toBFloat16 rounds to nearest, ties to even. x is no NaN.
func toBFloat16(x float32) uint16 {
	u := math.Float32bits(x)
	return uint16((u + 0x7fff + u>>16&1) >> 16)
}

// magnitude returns the bits of the largest |x|. Those of a NaN exceed those of
// an infinity, which exceed all others.
func magnitude(x []float32) uint32 {
	var a, b uint32 // two chains, for one waits on itself
	for ; len(x) >= 2; x = x[2:] {
		a = max(a, math.Float32bits(x[0])&0x7fffffff)
		b = max(b, math.Float32bits(x[1])&0x7fffffff)
	}
	for _, v := range x {
		a = max(a, math.Float32bits(v)&0x7fffffff)
	}
	return max(a, b)
}

// infinite is the smallest magnitude that is no number.
const infinite = 0x7f800000
