package plan

import (
	"math/bits"

	"github.com/seed-5afa5581/graft/kernels"
)

// A scratch counts what the operations of a device borrow while they run. What
// follows is the CPU's way: what one gives back another of about that size gets,
// and nothing is freed.
type scratch struct {
	workers int           // 0: no scratch
	most    map[int]int64 // bytes, by the logarithm of the size
}

// borrow counts a number of loans at once.
func (s *scratch) borrow(floats, times int) {
	class := bits.Len(uint(floats))
	s.most[class] = max(s.most[class], int64(floats)*int64(times)*4)
}

func (s *scratch) bytes() (n int64) {
	for _, b := range s.most {
		n += b
	}
	return n
}

// The sizes of a product's packed operands, as package cpu has them.
const (
	packedFloats = 1 << 20 // most of the left operand
	packedBlock  = 512 * 16
	taskPanels   = 128 / 16
)

// product is one of [m, k] with [k, n].
func (s *scratch) product(m, n, k int) {
	if s.workers > 0 {
		panels := (m + 15) / 16
		s.borrow(min(max(packedFloats, panels*packedBlock), panels*16*(k+16)), 1)
		s.borrow(taskPanels*packedBlock, s.workers)
	}
}

// stripRows is how many queries of a head are computed at once.
const stripRows = 64

// strips is the scores of some queries of a head, and what else has their shape.
func (s *scratch) strips(keys, sheets int) {
	if s.workers > 0 {
		s.borrow(sheets*stripRows*keys, s.workers)
	}
}

// heads is the gradients of keys and values of each query head.
func (s *scratch) heads(keys int, h kernels.AttentionShape) {
	if s.workers > 0 {
		s.borrow(2*h.Heads*keys*h.Width, 1)
	}
}
