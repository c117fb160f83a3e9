package float16

import (
	"math"
	"testing"
)

// nearest returns the 16-bit patterns whose values are closest to x.
func nearest(x float32, value func(uint16) float32, guess uint16) uint16 {
	best := guess
	for _, c := range []uint16{guess - 1, guess, guess + 1} {
		d, e := math.Abs(float64(value(c))-float64(x)), math.Abs(float64(value(best))-float64(x))
		if d < e || d == e && c&1 == 0 {
			best = c
		}
	}
	return best
}

func TestEveryPattern(t *testing.T) {
	for _, f := range []struct {
		name     string
		from     func(uint16) float32
		to       func(float32) uint16
		exponent int // bits
		bias     int
	}{{"bf16", FromBF16, ToBF16, 8, 127}, {"half", FromHalf, ToHalf, 5, 15}} {
		fraction := 15 - f.exponent
		for i := range 1 << 16 {
			h := uint16(i)
			got := f.from(h)
			e, m := int(h>>fraction)&(1<<f.exponent-1), float64(h&(1<<fraction-1))/float64(int(1)<<fraction)
			want := math.Ldexp(1+m, e-f.bias)
			switch {
			case e == 0:
				want = math.Ldexp(m, 1-f.bias)
			case e == 1<<f.exponent-1 && m == 0:
				want = math.Inf(1)
			case e == 1<<f.exponent-1:
				if got == got || f.to(got) != h && f.to(got)&^(1<<(fraction-1)) != h&^(1<<(fraction-1)) {
					t.Fatalf("%s: NaN %#x became %v, then %#x", f.name, h, got, f.to(got))
				}
				continue
			}
			if h>>15 == 1 {
				want = -want
			}
			if float64(got) != want || math.Signbit(float64(got)) != (h>>15 == 1) {
				t.Fatalf("%s: %#x is %v, want %v", f.name, h, got, want)
			}
			if f.to(got) != h {
				t.Fatalf("%s: %v became %#x, want %#x", f.name, got, f.to(got), h)
			}
		}
	}
}

// Between two neighbours lie their midpoint, which goes to the even one, and its
// neighbours, which do not.
func TestRounding(t *testing.T) {
	for _, f := range []struct {
		name string
		from func(uint16) float32
		to   func(float32) uint16
		inf  uint16
	}{{"bf16", FromBF16, ToBF16, 0x7f80}, {"half", FromHalf, ToHalf, 0x7c00}} {
		for h := uint16(0); h+1 < f.inf; h++ {
			mid := float32((float64(f.from(h)) + float64(f.from(h+1))) / 2)
			below, above := math.Nextafter32(mid, 0), math.Nextafter32(mid, math.MaxFloat32)
			for _, x := range []float32{below, mid, above} {
				if got, want := f.to(x), nearest(x, f.from, h); got != want {
					t.Fatalf("%s: %v became %#x, want %#x", f.name, x, got, want)
				}
			}
		}
		last := float64(f.from(f.inf - 1))
		limit := float32(last + (last-float64(f.from(f.inf-2)))/2)
		if got := f.to(limit); got != f.inf {
			t.Errorf("%s: %v became %#x, want infinity", f.name, limit, got)
		}
		if got := f.to(math.Nextafter32(limit, 0)); got != f.inf-1 {
			t.Errorf("%s: just below %v became %#x", f.name, limit, got)
		}
	}
}

func TestNaNPayloadInTheLowerHalf(t *testing.T) {
	nan := math.Float32frombits(0x7f800001)
	if x := FromBF16(ToBF16(nan)); x == x {
		t.Error("bf16 lost a NaN")
	}
	if x := FromHalf(ToHalf(nan)); x == x {
		t.Error("half lost a NaN")
	}
}
