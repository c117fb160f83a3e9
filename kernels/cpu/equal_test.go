package cpu

import (
	"math"
	"testing"

	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
)

// fastDevices are those that have assembly: one for each instruction set of the
// processor, in bfloat16 if it has that. In float32 such a set is the next one.
func fastDevices(workers int) (all []*Device) {
	for _, set := range instructionSets() {
		all = append(all, newDevice(Config{Workers: workers}, set).For(kernels.BF16).(*Device))
	}
	return all
}

// equal fails t unless an operation gives on each device what it gives in plain
// Go, within 2·terms roundings to float32 and casts to bfloat16.
func equal(t *testing.T, op operation, n []int, seed uint64, fast []*Device) {
	t.Helper()
	plain := op.run(newInputs(newDevice(Config{Workers: 1}, nil), seed), n)
	for _, d := range fast {
		in := newInputs(d, seed)
		for i, got := range op.run(in, n) {
			if at := plain[i].differs(got.v, d.bf16); at >= 0 {
				t.Errorf("%s %v on %s, seed %d: %s[%d] is %g, in plain Go %g", op.name, n, d.Info().Detail, seed, got.name, at, got.v[at], plain[i].v[at])
			}
		}
		if !in.intact() {
			t.Errorf("%s %v on %s: wrote beside its operands", op.name, n, d.Info().Detail)
		}
	}
}

// differs returns the index of an element that is too far from o's, or -1.
func (o output) differs(v []float32, bf16 bool) int {
	unit := 2 * o.terms / (1 << 24)
	if bf16 {
		unit += o.casts / (1 << 8)
	}
	for i, x := range v {
		if !(math.Abs(float64(x)-float64(o.v[i])) <= unit*o.size(i)) {
			return i
		}
	}
	return -1
}

// Every size from 1 to 200, or with -short every thirteenth, in one dimension at
// a time, and random larger ones.
func TestEveryKernelEqualsPlain(t *testing.T) {
	fast, shared := fastDevices(1), fastDevices(3)
	if len(fast) == 0 {
		t.Skip("this processor has no assembly")
	}
	step := everySize
	if testing.Short() {
		step = 13
	}
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			for dim := range op.ragged {
				for size := 1; size <= 200; size += step {
					n := append([]int{}, op.ragged...)
					n[dim] = size
					equal(t, op, n, uint64(size), fast)
				}
			}
			rnd := random.New(7, random.Sample, 0)
			for range 6 {
				equal(t, op, largeSizes(op, rnd), uint64(rnd.Uint32()), shared)
			}
		})
	}
}

// largeSizes returns random sizes, of which the last may exceed a block of any
// kind.
func largeSizes(op operation, rnd *random.Source) []int {
	n := make([]int, len(op.ragged))
	for i, size := range op.ragged {
		n[i] = 1 + rnd.Intn(8*size)
	}
	n[len(n)-1] = 1 + rnd.Intn(64*op.ragged[len(n)-1])
	return n
}

// FuzzKernels compares with plain Go at any sizes.
func FuzzKernels(f *testing.F) {
	ops, fast := operations(), fastDevices(2)
	for i := range ops {
		f.Add(uint8(i), uint16(16), uint16(32), uint16(513), uint64(i))
		f.Add(uint8(i), uint16(257), uint16(33), uint16(65), uint64(i))
	}
	f.Fuzz(func(t *testing.T, which uint8, a, b, c uint16, seed uint64) {
		op := ops[int(which)%len(ops)]
		n := []int{1 + int(a)%300, 1 + int(b)%300, 1 + int(c)%1200}[3-len(op.ragged):]
		if op.ragged[0] == 9 { // attention's cost is their product, several times
			n = []int{1 + int(a)%150, 1 + int(b)%150, 1 + int(c)%150}
		}
		equal(t, op, n, seed, fast)
	})
}
