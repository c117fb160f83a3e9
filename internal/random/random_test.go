package random

import (
	"math"
	"slices"
	"testing"
)

// The known answers are those that ship with Random123, kat_vectors.
func TestBlockKnownAnswers(t *testing.T) {
	const f = 0xffffffff
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{f, f, f, f}, [2]uint32{f, f}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := Block(c.counter, c.key); got != c.want {
			t.Errorf("Block(%x, %x) = %x, want %x", c.counter, c.key, got, c.want)
		}
	}
}

func TestStreamsDiffer(t *testing.T) {
	seen := map[uint32]string{}
	for name, s := range map[string]*Source{
		"seed 1": New(1, Adapter, 0), "seed 2": New(2, Adapter, 0), "high seed": New(1<<32, Adapter, 0),
		"stream": New(1, Shuffle, 0), "id": New(1, Adapter, 1), "high id": New(1, Adapter, 1<<32),
	} {
		v := s.Uint32()
		if other, dup := seen[v]; dup {
			t.Errorf("%s and %s begin alike", name, other)
		}
		seen[v] = name
	}
}

func TestMoments(t *testing.T) {
	const n = 200_000
	x := make([]float32, n)
	moments := func() (mean, variance, max float64) {
		for _, v := range x {
			mean += float64(v) / n
			max = math.Max(max, math.Abs(float64(v)))
		}
		for _, v := range x {
			variance += (float64(v) - mean) * (float64(v) - mean) / n
		}
		return
	}
	New(7, Adapter, 0).Uniform(x, 3)
	if mean, variance, max := moments(); math.Abs(mean) > 0.02 || math.Abs(variance-3) > 0.03 || max > 3 {
		t.Errorf("Uniform: mean %v variance %v max %v", mean, variance, max)
	}
	New(7, Adapter, 1).Normal(x, 2)
	if mean, variance, max := moments(); math.Abs(mean) > 0.02 || math.Abs(variance-4) > 0.05 || max > 14 {
		t.Errorf("Normal: mean %v variance %v max %v", mean, variance, max)
	}
}

func TestPerm(t *testing.T) {
	for _, n := range []int{0, 1, 2, 100} {
		p := New(3, Shuffle, uint64(n)).Perm(n)
		slices.Sort(p)
		for i, v := range p {
			if v != i {
				t.Fatalf("Perm(%d) is no permutation", n)
			}
		}
	}
	var counts [6]int
	for i := range 6000 {
		counts[New(3, Shuffle, uint64(i)).Perm(3)[0]*2]++
	}
	for i := 0; i < 6; i += 2 {
		if counts[i] < 1800 || counts[i] > 2200 {
			t.Errorf("Perm(3) begins with %d in %d of 6000", i/2, counts[i])
		}
	}
}
