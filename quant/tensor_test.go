package quant_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/quant"
)

// normal returns n numbers with outliers and a block of zeros.
func normal(n int) []float32 {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		if x[i] = float32(r.NormFloat64()) * 0.02; i%1000 == 77 {
			x[i] *= 40
		}
	}
	if n > 200 {
		clear(x[64:128])
	}
	return x
}

func mustQuantize(t testing.TB, x quant.Source, shape []int, c quant.Config) *quant.Tensor {
	t.Helper()
	q, err := quant.Quantize(x, shape, c)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func sameTensor(t *testing.T, name string, got, want *quant.Tensor) {
	t.Helper()
	same(t, name+" packed", got.Packed, want.Packed)
	if !want.Scales.Double() {
		same(t, name+" scales", got.Scales.Plain, want.Scales.Plain)
		return
	}
	same(t, name+" scales", got.Scales.Codes, want.Scales.Codes)
	same(t, name+" nested", got.Scales.Nested, want.Scales.Nested)
	same(t, name+" map", got.Scales.Map[:], want.Scales.Map[:])
	same(t, name+" offset", []float32{got.Scales.Offset}, []float32{want.Scales.Offset})
}

// encoded returns x in d's bytes, and the floats that they stand for.
func encoded(x []float32, d quant.DType) (data []byte, rounded []float32) {
	for _, v := range x {
		switch d {
		case quant.Float32:
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		case quant.Float16:
			h := float16.ToHalf(v)
			data, v = binary.LittleEndian.AppendUint16(data, h), float16.FromHalf(h)
		case quant.BFloat16:
			h := float16.ToBF16(v)
			data, v = binary.LittleEndian.AppendUint16(data, h), float16.FromBF16(h)
		}
		rounded = append(rounded, v)
	}
	return data, rounded
}

// Odd lengths, short last blocks and several goroutines' stretches.
func TestSourcesAndWorkersAgree(t *testing.T) {
	for _, n := range []int{1, 63, 64, 65, 4097, 200003} {
		for _, block := range []int{32, 64, 4096} {
			for _, d := range []quant.DType{quant.Float32, quant.Float16, quant.BFloat16} {
				data, x := encoded(normal(n), d)
				c := quant.Config{Block: block, Workers: 1, PlainScales: n%2 == 0}
				want := mustQuantize(t, quant.Floats(x), []int{n}, c)
				for _, c.Workers = range []int{1, 2, 7} {
					name := fmt.Sprint(n, block, d, c.Workers)
					got := mustQuantize(t, quant.Bytes(data, d), []int{n}, c)
					sameTensor(t, name, got, want)
					if got.DType != d || got.Block != block || got.Len() != n {
						t.Errorf("%s: dtype %v, block %d, %d elements", name, got.DType, got.Block, got.Len())
					}
				}
			}
		}
	}
}

func TestEveryHalfIsRead(t *testing.T) {
	var data []byte
	var want []float32
	for h := range 1 << 16 {
		if h&0x7c00 != 0x7c00 {
			data = binary.LittleEndian.AppendUint16(data, uint16(h))
			want = append(want, float16.FromHalf(uint16(h)))
		}
	}
	c := quant.Config{Block: 32, PlainScales: true}
	sameTensor(t, "halves", mustQuantize(t, quant.Bytes(data, quant.Float16), []int{len(want)}, c),
		mustQuantize(t, quant.Floats(want), []int{len(want)}, c))
}

// The 16 products of a block, rounded, are all that a block's elements can be.
func TestDequantizeBF16(t *testing.T) {
	const n = 5003
	for _, kind := range []quant.Type{quant.NF4, quant.FP4} {
		q := mustQuantize(t, quant.Floats(normal(n)), []int{n}, quant.Config{Type: kind})
		exact, got := make([]float32, n), make([]uint16, n)
		q.DequantizeAll(exact, 2)
		want := make([]uint16, n)
		for i, v := range exact {
			want[i] = float16.ToBF16(v)
		}
		for _, span := range [][2]int{{0, n}, {1, n}, {63, 129}, {64, 65}, {n - 3, n}, {5, 5}} {
			clear(got)
			q.DequantizeBF16(got[span[0]:span[1]], span[0])
			if !slices.Equal(got[span[0]:span[1]], want[span[0]:span[1]]) {
				t.Errorf("%v: elements %v differ from the rounded ones", kind, span)
			}
		}
	}
}

// A code's error is at most half the distance to the next value.
func TestQuantizationErrorIsBounded(t *testing.T) {
	const n = 4096
	x := normal(n)
	for kind, gap := range map[quant.Type]float32{quant.NF4: 0.3039, quant.FP4: 0.3334} {
		q := mustQuantize(t, quant.Floats(x), []int{64, 64}, quant.Config{Type: kind, PlainScales: true})
		y := make([]float32, n)
		q.Dequantize(y, 0)
		for i := range x {
			bound := float64(gap / 2 * q.Scales.Plain[i/64])
			if d := math.Abs(float64(x[i]) - float64(y[i])); !(d <= bound) {
				t.Fatalf("%v: element %d: %v became %v, bound %v", kind, i, x[i], y[i], bound)
			}
		}
	}
}

func TestQuantizeRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		at     int
		bad    float32
		shape  []int
		config quant.Config
		want   string
	}{
		{130, nan, []int{2, 150}, quant.Config{}, "elements 128 to 191: a NaN or an infinity"},
		{299, -inf, []int{2, 150}, quant.Config{Workers: 1}, "elements 256 to 299: a NaN or an infinity"},
		{0, 0, []int{2, 151}, quant.Config{}, "300 elements, want 302: a tensor of shape [2 151]"},
		{0, 0, []int{0, 150}, quant.Config{}, "shape [0 150]; every dimension must be positive"},
		{0, 0, []int{1 << 40, 1 << 40}, quant.Config{}, "their product an int"},
		{0, 0, nil, quant.Config{}, "without dimensions"},
		{0, 0, []int{300}, quant.Config{Block: 48}, "block of 48 elements; want a power of two from 32 to 4096"},
		{0, 0, []int{300}, quant.Config{Block: 16}, "block of 16 elements"},
		{0, 0, []int{300}, quant.Config{Block: 8192, Type: 7}, "Type(7) is no type; NF4, FP4 and Int8 are\nquant: block of 8192"},
	} {
		x := normal(300)
		x[c.at] += c.bad
		_, err := quant.Quantize(quant.Floats(x), c.shape, c.config)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.shape, err, c.want)
		}
	}
}

