package quant_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/model/safetensors"
	"github.com/seed-5afa5581/graft/quant"
)

// Linear8bitLt's tensors are read, and written again from them and from the dense
// weight.
func TestStoredRows(t *testing.T) {
	f := openFile(t, "testdata/rows.safetensors")
	for name, d := range map[string]quant.DType{"f32": quant.Float32, "f16": quant.Float16, "bf16": quant.BFloat16} {
		want := partsOf(f, name+".weight")
		got, err := quant.FromParts(want)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		dense, ok := f.Tensor(name + ".x")
		if !ok {
			t.Fatalf("%s.x is missing", name)
		}
		made := mustQuantize(t, quant.Bytes(dense.Data, d), dense.Shape, quant.Config{Type: quant.Int8})
		sameParts(t, name+" read", got.Parts(), want)
		sameParts(t, name+" made", made.Parts(), want)
		a, b := make([]float32, 7), make([]float32, 7)
		got.Dequantize(a, 50)
		made.Dequantize(b, 50)
		same(t, name+" values", a, b)
		if got.Block != 26 || !slices.Equal(got.Shape, []int{5, 26}) || len(want) != 3 {
			t.Errorf("%s: %d parts, shape %v, %d to a scale", name, len(want), got.Shape, got.Block)
		}
	}
}

func TestStoredRowsRefuse(t *testing.T) {
	parts := mustQuantize(t, quant.Floats(normal(12)), []int{3, 4}, quant.Config{Type: quant.Int8}).Parts()
	layout := func(b ...byte) func(*quant.Part) { return func(p *quant.Part) { p.Data = b } }
	scale := func(v float32) func(*quant.Part) {
		return func(p *quant.Part) { copy(p.Data[4:], safetensors.Encode(safetensors.F32, []float32{v})) }
	}
	for _, c := range []struct {
		suffix string
		change func(*quant.Part) // nil takes the part away
		want   string            // "" where that is no fault
	}{
		{".weight_format", nil, ""},
		{".SCB", scale(2e36), ""},
		{"", nil, "quant: weight is missing"},
		{".SCB", nil, "quant: SCB is missing"},
		{"", func(p *quant.Part) { p.DType = "U8" }, "quant: weight is U8, want I8"},
		{"", func(p *quant.Part) { p.Shape = []int{12} }, "quant: weight has shape [12], want rows and columns"},
		{"", func(p *quant.Part) { p.Shape = []int{0, 4} }, "quant: weight has shape [0 4], want rows and columns"},
		{"", func(p *quant.Part) { p.Shape = []int{4, 4} }, "quant: weight has 12 bytes, want 16"},
		{"", func(p *quant.Part) { p.Shape = []int{4, 3} }, "quant: SCB has 12 bytes, want 4 float32s"},
		{".SCB", func(p *quant.Part) { p.DType = "F16" }, "quant: SCB is F16, want F32"},
		{".SCB", func(p *quant.Part) { copy(p.Data[4:], []byte{0, 0, 0xc0, 0x7f}) }, "quant: SCB has NaN at 1, want finite numbers"},
		{".SCB", scale(-3e36), "quant: SCB reaches 3e+36; 2.6584558e+36 is the most"},
		{".weight_format", layout(2), "quant: weight_format is 2, col_turing; only 0, row, is read: load the model in a recent transformers and save it again"},
		{".weight_format", layout(9), "quant: weight_format is [9], want 0 for row"},
		{".weight_format", layout(), "quant: weight_format is [], want 0 for row"},
		{".weight_format", func(p *quant.Part) { p.DType = "F32" }, "quant: weight_format is F32, want U8"},
		{".weight_format", func(p *quant.Part) { p.Suffix = ".absmax" }, "quant: absmax is no part of this weight"},
	} {
		_, err := quant.FromParts(replaced(parts, c.suffix, c.change))
		switch {
		case c.want == "":
			if err != nil {
				t.Errorf("%q: %v", c.suffix, err)
			}
		case err == nil || !strings.Contains(err.Error(), c.want):
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// What is accepted reads back as itself and can be dequantised.
func FuzzStoredRows(f *testing.F) {
	f.Add(uint16(3), uint16(4), []byte("codes of rows"), []byte{0, 0, 0, 0x3f, 0, 0, 0x80, 0x7e, 1, 0, 0, 0}, []byte{0})
	f.Add(uint16(1), uint16(13), []byte("codes of rows"), []byte{0, 0, 0xc0, 0x7f}, []byte{3})
	f.Fuzz(func(t *testing.T, rows, columns uint16, codes, scales, layout []byte) {
		codes = codes[:min(len(codes), int(rows)*int(columns))]
		checkReadable(t, []quant.Part{
			{Suffix: "", DType: "I8", Shape: []int{int(rows), int(columns)}, Data: codes},
			{Suffix: ".SCB", DType: "F32", Shape: []int{len(scales) / 4}, Data: scales},
			{Suffix: ".weight_format", DType: "U8", Data: layout},
		})
	})
}
