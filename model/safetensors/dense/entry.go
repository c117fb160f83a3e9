package dense

import (
	"encoding/binary"
	"fmt"
	"io"
	"reflect"
	"slices"

	"gorgonia.org/tensor"

	"github.com/seed-5afa5581/graft/model/safetensors"
)

var dtypes = map[tensor.Dtype]safetensors.DType{
	tensor.Float64: safetensors.F64, tensor.Float32: safetensors.F32, tensor.Complex64: safetensors.C64,
	tensor.Int64: safetensors.I64, tensor.Int32: safetensors.I32, tensor.Int16: safetensors.I16, tensor.Int8: safetensors.I8,
	tensor.Uint64: safetensors.U64, tensor.Uint32: safetensors.U32, tensor.Uint16: safetensors.U16, tensor.Uint8: safetensors.U8,
	tensor.Bool: safetensors.Bool,
}

// Entry returns an entry that saves d under a name, in its own type. Slices,
// transposes and column-major tensors are saved as what they show. The values are
// read when the entry is written, so that d must keep its shape until then.
// Masked tensors and types of no fixed size, such as int, are refused. To save
// float32 as BF16 or F16, use [safetensors.Float32Entry].
func Entry(name string, d *tensor.Dense) (safetensors.Entry, error) {
	dtype, ok := dtypes[d.Dtype()]
	if !ok {
		return safetensors.Entry{}, fmt.Errorf("dense: %s: safetensors has no type for %v", name, d.Dtype())
	}
	if d.IsMasked() {
		return safetensors.Entry{}, fmt.Errorf("dense: %s is masked, which safetensors does not know: fill in its values first", name)
	}
	if !d.IsNativelyAccessible() {
		return safetensors.Entry{}, fmt.Errorf("dense: %s is not in memory that Go can read: copy it to the host first", name)
	}
	shape, strides := slices.Clone(d.Shape()), slices.Clone(d.Strides())
	return safetensors.Entry{Name: name, DType: dtype, Shape: shape, Write: func(w io.Writer) error {
		if isRowMajor(shape, strides) {
			return write(w, d.Data())
		}
		return writeStrided(w, d.Data(), dtype.Bits()/8, shape, strides)
	}}, nil
}

// isRowMajor reports whether the elements lie in order and without gaps.
func isRowMajor(shape, strides []int) bool {
	next := 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] != 1 && (i >= len(strides) || strides[i] != next) {
			return false
		}
		next *= shape[i]
	}
	return true
}

// write writes a number or a slice of numbers, piece by piece.
func write(w io.Writer, numbers any) error {
	const piece = 1 << 16
	v := reflect.ValueOf(numbers)
	if v.Kind() != reflect.Slice {
		return binary.Write(w, binary.LittleEndian, numbers)
	}
	for from := 0; from < v.Len(); from += piece {
		to := min(from+piece, v.Len())
		if err := binary.Write(w, binary.LittleEndian, v.Slice(from, to).Interface()); err != nil {
			return err
		}
	}
	return nil
}

// writeStrided writes elements of size bytes in row-major order from where they
// lie.
func writeStrided(w io.Writer, numbers any, size int, shape, strides []int) error {
	from, err := binary.Append(nil, binary.LittleEndian, numbers)
	if err != nil {
		return err
	}
	var to []byte
	var walk func(shape, strides []int, at int)
	walk = func(shape, strides []int, at int) {
		if len(shape) == 0 {
			to = append(to, from[at*size:(at+1)*size]...)
			return
		}
		for i := range shape[0] {
			walk(shape[1:], strides[1:], at+i*strides[0])
		}
	}
	walk(shape, strides, 0)
	_, err = w.Write(to)
	return err
}
