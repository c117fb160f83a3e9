package quant

import (
	"math"
	"testing"
)

// A reference chooses by the definition: as many steps up the order of the values
// as there are midpoints strictly below v.
type reference struct {
	kind      Type
	midpoints [15]float32
}

func (r *reference) code(v float32) uint8 {
	below := 0
	for _, m := range r.midpoints {
		if v > m {
			below++
		}
	}
	return typeOrders[r.kind][below]
}

func (r *reference) check(t *testing.T, v float32) {
	t.Helper()
	if got, want := choosers[r.kind]().choose(v), r.code(v); got != want {
		t.Fatalf("%v: code of %v (%#x) is %d, want %d", r.kind, v, math.Float32bits(v), got, want)
	}
}

// The choice can only change at a bin's edge or at a midpoint: there every
// neighbour is tried, elsewhere a fine sample of all patterns.
func TestChooser(t *testing.T) {
	for _, kind := range []Type{NF4, FP4} {
		r := reference{kind, kind.midpoints()}
		critical := r.midpoints[:]
		for i := -1024; i <= 1024; i++ { // edges and centres of bins
			critical = append(critical, float32(i)/1024)
		}
		for _, c := range critical {
			below, above := c, c
			for range 20 {
				r.check(t, below)
				r.check(t, above)
				below, above = math.Nextafter32(below, -2), math.Nextafter32(above, 2)
			}
		}
		one := math.Float32bits(1)
		for pattern := uint32(0); pattern <= one; pattern += 2003 {
			v := math.Float32frombits(pattern)
			r.check(t, v)
			r.check(t, -v)
		}
	}
}

// A bin with two midpoints would lose one of them.
func TestEveryMidpointHasItsBin(t *testing.T) {
	for _, kind := range []Type{NF4, FP4} {
		found := 0
		for _, b := range choosers[kind]() {
			if !math.IsInf(float64(b.midpoint), 1) {
				found++
			}
		}
		if found != 15 {
			t.Errorf("%v: %d midpoints in bins, want 15", kind, found)
		}
	}
}

func TestMidpointsAscend(t *testing.T) {
	for _, kind := range []Type{NF4, FP4} {
		m := kind.midpoints()
		for i := 1; i < len(m); i++ {
			if !(m[i] > m[i-1]) {
				t.Errorf("%v: midpoint %v follows %v", kind, m[i], m[i-1])
			}
		}
	}
}
