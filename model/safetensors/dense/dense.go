package dense

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/seed-5afa5581/graft/model/safetensors"
)

// views make a slice of a tensor's bytes, by type.
var views = map[safetensors.DType]func([]byte) any{
	safetensors.F64: view[float64], safetensors.F32: view[float32], safetensors.C64: view[complex64],
	safetensors.I64: view[int64], safetensors.I32: view[int32], safetensors.I16: view[int16], safetensors.I8: view[int8],
	safetensors.U64: view[uint64], safetensors.U32: view[uint32], safetensors.U16: view[uint16], safetensors.U8: view[uint8],
	safetensors.Bool: decode[bool], // a bool in memory may be nothing but 0 and 1
}

// Of returns t, of a file that is open, as a Dense of the same type and shape
// over the same memory, row-major. It is a copy where the memory is none that Go
// can read as that type: for booleans, and for numbers at an address that is no
// multiple of their size. Types that Go does not have are refused, as are
// tensors without elements, which package tensor does not have.
func Of(t safetensors.Tensor) (*tensor.Dense, error) {
	if err := check(t); err != nil {
		return nil, err
	}
	switch t.DType {
	case safetensors.F16, safetensors.BF16:
		return nil, fmt.Errorf("dense: %s is %s, which Go has no numbers of: convert it with Float32", t.Name, t.DType)
	}
	view, ok := views[t.DType]
	if !ok {
		return nil, fmt.Errorf("dense: %s is %s, which Go has no numbers of", t.Name, t.DType)
	}
	t.Keep()
	return over(t.Shape, view(t.Data)), nil
}

// Float32 returns a copy of t, which is F64, F32, F16 or BF16, as a Dense of
// float32. Only an F64 is rounded.
func Float32(t safetensors.Tensor) (*tensor.Dense, error) {
	if err := check(t); err != nil {
		return nil, err
	}
	v := make([]float32, t.Len())
	if err := t.Float32s(v); err != nil {
		return nil, fmt.Errorf("dense: %w", err)
	}
	return over(t.Shape, v), nil
}

func check(t safetensors.Tensor) error {
	if t.Len() == 0 {
		return fmt.Errorf("dense: %s has shape %v: package tensor has no tensors without elements", t.Name, t.Shape)
	}
	if 8*len(t.Data) != t.Len()*t.DType.Bits() {
		return fmt.Errorf("dense: %s: %d bytes for %s %v", t.Name, len(t.Data), t.DType, t.Shape)
	}
	return nil
}

// over returns a Dense over a slice.
func over(shape []int, slice any) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(slice))
}

// littleEndian tells whether numbers are in memory as they are in files.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// view returns the numbers in b, which is not empty, without copying them if
// that can be.
func view[T any](b []byte) any {
	var zero T
	p := unsafe.Pointer(unsafe.SliceData(b))
	if !littleEndian || uintptr(p)%unsafe.Alignof(zero) != 0 {
		return decode[T](b)
	}
	return unsafe.Slice((*T)(p), uintptr(len(b))/unsafe.Sizeof(zero))
}

// decode returns a copy of the numbers in b.
func decode[T any](b []byte) any {
	var zero T
	v := make([]T, uintptr(len(b))/unsafe.Sizeof(zero))
	binary.Decode(b, binary.LittleEndian, v) // fails only for want of bytes
	return v
}
