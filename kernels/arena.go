package kernels

import "fmt"

// An OutOfMemory is what an Arena panics with when its device cannot give it
// more. The model's entry points turn it into an error.
type OutOfMemory struct{ Err error }

func (e *OutOfMemory) Error() string { return e.Err.Error() }
func (e *OutOfMemory) Unwrap() error { return e.Err }

// An Arena hands out the tensors of one run through a model, in the order of
// a stack: Mark remembers a height, Release gives back all above it. Memory
// once obtained from the device is kept until Free, so that runs of the same
// size allocate nothing. An Arena is not safe for concurrent use.
type Arena struct {
	dev   Device
	kinds [3]stack
}

// NewArena returns an empty arena on dev.
func NewArena(dev Device) *Arena { return &Arena{dev: dev} }

// blockElements is the size of the first block of each kind; later ones double.
const blockElements = 1 << 16

// A stack is a list of blocks that fill up one after the other.
type stack struct {
	blocks []block
	at     int // block being filled
	used   int // elements used in it
}

type block struct {
	mem  Mem
	size int
	top  int     // most elements ever used
	host []int32 // only for Int32
}

// A Mark is a height of an Arena.
type Mark [3]struct{ at, used int }

// Mark returns the arena's height.
func (a *Arena) Mark() (m Mark) {
	for i := range a.kinds {
		m[i].at, m[i].used = a.kinds[i].at, a.kinds[i].used
	}
	return m
}

// Release gives back all that was handed out since m was taken.
func (a *Arena) Release(m Mark) {
	for i := range a.kinds {
		a.kinds[i].at, a.kinds[i].used = m[i].at, m[i].used
	}
}

// Reset gives back everything.
func (a *Arena) Reset() { a.Release(Mark{}) }

// Activation returns a tensor [rows, cols] of undefined content.
func (a *Arena) Activation(rows, cols int) Tensor { return a.tensor(Activation, rows, cols) }

// Float32 returns a tensor [rows, cols] of undefined content.
func (a *Arena) Float32(rows, cols int) Tensor { return a.tensor(Float32, rows, cols) }

// Like returns a tensor of t's shape and kind, of undefined content.
func (a *Arena) Like(t Tensor) Tensor { return a.tensor(t.Kind, t.Rows, t.Cols) }

// Ints copies host and makes it readable by the device.
func (a *Arena) Ints(host []int32) Ints {
	b, off := a.take(Int32, len(host))
	v := Ints{Host: b.host[off : off+len(host) : off+len(host)], Mem: b.mem, Off: off}
	copy(v.Host, host)
	a.dev.WriteInts(v)
	return v
}

// Elements returns how many elements of a kind the arena holds in its blocks.
func (a *Arena) Elements(k Kind) (n int) {
	for _, b := range a.kinds[k].blocks {
		n += b.size
	}
	return n
}

// Touched returns how many elements of a kind were ever in use in its blocks.
// Where memory comes from the system page by page, only they take any.
func (a *Arena) Touched(k Kind) (n int) {
	for _, b := range a.kinds[k].blocks {
		n += b.top
	}
	return n
}

// Used returns how many elements of a kind are in use, with what was left over
// at the ends of blocks.
func (a *Arena) Used(k Kind) (n int) {
	s := &a.kinds[k]
	for _, b := range s.blocks[:min(s.at, len(s.blocks))] {
		n += b.size
	}
	return n + s.used
}

// Free gives the arena's memory back to the device.
func (a *Arena) Free() {
	for i := range a.kinds {
		for _, b := range a.kinds[i].blocks {
			a.dev.Free(b.mem)
		}
		a.kinds[i] = stack{}
	}
}

func (a *Arena) tensor(k Kind, rows, cols int) Tensor {
	b, off := a.take(k, rows*cols)
	return Tensor{Rows: rows, Cols: cols, Kind: k, Mem: b.mem, Off: off}
}

// take finds room for n elements, in the block being filled or a later one.
func (a *Arena) take(k Kind, n int) (*block, int) {
	s := &a.kinds[k]
	n = (n + 15) &^ 15 // tensors start at multiples of 64 bytes
	for ; s.at < len(s.blocks); s.at, s.used = s.at+1, 0 {
		if b := &s.blocks[s.at]; s.used+n <= b.size {
			s.used += n
			b.top = max(b.top, s.used)
			return b, s.used - n
		}
	}
	a.grow(k, n)
	s.used = n
	s.blocks[s.at].top = n
	return &s.blocks[s.at], 0
}

func (a *Arena) grow(k Kind, n int) {
	s := &a.kinds[k]
	size := max(n, blockElements)
	if last := len(s.blocks); last > 0 {
		size = max(n, min(2*s.blocks[last-1].size, 1<<24))
	}
	mem, err := a.dev.Alloc(k, size)
	if err != nil {
		panic(&OutOfMemory{fmt.Errorf("kernels: arena: %d more elements: %w", size, err)})
	}
	b := block{mem: mem, size: size}
	if k == Int32 {
		b.host = make([]int32, size)
	}
	s.blocks = append(s.blocks, b)
}
