package safetensors

import (
	"bytes"
	"math"
	"testing"
)

func tensorOf(d DType, shape []int, data ...byte) Tensor {
	return Tensor{Name: "a", DType: d, Shape: shape, Data: data}
}

func TestFloat32s(t *testing.T) {
	for _, c := range []struct {
		name   string
		tensor Tensor
		want   []float32
	}{
		{"F32", tensorOf(F32, []int{2}, 0, 0, 0x80, 0x3f, 1, 0, 0, 0x80), []float32{1, -math.SmallestNonzeroFloat32}},
		{"BF16", tensorOf(BF16, []int{3}, 0x80, 0x3f, 0x80, 0xff, 0x49, 0x40), []float32{1, float32(math.Inf(-1)), 3.140625}},
		{"F16", tensorOf(F16, []int{3}, 0, 0x3c, 1, 0, 0xff, 0x7b), []float32{1, 1.0 / (1 << 24), 65504}},
		{"F64, rounded", tensorOf(F64, []int{1}, 0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f), []float32{0.1}},
		{"scalar", tensorOf(F32, nil, 0, 0, 0, 0xc0), []float32{-2}},
		{"empty", tensorOf(F16, []int{4, 0}), nil},
	} {
		got := make([]float32, len(c.want))
		if err := c.tensor.Float32s(got); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: element %d is %v, want %v", c.name, i, got[i], c.want[i])
			}
		}
	}
}

func TestFloat32sRefuses(t *testing.T) {
	for _, c := range []struct {
		tensor Tensor
		n      int
		err    string
	}{
		{tensorOf(F32, []int{1}, 0, 0, 0, 0), 2, "safetensors: a has 1 elements, not 2"},
		{tensorOf(F32, []int{2}, 0, 0, 0, 0), 2, "safetensors: a: 4 bytes for F32 [2]"},
		{tensorOf(I32, []int{1}, 0, 0, 0, 0), 1, "safetensors: a is I32: not a type of real numbers that converts to float32"},
		{tensorOf(F8E4M3, []int{1}, 0), 1, "safetensors: a is F8_E4M3: not a type of real numbers that converts to float32"},
	} {
		if err := c.tensor.Float32s(make([]float32, c.n)); err == nil || err.Error() != c.err {
			t.Errorf("error %v, want %s", err, c.err)
		}
	}
}

// TestEncode encodes values between those of the 16-bit types, and decodes
// them.
func TestEncode(t *testing.T) {
	v := []float32{1, -1, 1 + 1.0/(1<<8), 1 + 3.0/(1<<8), 65520, 1e-8, float32(math.Inf(1)), float32(math.NaN())}
	inf := float32(math.Inf(1))
	for d, want := range map[DType][]float32{
		F32:  v,
		BF16: {1, -1, 1, 1 + 4.0/(1<<8), 65536, 1.0011717677116394e-08, inf, 0},
		F16:  {1, -1, 1 + 1.0/(1<<8), 1 + 3.0/(1<<8), inf, 0, inf, 0},
	} {
		b := Encode(d, v)
		got := make([]float32, len(v))
		if err := tensorOf(d, []int{len(v)}, b...).Float32s(got); err != nil {
			t.Fatal(err)
		}
		for i := range got[:len(v)-1] {
			if got[i] != want[i] {
				t.Errorf("%s: %v became %v, want %v", d, v[i], got[i], want[i])
			}
		}
		if last := got[len(v)-1]; last == last {
			t.Errorf("%s: NaN became %v", d, last)
		}
		var w bytes.Buffer
		if err := WriteFloats(&w, d, v); err != nil || !bytes.Equal(w.Bytes(), b) {
			t.Errorf("%s: WriteFloats and Encode differ: %v", d, err)
		}
	}
}

// TestWriteFloatsInPieces writes more than one piece.
func TestWriteFloatsInPieces(t *testing.T) {
	v := make([]float32, 1<<16+3)
	for i := range v {
		v[i] = float32(i)
	}
	var w bytes.Buffer
	if err := WriteFloats(&w, F32, v); err != nil || !bytes.Equal(w.Bytes(), Encode(F32, v)) {
		t.Errorf("%d bytes, %v", w.Len(), err)
	}
}
