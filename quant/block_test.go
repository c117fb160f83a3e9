package quant

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// plainly quantises by the definition, one element after another.
func plainly(x []float32, t Type, block int) (packed []byte, scales []float32) {
	r := reference{t, t.midpoints()}
	packed = make([]byte, ceil(len(x), 2))
	for from := 0; from < len(x); from += block {
		v := x[from:min(from+block, len(x))]
		top := float32(0)
		for _, e := range v {
			top = max(top, float32(math.Abs(float64(e))))
		}
		for i, e := range v {
			scaled := e * (1 / max(top, 1e-38))
			if len(v) < block {
				scaled = e / max(top, 1e-38)
			}
			packed[(from+i)/2] |= r.code(scaled) << (4 * (1 - (from+i)%2))
		}
		if len(v) < block {
			top = max(top, 1e-38)
		}
		scales = append(scales, top)
	}
	if len(x)%2 == 1 {
		packed[len(x)/2] |= r.code(0)
	}
	return packed, scales
}

func checkBlocks(t *testing.T, x []float32, kind Type, block int) {
	t.Helper()
	packed, scales := plainly(x, kind, block)
	q, err := Quantize(Floats(x), []int{len(x)}, Config{Type: kind, Block: block, PlainScales: true, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(q.Packed, packed) || !slices.Equal(q.Scales.Plain, scales) {
		t.Fatalf("%v, blocks of %d, %d elements:\ncodes  %x\nwant   %x\nscales %v\nwant   %v",
			kind, block, len(x), q.Packed, packed, q.Scales.Plain, scales)
	}
	got := make([]float32, len(x))
	q.Dequantize(got, 0)
	for i, v := range got {
		code := packed[i/2] >> (4 * (1 - i%2)) & 15
		if want := kind.Values()[code] * scales[i/block]; v != want {
			t.Fatalf("%v, blocks of %d: element %d of %d is %v, want %v", kind, block, i, len(x), v, want)
		}
	}
}

func TestBlocksOfEveryLength(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	x := make([]float32, 200)
	for i := range x {
		x[i] = float32(r.NormFloat64() * math.Pow(10, 3*r.NormFloat64()))
	}
	for n := 1; n <= len(x); n++ {
		for _, kind := range []Type{NF4, FP4} {
			checkBlocks(t, x[:n], kind, 32)
			checkBlocks(t, x[len(x)-n:], kind, 64)
		}
	}
}

func FuzzBlocks(f *testing.F) {
	f.Add([]byte{0, 0x80, 1, 0, 0x7f, 0x3f, 0x80, 0x3f, 0x7f, 0x7f}, true)
	f.Add(make([]byte, 131), false)
	f.Fuzz(func(t *testing.T, data []byte, fp4 bool) {
		n := len(data) / 2
		x := Bytes(data[:2*n], BFloat16).read(make([]float32, n), 0)
		if n == 0 || magnitude(x) >= infinite {
			return
		}
		kind := NF4
		if fp4 {
			kind = FP4
		}
		checkBlocks(t, x, kind, 32)
	})
}
