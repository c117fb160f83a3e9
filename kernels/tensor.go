package kernels

import "github.com/seed-5afa5581/graft/quant"

// A Kind says how a device keeps the elements of a tensor.
type Kind uint8

const (
	// Activation is the device's own choice: float32 on a CPU, bfloat16 on a GPU.
	Activation Kind = iota
	// Float32 is IEEE 754 single precision on every device.
	Float32
	// Int32 is the kind of the memory behind an Ints.
	Int32
)

// Mem is a piece of a device's memory. Only the device that allocated it can
// look inside.
type Mem any

// A Tensor is a dense row-major matrix [Rows, Cols] in device memory. It is a
// small value, copied freely; slices and reshapes of it share its memory. The
// zero Tensor stands for "none".
type Tensor struct {
	Rows, Cols int
	Kind       Kind
	Mem        Mem
	Off        int // index of the first element in Mem
}

// None reports whether t is the zero Tensor.
func (t Tensor) None() bool { return t.Mem == nil }

// Len returns the number of elements.
func (t Tensor) Len() int { return t.Rows * t.Cols }

// Slice returns the rows [from, to) of t.
func (t Tensor) Slice(from, to int) Tensor {
	if from < 0 || to < from || to > t.Rows {
		panic("kernels: Slice: rows out of range")
	}
	t.Off += from * t.Cols
	t.Rows = to - from
	return t
}

// Reshape returns the same elements as a matrix [rows, cols].
func (t Tensor) Reshape(rows, cols int) Tensor {
	if rows*cols != t.Len() {
		panic("kernels: Reshape: number of elements differs")
	}
	t.Rows, t.Cols = rows, cols
	return t
}

// Matrix returns a Float32 tensor as the weight operand of a product.
func (t Tensor) Matrix() Matrix {
	if t.Kind != Float32 {
		panic("kernels: Matrix: not a Float32 tensor")
	}
	return Matrix{Rows: t.Rows, Cols: t.Cols, Format: F32, Mem: t.Mem, Off: t.Off}
}

// An Ints is a vector of int32: token ids, positions, sequence starts. Host
// is its content, not to be changed while the device may still read it; Mem
// is the device's copy where the device cannot read Host itself.
type Ints struct {
	Host []int32
	Mem  Mem
	Off  int
}

// Len returns the number of elements.
func (v Ints) Len() int { return len(v.Host) }

// Slice returns the elements [from, to) of v.
func (v Ints) Slice(from, to int) Ints {
	return Ints{Host: v.Host[from:to], Mem: v.Mem, Off: v.Off + from}
}

// A Format says how a weight is stored.
type Format uint8

// The storage formats of a Matrix.
const (
	F32  Format = iota // IEEE 754 single precision
	BF16               // bfloat16: the upper half of a float32
	F16                // IEEE 754 half precision
	NF4                // quant.NF4, in blocks with a scale each
	FP4                // quant.FP4, likewise
	Int8               // quant.Int8, in rows with a scale each
)

var formats = [...]struct {
	name string
	bits int
}{F32: {"f32", 32}, BF16: {"bf16", 16}, F16: {"f16", 16}, NF4: {"nf4", 4}, FP4: {"fp4", 4}, Int8: {"int8", 8}}

// String returns the format's name: f32, bf16, f16, nf4, fp4 or int8.
func (f Format) String() string { return formats[f].name }

// Bytes returns the size of n elements, without the scales of a quantised format.
func (f Format) Bytes(n int) int { return (n*formats[f].bits + 7) / 8 }

// Quantized reports whether elements are codes of blocks or rows that have a scale.
func (f Format) Quantized() bool { return f >= NF4 }

// QuantizedAs returns the format of a tensor of package quant.
func QuantizedAs(t quant.Type) Format {
	return [...]Format{quant.NF4: NF4, quant.FP4: FP4, quant.Int8: Int8}[t]
}

// A Matrix is a weight [Rows, Cols] on a device: Rows output features, Cols
// input features, as checkpoints store it.
type Matrix struct {
	Rows, Cols int
	Format     Format
	Lookup     bool // for Embed and Expand alone
	Mem        Mem
	Off        int
}

// None reports whether m is the zero Matrix.
func (m Matrix) None() bool { return m.Mem == nil }

// Weights are the content of a Matrix on the host.
type Weights struct {
	Rows, Cols int
	Format     Format
	Data       []byte        // little endian, row-major; of a format that is not quantised
	Quantized  *quant.Tensor // of one that is
	// Lookup says that no product will take the matrix, only Embed and Expand, which
	// want few of its rows: a device with memory of its own may leave them on the host.
	Lookup bool
}
