package kernels

import (
	"errors"
	"slices"
	"testing"
)

// span returns the elements of the arena's memory that t takes.
func span(t Tensor) (mem Mem, from, to int) { return t.Mem, t.Off, t.Off + t.Len() }

func TestArenaTensorsAreApart(t *testing.T) {
	a := NewArena(&fake{})
	var all []Tensor
	for i := range 200 {
		rows, cols := i%7, 1+i*37%513
		want := []Tensor{a.Activation(rows, cols), a.Float32(rows, cols)}
		for k, x := range want {
			if x.Rows != rows || x.Cols != cols || x.Kind != []Kind{Activation, Float32}[k] || x.None() {
				t.Fatalf("tensor %+v, want %d×%d of kind %d", x, rows, cols, k)
			}
		}
		if like := a.Like(want[1]); like.Kind != Float32 || like.Rows != rows || like.Cols != cols {
			t.Fatalf("Like gives %+v", like)
		}
		all = append(all, want...)
	}
	for i, x := range all {
		mem, from, to := span(x)
		if from%16 != 0 {
			t.Fatalf("a tensor starts at element %d", from)
		}
		for _, y := range all[:i] {
			if other, start, end := span(y); other == mem && from < end && start < to {
				t.Fatalf("%+v and %+v overlap", x, y)
			}
		}
	}
}

func TestArenaTensorsFitTheirMemory(t *testing.T) {
	dev := &fake{}
	a := NewArena(dev)
	for _, n := range []int{1, largeElements - 16, 17, 3 * largeElements, largeElements, 5} {
		x := a.Float32(1, n)
		if _, _, to := span(x); to > dev.held[x.Mem.(*int)] {
			t.Errorf("%d elements end at %d of %d", n, to, dev.held[x.Mem.(*int)])
		}
	}
	held := 0
	for _, n := range dev.held {
		held += n
	}
	if got := a.Elements(Float32); got != held || a.Elements(Activation) != 0 {
		t.Errorf("Elements %d and %d, the device gave %d", got, a.Elements(Activation), held)
	}
}

func TestArenaTouched(t *testing.T) {
	a := NewArena(&fake{})
	mark := a.Mark()
	a.Float32(1, 100)               // 112 with its padding
	a.Float32(1, largeElements-100) // does not fit behind it
	if n := a.Touched(Float32); n != 112+largeElements-96 {
		t.Errorf("%d elements touched", n)
	}
	if n := a.Used(Float32); n != 2*largeElements-96 {
		t.Errorf("%d elements used", n)
	}
	a.Release(mark)
	a.Float32(1, 16)
	if n, used := a.Touched(Float32), a.Used(Float32); n != 112+largeElements-96 || used != 16 || a.Touched(Activation) != 0 || a.Used(Activation) != 0 {
		t.Errorf("after Release: %d elements touched, %d used", n, used)
	}
}

func TestArenaRelease(t *testing.T) {
	a := NewArena(&fake{})
	a.Float32(3, 5)
	mark := a.Mark()
	first := []Tensor{a.Float32(1, 40), a.Float32(2, largeElements), a.Activation(1, 1)}
	a.Release(mark)
	again := []Tensor{a.Float32(1, 40), a.Float32(2, largeElements), a.Activation(1, 1)}
	if !slices.Equal(first, again) {
		t.Errorf("after Release %+v, before %+v", again, first)
	}
	a.Reset()
	if x := a.Float32(1, 1); x.Off != 0 {
		t.Errorf("after Reset the first tensor is at %d", x.Off)
	}
}

// Nested marks are what recompute needs: the inner one is released many times.
func TestArenaAllocatesNothingWhenSteady(t *testing.T) {
	dev := &fake{}
	a := NewArena(dev)
	step := func() {
		a.Reset()
		a.Ints([]int32{1, 2, 3})
		a.Float32(7, 1000)
		for range 5 {
			mark := a.Mark()
			a.Activation(100, 1000)
			a.Float32(1, 2*largeElements)
			a.Release(mark)
		}
	}
	step()
	before := dev.allocs
	for range 3 {
		step()
	}
	if dev.allocs != before {
		t.Errorf("%d allocations in steady steps", dev.allocs-before)
	}
	if n := testing.AllocsPerRun(10, step); n != 0 {
		t.Errorf("a steady step makes %v Go allocations", n)
	}
}

// What holds memory are the tensors of the largest run, none of it idle: a smaller
// run fits into its blocks, a larger one replaces them.
func TestArenaHoldsTheLargestRun(t *testing.T) {
	dev := &fake{}
	a := NewArena(dev)
	run := func(n int) {
		a.Reset()
		for range 3 {
			a.Float32(1, n) // kept
		}
		for range 4 {
			mark := a.Mark()
			for _, cols := range []int{n, 100, 4 * n, 7 * n, n} {
				a.Float32(1, cols)
			}
			a.Release(mark)
		}
	}
	const large = 3 * largeElements
	for _, c := range []struct{ run, of int }{{large, large}, {2*large - 48, 2*large - 48}, {large + 16, 2*large - 48}, {largeElements, 2*large - 48}, {2 * large, 2 * large}} {
		run(c.run)
		held := 0
		for _, n := range dev.held {
			held += n
		}
		if want := 16*c.of + largeElements; held != want || a.Elements(Float32) != want {
			t.Errorf("after a run of %d: %d elements held, %d counted, want %d", c.run, held, a.Elements(Float32), want)
		}
	}
}

func TestArenaInts(t *testing.T) {
	dev := &fake{}
	a := NewArena(dev)
	source := []int32{4, 5, 6}
	v := a.Ints(source)
	source[0] = 9
	if !slices.Equal(v.Host, []int32{4, 5, 6}) || !slices.Equal(dev.ints, v.Host) || v.Mem == nil {
		t.Errorf("Ints holds %v, the device has %v", v.Host, dev.ints)
	}
	w := a.Ints([]int32{7})
	_ = append(v.Host, 8) // must not reach into w
	if w.Host[0] != 7 || w.Off == v.Off {
		t.Errorf("two Ints overlap: %v", w)
	}
	if empty := a.Ints(nil); empty.Len() != 0 || empty.Mem == nil {
		t.Errorf("no ints: %+v", empty)
	}
}

func TestArenaFree(t *testing.T) {
	dev := &fake{}
	a := NewArena(dev)
	a.Float32(1, 1)
	a.Activation(1, 3*largeElements)
	a.Ints([]int32{1})
	a.Free()
	if len(dev.held) != 0 || a.Elements(Float32)+a.Elements(Activation)+a.Elements(Int32) != 0 {
		t.Errorf("after Free the device holds %v", dev.held)
	}
	if a.Float32(1, 1).None() {
		t.Error("an arena is of no use after Free")
	}
}

func TestArenaOutOfMemory(t *testing.T) {
	a := NewArena(&fake{limit: largeElements})
	a.Float32(1, 10)
	err, ok := panics(func() { a.Float32(2, largeElements) }).(error)
	var out *OutOfMemory
	if !ok || !errors.As(err, &out) {
		t.Fatalf("panic with %v", err)
	}
	if want := "kernels: arena: 131072 more elements: fake: full"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if errors.Unwrap(err) == nil {
		t.Error("the device's error is lost")
	}
	a = NewArena(&fake{limit: 3 * largeElements})
	a.Float32(2, largeElements)
	a.Reset()
	if panics(func() { a.Float32(4, largeElements) }) == nil {
		t.Fatal("a larger block than there is")
	}
	a.Free()
	if a.Float32(3, largeElements).None() {
		t.Error("a block that was to be replaced is given back twice")
	}
}