// Scales whose mean is beyond float32 can be kept, but not quantised.
func TestScalesThatOverflow(t *testing.T) {
	x := []float32{math.MaxFloat32, 64: math.MaxFloat32, 191: 0}
	_, err := quant.Quantize(quant.Floats(x), []int{192}, quant.Config{})
	if err == nil || !strings.Contains(err.Error(), "quant: scales less their mean, +Inf: ") {
		t.Errorf("error %v", err)
	}
	mustQuantize(t, quant.Floats(x), []int{192}, quant.Config{PlainScales: true})
}

func TestSourcesAreChecked(t *testing.T) {
	for _, c := range []struct {
		x    quant.Source
		want string
	}{
		{quant.Bytes(make([]byte, 7), quant.BFloat16), "7 bytes are no whole number of elements of bfloat16"},
		{quant.Bytes(make([]byte, 6), quant.Float32), "6 bytes are no whole number of elements of float32"},
		{quant.Bytes(make([]byte, 6), quant.DType(5)), "elements of DType(5) cannot be quantised"},
		{quant.Bytes(nil, quant.Float16), "0 elements, want 3"},
		{quant.Source{}, "0 elements, want 3"},
	} {
		if _, err := quant.Quantize(c.x, []int{3}, quant.Config{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// The first of several bad blocks is named, whichever goroutine meets it.
func TestTheFirstErrorIsReported(t *testing.T) {
	x := make([]float32, 1<<20)
	for i := 300000; i < len(x); i += 70000 {
		x[i] = float32(math.Inf(1))
	}
	for range 20 {
		_, err := quant.Quantize(quant.Floats(x), []int{len(x)}, quant.Config{Workers: 4})
		if err == nil || !strings.Contains(err.Error(), "elements 299968 to 300031") {
			t.Fatalf("error %v", err)
		}
	}
}

// No float32 copy of the tensor is made, only its scales before they are quantised.
func TestQuantizeAllocates(t *testing.T) {
	const n, workers = 1 << 21, 2
	data, _ := encoded(normal(n), quant.BFloat16)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	q := mustQuantize(t, quant.Bytes(data, quant.BFloat16), []int{n}, quant.Config{Workers: workers})
	runtime.ReadMemStats(&after)
	result := len(q.Packed) + len(q.Scales.Codes) + 4*len(q.Scales.Nested)
	plain := 4 * n / 64
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(result+plain+64<<10); got > limit {
		t.Errorf("%d bytes allocated, want at most %d", got, limit)
	}
}

func TestDequantizeAllocatesNothing(t *testing.T) {
	q := mustQuantize(t, quant.Floats(normal(5000)), []int{5000}, quant.Config{})
	floats, halves := make([]float32, 3000), make([]uint16, 3000)
	if n := testing.AllocsPerRun(10, func() { q.Dequantize(floats, 77); q.DequantizeBF16(halves, 78) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"nf4", "fp4", "int8"} {
		if kind, err := quant.ParseType(name); err != nil || kind.String() != name {
			t.Errorf("%s: %v, %v", name, kind, err)
		}
	}
	for _, name := range []string{"float32", "float16", "bfloat16"} {
		if d, err := quant.ParseDType(name); err != nil || d.String() != name {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
	if _, err := quant.ParseType("int4"); err == nil || !strings.Contains(err.Error(), `type "int4" is unknown`) {
		t.Errorf("error %v", err)
	}
	if _, err := quant.ParseDType("float64"); err == nil || !strings.Contains(err.Error(), `dtype "float64" is unknown`) {
		t.Errorf("error %v", err)
	}
	if s := quant.Type(9).String() + quant.DType(9).String(); s != "Type(9)DType(9)" {
		t.Error(s)
	}
}
