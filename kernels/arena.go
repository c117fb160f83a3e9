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
//
// Small tensors share blocks. A large one has a block to itself, which grows to the
// largest tensor at that place in the stack: where runs ask for tensors in the
// same order, the arena comes to hold what the largest of them needs, and no more.
type Arena struct {
	dev    Device
	stacks [kinds][2]stack // of small tensors and of large ones
}

// kinds is how many kinds of memory there are.
const kinds = 3

// NewArena returns an empty arena on dev.
func NewArena(dev Device) *Arena { return &Arena{dev: dev} }

// Tensors of largeElements are large: a batch's activations, not its positions and
// statistics. Small ones share a block of as many, the next one of twice as many
// and so on, doublings times.
const (
	largeElements = 1 << 16
	doublings     = 4
)

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
type Mark [kinds][2]struct{ at, used int }

// Mark returns the arena's height.
func (a *Arena) Mark() (m Mark) {
	for i := range a.stacks {
		for j, s := range a.stacks[i] {
			m[i][j].at, m[i][j].used = s.at, s.used
		}
	}
	return m
}

// Release gives back all that was handed out since m was taken.
func (a *Arena) Release(m Mark) {
	for i := range a.stacks {
		for j := range a.stacks[i] {
			s := &a.stacks[i][j]
			s.at, s.used = m[i][j].at, m[i][j].used
		}
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
	for _, s := range a.stacks[k] {
		for _, b := range s.blocks {
			n += b.size
		}
	}
	return n
}

// Touched returns how many elements of a kind were ever in use in its blocks.
// Where memory comes from the system page by page, only they take any.
func (a *Arena) Touched(k Kind) (n int) {
	for _, s := range a.stacks[k] {
		for _, b := range s.blocks {
			n += b.top
		}
	}
	return n
}

// Used returns how many elements of a kind are in use, with what was left over
// at the ends of blocks.
func (a *Arena) Used(k Kind) (n int) {
	for _, s := range a.stacks[k] {
		for _, b := range s.blocks[:min(s.at, len(s.blocks))] {
			n += b.size
		}
		n += s.used
	}
	return n
}

// Free gives the arena's memory back to the device.
func (a *Arena) Free() {
	for i := range a.stacks {
		for _, s := range a.stacks[i] {
			for _, b := range s.blocks {
				a.free(b)
			}
		}
		a.stacks[i] = [2]stack{}
	}
}

func (a *Arena) tensor(k Kind, rows, cols int) Tensor {
	b, off := a.take(k, rows*cols)
	return Tensor{Rows: rows, Cols: cols, Kind: k, Mem: b.mem, Off: off}
}

// take finds room for n elements. A block above those in use that is too small
// makes place for a larger one.
func (a *Arena) take(k Kind, n int) (*block, int) {
	n = (max(n, 1) + 15) &^ 15 // tensors start at multiples of 64 bytes
	large := n >= largeElements
	s := &a.stacks[k][0]
	size := largeElements << min(len(s.blocks), doublings)
	if large {
		s, size = &a.stacks[k][1], n
	}
	if s.used > 0 && (large || s.used+n > s.blocks[s.at].size) {
		s.at, s.used = s.at+1, 0
	}
	if s.at == len(s.blocks) {
		s.blocks = append(s.blocks, block{})
	}
	b := &s.blocks[s.at]
	if s.used+n > b.size {
		a.free(*b)
		*b = block{}
		*b = a.block(k, size)
	}
	s.used += n
	b.top = max(b.top, s.used)
	return b, s.used - n
}

// block obtains a block from the device.
func (a *Arena) block(k Kind, size int) block {
	mem, err := a.dev.Alloc(k, size)
	if err != nil {
		panic(&OutOfMemory{fmt.Errorf("kernels: arena: %d more elements: %w", size, err)})
	}
	b := block{mem: mem, size: size}
	if k == Int32 {
		b.host = make([]int32, size)
	}
	return b
}

// free gives a block back, unless it is one that the device did not give.
func (a *Arena) free(b block) {
	if b.mem != nil {
		a.dev.Free(b.mem)
	}
}
