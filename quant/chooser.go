package quant

import (
	"math"
	"sync"
)

// A chooser finds codes without a branch. It cuts the line into bins so fine that
// none holds two of the type's midpoints; what is left is one comparison.
type chooser [4096]bin

// A bin holds the midpoint within it, or +Inf, and the codes below and above it.
type bin struct {
	midpoint float32
	codes    [2]uint8
}

// index returns the bin of a value near [-1, 1]: 12 more lies between 8 and 16,
// where the upper 12 bits of the fraction count steps of 1/512, less than FP4's
// closest midpoints are apart (0 and 1/384). The index never falls as v rises, so a
// midpoint of a lower bin lies below v and one of a higher bin above it.
func index(v float32) uint32 {
	return math.Float32bits(v+12) >> 11 & (uint32(len(chooser{})) - 1)
}

// choose returns the code of v.
func (c *chooser) choose(v float32) uint8 {
	b := &c[index(v)]
	above := math.Float32bits(b.midpoint-v) >> 31 // 1 if v > midpoint
	return b.codes[above]
}

func newChooser(t Type) *chooser {
	c, midpoints, order := new(chooser), t.midpoints(), typeOrders[t]
	below := 0
	for i := range c {
		c[i] = bin{float32(math.Inf(1)), [2]uint8{order[below]}}
		if below < len(midpoints) && index(midpoints[below]) == uint32(i) {
			c[i] = bin{midpoints[below], [2]uint8{order[below], order[below+1]}}
			below++
		}
	}
	return c
}

var choosers = [...]func() *chooser{
	NF4: sync.OnceValue(func() *chooser { return newChooser(NF4) }),
	FP4: sync.OnceValue(func() *chooser { return newChooser(FP4) }),
}
