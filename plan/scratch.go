package plan

import (
	"math/bits"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/cuda"
)

// A scratch counts what the operations of a device borrow while they run. On a
// GPU they share one piece of memory. On a CPU what one gives back another of about
// that size gets, and nothing is freed.
type scratch struct {
	shared  cuda.Scratch
	workers int           // 0 on a GPU
	most    map[int]int64 // bytes, by the logarithm of the size
}

// grow is an operation of a GPU's that borrows so many bytes.
func (s *scratch) grow(bytes int) {
	if s.workers == 0 {
		s.shared.Grow(bytes)
	}
}

// borrow counts a number of loans at once.
func (s *scratch) borrow(floats, times int) {
	class := bits.Len(uint(floats))
	s.most[class] = max(s.most[class], int64(floats)*int64(times)*4)
}

func (s *scratch) bytes() int64 {
	n := int64(s.shared)
	for _, b := range s.most {
		n += b
	}
	return n
}

// product is one of [m, k] with [k, n].
func (s *scratch) product(m, n, k int) {
	if s.workers > 0 {
		panels := (m + cpu.Panel - 1) / cpu.Panel
		s.borrow(min(max(cpu.PackFloats, panels*cpu.BlockFloats), panels*cpu.Panel*(k+cpu.Panel)), 1)
		s.borrow(cpu.TaskCols/cpu.Panel*cpu.BlockFloats, s.workers)
	}
}

// strips is the scores of some queries of a head, and what else has their shape.
func (s *scratch) strips(keys, sheets int) {
	if s.workers > 0 {
		s.borrow(sheets*cpu.StripRows*keys, s.workers)
	}
}

// heads is the gradients of keys and values of each query head.
func (s *scratch) heads(keys int, h kernels.AttentionShape) {
	if s.workers > 0 {
		s.borrow(2*h.Heads*keys*h.Width, 1)
	}
}
