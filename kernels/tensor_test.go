package kernels

import "testing"

func TestTensorSlice(t *testing.T) {
	x := Tensor{Rows: 4, Cols: 3, Mem: 1, Off: 10}
	if got, want := x.Slice(1, 3), (Tensor{Rows: 2, Cols: 3, Mem: 1, Off: 13}); got != want {
		t.Errorf("Slice gives %+v, want %+v", got, want)
	}
	if got := x.Slice(4, 4); got.Rows != 0 || got.None() {
		t.Errorf("an empty slice is %+v", got)
	}
	for _, r := range [][2]int{{-1, 2}, {3, 2}, {0, 5}} {
		if p := panics(func() { x.Slice(r[0], r[1]) }); p != "kernels: Slice: rows out of range" {
			t.Errorf("Slice(%d, %d): %v", r[0], r[1], p)
		}
	}
}

func TestTensorReshape(t *testing.T) {
	x := Tensor{Rows: 4, Cols: 3, Kind: Float32, Mem: 1, Off: 10}
	if got, want := x.Reshape(2, 6), (Tensor{Rows: 2, Cols: 6, Kind: Float32, Mem: 1, Off: 10}); got != want {
		t.Errorf("Reshape gives %+v, want %+v", got, want)
	}
	if p := panics(func() { x.Reshape(5, 3) }); p != "kernels: Reshape: number of elements differs" {
		t.Errorf("Reshape(5, 3): %v", p)
	}
}

func TestTensorMatrix(t *testing.T) {
	x := Tensor{Rows: 4, Cols: 3, Kind: Float32, Mem: 1, Off: 10}
	if got, want := x.Matrix(), (Matrix{Rows: 4, Cols: 3, Format: F32, Mem: 1, Off: 10}); got != want {
		t.Errorf("Matrix gives %+v, want %+v", got, want)
	}
	x.Kind = Activation
	if p := panics(func() { x.Matrix() }); p != "kernels: Matrix: not a Float32 tensor" {
		t.Errorf("Matrix of an activation: %v", p)
	}
}

func TestNone(t *testing.T) {
	if !(Tensor{}).None() || !(Matrix{}).None() || (Tensor{Mem: 1}).None() || (Matrix{Mem: 1}).None() {
		t.Error("None tells the zero value from others")
	}
}

func TestIntsSlice(t *testing.T) {
	v := Ints{Host: []int32{1, 2, 3, 4}, Mem: 1, Off: 5}
	if s := v.Slice(1, 3); s.Len() != 2 || s.Host[0] != 2 || s.Off != 6 || s.Mem != 1 {
		t.Errorf("Slice gives %+v", s)
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		format Format
		name   string
		bytes  int // of seven elements
	}{{F32, "f32", 28}, {BF16, "bf16", 14}, {F16, "f16", 14}, {NF4, "nf4", 4}, {FP4, "fp4", 4}, {Int8, "int8", 7}} {
		if c.format.String() != c.name || c.format.Bytes(7) != c.bytes || c.format.Bytes(0) != 0 {
			t.Errorf("format %d: %v, %d bytes; want %s, %d", c.format, c.format, c.format.Bytes(7), c.name, c.bytes)
		}
	}
}
