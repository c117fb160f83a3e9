package quant_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/quant"
)

func TestRowsAgainstBitsandbytes(t *testing.T) {
	f := openFile(t, "testdata/eight.safetensors")
	for name, d := range map[string]quant.DType{"f32": quant.Float32, "f16": quant.Float16, "bf16": quant.BFloat16} {
		x, ok := f.Tensor("rows." + name)
		if !ok {
			t.Fatalf("rows.%s is missing", name)
		}
		wantScales, _ := floats(t, f, "rows."+name+".scales")
		wantValues, _ := floats(t, f, "rows."+name+".dequant")
		for _, workers := range []int{1, 3} {
			q := mustQuantize(t, quant.Bytes(x.Data, d), x.Shape, quant.Config{Type: quant.Int8, Workers: workers})
			values := make([]float32, x.Len())
			q.DequantizeAll(values, workers)
			same(t, name+" codes", q.Packed, bytesOf(t, f, "rows."+name+".q"))
			same(t, name+" scales", q.Scales.Plain, wantScales)
			same(t, name+" values", values, wantValues)
			if q.DType != d || q.Block != x.Shape[1] {
				t.Errorf("%s: elements of %v, %d to a scale", name, q.DType, q.Block)
			}
		}
	}
}

// Rows longer than a stretch, and of one element.
func TestRowsOfAnyLength(t *testing.T) {
	for _, shape := range [][]int{{3, 70001}, {5000, 1}, {130, 1031}} {
		columns := shape[1]
		x := normal(shape[0] * columns)
		for _, workers := range []int{1, 4} {
			q := mustQuantize(t, quant.Floats(x), shape, quant.Config{Type: quant.Int8, Workers: workers})
			for i, v := range x {
				scale := q.Scales.Plain[i/columns]
				want := int8(0)
				if scale != 0 {
					want = int8(math.RoundToEven(float64(v * (1 / scale * 127))))
				}
				if int8(q.Packed[i]) != want || !(math.Abs(float64(v)) <= float64(scale)) {
					t.Fatalf("%v: element %d: %v over %v became %d, want %d", shape, i, v, scale, int8(q.Packed[i]), want)
				}
			}
		}
	}
}

// Any range of elements, across rows, is what the whole tensor has there.
func TestRowsFromAnyElement(t *testing.T) {
	const rows, columns = 7, 301
	q := mustQuantize(t, quant.Floats(normal(rows*columns)), []int{rows, columns}, quant.Config{Type: quant.Int8})
	values, halves := make([]float32, rows*columns), make([]uint16, rows*columns)
	for i, c := range q.Packed {
		product := float32(int8(c)) * q.Scales.Plain[i/columns]
		values[i] = product * float32(1./127)
		halves[i] = float16.ToBF16(values[i])
	}
	for _, span := range [][2]int{{0, rows * columns}, {1, 2}, {300, 302}, {257, 1500}, {rows*columns - 1, rows * columns}, {5, 5}} {
		got, rounded := make([]float32, span[1]-span[0]), make([]uint16, span[1]-span[0])
		q.Dequantize(got, span[0])
		q.DequantizeBF16(rounded, span[0])
		if !slices.Equal(got, values[span[0]:span[1]]) || !slices.Equal(rounded, halves[span[0]:span[1]]) {
			t.Errorf("elements %v differ from the definition", span)
		}
	}
	if n := testing.AllocsPerRun(10, func() { q.Dequantize(values, 0); q.DequantizeBF16(halves, 0) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// Quantising what was dequantised changes nothing but the last bit of a scale.
func TestRowsAgain(t *testing.T) {
	x, values := normal(64*96), make([]float32, 64*96)
	q := mustQuantize(t, quant.Floats(x), []int{64, 96}, quant.Config{Type: quant.Int8})
	q.DequantizeAll(values, 1)
	same(t, "codes", mustQuantize(t, quant.Floats(values), []int{64, 96}, q.Config()).Packed, q.Packed)
	for i, v := range x {
		if d := math.Abs(float64(v) - float64(values[i])); !(d <= float64(q.Scales.Plain[i/96])/253) {
			t.Fatalf("element %d: %v became %v", i, v, values[i])
		}
	}
}

func TestRowsRefuse(t *testing.T) {
	for _, c := range []struct {
		bad   float32
		shape []int
		block int
		want  string
	}{
		{0, []int{5, 3}, 0, "12 elements, want 15"},
		{0, []int{3, 4}, 64, "block of 64 elements; int8 has a scale a row, leave Block 0"},
		{float32(math.NaN()), []int{3, 4}, 0, "row 1: elements 4 to 7: a NaN or an infinity"},
		{math.MaxFloat32, []int{3, 4}, 0, "row 1: largest magnitude 3.4028235e+38; int8 can keep one of 2.6584558e+36"},
	} {
		x := make([]float32, 12)
		x[5] = c.bad
		_, err := quant.Quantize(quant.Floats(x), c.shape, quant.Config{Type: quant.Int8, Block: c.block})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	x := []float32{math.MaxFloat32 / 128, 1}
	values := make([]float32, 2)
	mustQuantize(t, quant.Floats(x), []int{1, 2}, quant.Config{Type: quant.Int8}).Dequantize(values, 0)
	if math.IsInf(float64(values[0]), 0) || values[1] != 0 {
		t.Errorf("%v became %v", x, values)
	}
}

func BenchmarkRows(b *testing.B) {
	const columns = 4096
	data, _ := encoded(normal(benchElements), quant.BFloat16)
	shape := []int{benchElements / columns, columns}
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("quantize/bfloat16/workers=%d", workers), func(b *testing.B) {
			for b.Loop() {
				mustQuantize(b, quant.Bytes(data, quant.BFloat16), shape, quant.Config{Type: quant.Int8, Workers: workers})
			}
			perElement(b, benchElements)
		})
	}
	q := mustQuantize(b, quant.Bytes(data, quant.BFloat16), shape, quant.Config{Type: quant.Int8})
	b.Run("dequantize/float32", func(b *testing.B) {
		dst := make([]float32, columns)
		for b.Loop() {
			q.Dequantize(dst, 0)
		}
		perElement(b, columns)
	})
}
