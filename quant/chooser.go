package quant

import (
	"math"
	"sync"
)

// A chooser finds codes without a branch. It cuts [-1, 1] into bins so fine that
// none holds two of the type's midpoints; what is left is one comparison.
type chooser [2048]bin

// A bin holds the midpoint within it, or +Inf, and the codes on both sides: the
// lower one in byte 0, the upper one in byte 1.
type bin struct {
	midpoint float32
	codes    uint32
}

// binsPerUnit makes the bins narrower than FP4's closest midpoints, 0 and 1/384.
const binsPerUnit = 512

// index returns the bin of a value in [-1-ε, 1+ε]. It never falls as v rises, so
// a midpoint of a lower bin lies below v and one of a higher bin above it.
func index(v float32) uint32 {
	return uint32(int32(float32(v*binsPerUnit)+binsPerUnit)) & (uint32(len(chooser{})) - 1)
}

// choose returns the code of v, the number of midpoints below v in ascending
// order of the values. Only the low four bits count.
func (c *chooser) choose(v float32) uint32 {
	b := &c[index(v)]
	above := math.Float32bits(b.midpoint-v) >> 31 // 1 if v > midpoint
	return b.codes >> (above << 3)
}

func newChooser(t Type) *chooser {
	c, midpoints, order := new(chooser), t.midpoints(), typeOrders[t]
	below := 0
	for i := range c {
		c[i] = bin{float32(math.Inf(1)), uint32(order[below])}
		if below < len(midpoints) && index(midpoints[below]) == uint32(i) {
			c[i] = bin{midpoints[below], uint32(order[below]) | uint32(order[below+1])<<8}
			below++
		}
	}
	return c
}

var choosers = [...]func() *chooser{
	NF4: sync.OnceValue(func() *chooser { return newChooser(NF4) }),
	FP4: sync.OnceValue(func() *chooser { return newChooser(FP4) }),
}
