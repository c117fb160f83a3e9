package quant_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/quant"
)

func TestRowsAgainstBitsandbytes(t *testing.T) {
	f := openFile(t, "testdata/eight.safetensors")
	for name, d := range map[string]quant.DType{"f32": quant.Float32, "f16": quant.Float16, "bf16": quant.BFloat16} {
		x, ok := f.Tensor("rows." + name)
		if !ok {
			t.Fatalf("rows.%s is missing", name)
		}
		rows := x.Shape[0]
		codes := bytesOf(t, f, "rows."+name+".q")
		wantScales, _ := floats(t, f, "rows."+name+".scales")
		wantValues, _ := floats(t, f, "rows."+name+".dequant")
		want := make([]int8, len(codes))
		for i, c := range codes {
			want[i] = int8(c)
		}
		for _, workers := range []int{1, 3} {
			q, scales, values := make([]int8, x.Len()), make([]float32, rows), make([]float32, x.Len())
			if err := quant.QuantizeRows(q, scales, quant.Bytes(x.Data, d), workers); err != nil {
				t.Fatal(err)
			}
			same(t, name+" codes", q, want)
			same(t, name+" scales", scales, wantScales)
			quant.DequantizeRows(values, q, scales)
			same(t, name+" values", values, wantValues)
		}
	}
}

// Rows longer than a stretch, and of one element.
func TestRowsOfAnyLength(t *testing.T) {
	for _, shape := range [][2]int{{3, 70001}, {5000, 1}, {130, 1031}} {
		rows, columns := shape[0], shape[1]
		x := normal(rows * columns)
		for _, workers := range []int{1, 4} {
			q, scales := make([]int8, len(x)), make([]float32, rows)
			if err := quant.QuantizeRows(q, scales, quant.Floats(x), workers); err != nil {
				t.Fatal(err)
			}
			for i, v := range x {
				scale := scales[i/columns]
				want := int8(0)
				if scale != 0 {
					want = int8(math.RoundToEven(float64(v * (127 / scale))))
				}
				if q[i] != want || !(math.Abs(float64(v)) <= float64(scale)) {
					t.Fatalf("%v: element %d: %v over %v became %d, want %d", shape, i, v, scale, q[i], want)
				}
			}
		}
	}
}

func TestRowsRefuse(t *testing.T) {
	x := make([]float32, 12)
	for _, c := range []struct {
		codes, scales int
		bad           float32
		want          string
	}{
		{12, 5, 0, "12 codes and 5 scales; want rows of equal length"},
		{11, 1, 0, "12 elements, want 11"},
		{12, 0, 0, "12 codes and 0 scales"},
		{0, 3, 0, "0 codes and 3 scales"},
		{12, 3, float32(math.NaN()), "row 1: elements 4 to 7: a NaN or an infinity"},
	} {
		x[5] = c.bad
		err := quant.QuantizeRows(make([]int8, c.codes), make([]float32, c.scales), quant.Floats(x), 0)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func BenchmarkRows(b *testing.B) {
	const columns = 4096
	data, _ := encoded(normal(benchElements), quant.BFloat16)
	q, scales := make([]int8, benchElements), make([]float32, benchElements/columns)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("quantize/bfloat16/workers=%d", workers), func(b *testing.B) {
			for b.Loop() {
				if err := quant.QuantizeRows(q, scales, quant.Bytes(data, quant.BFloat16), workers); err != nil {
					b.Fatal(err)
				}
			}
			perElement(b, benchElements)
		})
	}
	b.Run("dequantize/float32", func(b *testing.B) {
		dst := make([]float32, columns)
		for b.Loop() {
			quant.DequantizeRows(dst, q[:columns], scales[:1])
		}
		perElement(b, columns)
	})
}
