package kerneltest

import (
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
)

// panics returns what f panics with, or nil.
func panics(f func()) (p any) {
	defer func() { p = recover() }()
	f()
	return nil
}

func TestOpaqueRoundsActivations(t *testing.T) {
	dev := NewOpaque(cpu.New(1))
	arena := kernels.NewArena(dev)
	src, activation, back := arena.Float32(1, 4), arena.Activation(1, 4), arena.Float32(1, 4)
	dev.Write(src, []float32{1 + 1.0/256, 1 + 3.0/256, -1.0 / 3, 0})
	dev.Copy(activation, src)
	dev.Copy(back, activation)
	got := make([]float32, 4)
	dev.Read(got, back)
	for i, want := range []float32{1, 1 + 4.0/256, -0.333984375, 0} {
		if got[i] != want {
			t.Errorf("element %d is %g, want %g", i, got[i], want)
		}
	}
}

func TestOpaqueReadsIntsFromTheDevice(t *testing.T) {
	dev := kernels.Checked(NewOpaque(cpu.New(1)))
	arena := kernels.NewArena(dev)
	src, dst := arena.Float32(4, 3), arena.Float32(2, 3)
	rows := arena.Ints([]int32{1, 2})
	take := func(rows kernels.Ints) any { return panics(func() { dev.TakeRows(dst, src, rows) }) }
	if p := take(rows); p != nil {
		t.Fatalf("panic %v", p)
	}
	rows.Host[1] = 3
	const want = "kerneltest: opaque: an Ints differs from what WriteInts copied"
	if p := take(rows); p != want {
		t.Errorf("with a forgotten WriteInts: %v", p)
	}
	if p := take(kernels.Ints{Host: []int32{1, 2}}); p != want {
		t.Errorf("without device memory: %v", p)
	}
	dev.WriteInts(rows)
	if p := take(rows); p != nil {
		t.Errorf("after WriteInts: %v", p)
	}
}

func TestOpaqueForgetsFreedMemory(t *testing.T) {
	dev := NewOpaque(cpu.New(1))
	arena := kernels.NewArena(dev)
	x := arena.Activation(2, 3)
	dev.Fill(x, 1)
	arena.Free()
	if panics(func() { dev.Fill(x, 1) }) == nil {
		t.Error("freed memory can be used")
	}
}

// The CPU device must not find its own memory behind an opaque one's.
func TestOpaqueMemoryIsItsOwn(t *testing.T) {
	inner := cpu.New(1)
	x := kernels.NewArena(NewOpaque(inner)).Float32(2, 3)
	if panics(func() { inner.Fill(x, 1) }) == nil {
		t.Error("the inner device can address the memory")
	}
}
