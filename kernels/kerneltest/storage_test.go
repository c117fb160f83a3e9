package kerneltest

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
)

// Every number of a 16-bit format rounds to itself, what lies between two to
// the nearer one, and the middle to the even one.
func TestStorages(t *testing.T) {
	for _, fraction := range []int{7, 10} {
		infinity := uint16(1<<(15-fraction)-1) << fraction
		for h := range infinity {
			x, next := fromBits(h, fraction), fromBits(h+1, fraction)
			if h+1 == infinity { // as if the exponent went on
				next = 2*x - fromBits(h-1, fraction)
			}
			even := h + h%2
			for _, c := range []struct {
				x    float64
				want uint16
			}{{x, h}, {x*0.75 + next*0.25, h}, {x*0.25 + next*0.75, h + 1}, {(x + next) / 2, even}, {-x, h | 1<<15}} {
				if h == 0 && c.x == 0 && c.want != 0 {
					c.x = math.Copysign(0, -1)
				}
				if got := toBits(c.x, fraction); got != c.want {
					t.Fatalf("%d bits of fraction: %g rounds to %#x, want %#x", fraction, c.x, got, c.want)
				}
			}
		}
		if got := fromBits(toBits(math.NaN(), fraction), fraction); got == got {
			t.Errorf("NaN becomes %g", got)
		}
		if got := fromBits(toBits(math.Inf(-1), fraction), fraction); !math.IsInf(got, -1) {
			t.Errorf("-Inf becomes %g", got)
		}
	}
	for h, want := range map[uint16]float64{0x3c00: 1, 0xc000: -2, 0x3555: 0.333251953125, 0x0001: 0x1p-24, 0x7bff: 65504} {
		if got := fromF16(h); got != want {
			t.Errorf("half %#x is %g, want %g", h, got, want)
		}
	}
	for h, want := range map[uint16]float64{0x3f80: 1, 0xc000: -2, 0x4049: 3.140625, 0x0001: 0x1p-133} {
		if got := fromBF16(h); got != want {
			t.Errorf("bfloat16 %#x is %g, want %g", h, got, want)
		}
	}
}

// The opaque device's rounding is written apart from the suite's.
func TestBfloat16(t *testing.T) {
	for bits := uint64(0); bits < 1<<32; bits += 4099 {
		x := math.Float32frombits(uint32(bits))
		got, want := fromBF16(bfloat16(x)), fromBF16(roundBF16(float64(x)))
		if math.Float64bits(got) != math.Float64bits(want) && (got == got || want == want) {
			t.Fatalf("%g rounds to %g, want %g", x, got, want)
		}
	}
	for _, x := range []uint32{0x7fffffff, 0xffffffff, 0x7f800001} {
		if got := fromBF16(bfloat16(math.Float32frombits(x))); got == got {
			t.Errorf("NaN %#x becomes %g", x, got)
		}
	}
}

// A without refuses matrices of one format with an error.
type without struct {
	kernels.Device
	format kernels.Format
	err    error
}

func (w without) NewMatrix(m kernels.Weights) (kernels.Matrix, error) {
	if m.Format == w.format {
		return kernels.Matrix{}, w.err
	}
	return w.Device.NewMatrix(m)
}

// A device may lack a quantised format if it says so, and no other.
func TestLackingFormat(t *testing.T) {
	unsupported, other := fmt.Errorf("no: %w", errors.ErrUnsupported), errors.New("no")
	for _, s := range storages[1:] {
		for _, err := range []error{unsupported, other} {
			dev := without{cpu.New(1), s.format, err}
			report := failure(func(r reporter) { checkExpand(newBench(r, dev)) })
			if may := s.quantize != nil && err == unsupported; may != (report == "") {
				t.Errorf("without %s, %v: the suite says %q", s.name, err, report)
			}
		}
	}
}
