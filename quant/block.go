package quant

import (
	"fmt"
	"math"
)

const (
	minBlock = 32
	maxBlock = 4096
	// stretch is the number of elements that a goroutine takes at a time: a
	// multiple of every block size.
	stretch = 16 * maxBlock
	// smallest stands in for scales too small to be inverted.
	smallest = 1e-38
)

func validBlock(size int) bool {
	return size >= minBlock && size <= maxBlock && size&(size-1) == 0
}

// quantise writes the codes of x, two a byte, and the scale of each block.
func quantise(packed []byte, scales []float32, x Source, t Type, block, workers int) error {
	n, c := x.Len(), choosers[t]()
	return parallel(ceil(n, stretch), workers, func(i int) error {
		var buf [maxBlock]float32
		for from := i * stretch; from < min(n, (i+1)*stretch); from += block {
			v := x.read(buf[:min(block, n-from)], from)
			scale, err := c.block(packed[from/2:][:(len(v)+1)/2], v, buf[:], len(v) < block)
			if err != nil {
				return fmt.Errorf("quant: elements %d to %d: %w", from, from+len(v)-1, err)
			}
			scales[from/block] = scale
		}
		return nil
	})
}

// errNotFinite says why a block or row cannot be quantised.
var errNotFinite = fmt.Errorf("a NaN or an infinity among them; a weight must be finite to be quantised")

// block quantises one block and returns its scale. A short block, the last one, is
// divided by its scale in buf, where v may lie.
func (c *chooser) block(packed []byte, v, buf []float32, short bool) (float32, error) {
	top := magnitude(v)
	if top >= infinite {
		return 0, errNotFinite
	}
	scale := math.Float32frombits(top)
	inverse := 1 / max(scale, smallest)
	if short {
		scale, inverse = max(scale, smallest), 1
		buf = buf[:len(v)]
		for i, x := range v {
			buf[i] = x / scale
		}
		if len(v)%2 == 1 {
			buf = append(buf, 0) // the unused half byte holds the code of zero
		}
		v = buf
	}
	c.pack(packed, v, inverse)
	return scale, nil
}

// pack is
//
//	packed[i] = code(v[2i]·inverse)<<4 | code(v[2i+1]·inverse)
func (c *chooser) pack(packed []byte, v []float32, inverse float32) {
	v = v[:2*len(packed)]
	for i := range packed {
		pair := v[2*i:][:2]
		high, low := c.choose(float32(pair[0]*inverse)), c.choose(float32(pair[1]*inverse))
		packed[i] = byte(high<<4 | low&15)
	}
}

// unpack writes the products of elements [from, from+len(dst)) of a block.
func unpack[E float32 | uint16](dst []E, packed []byte, from int, products *[16]E) {
	if from%2 == 1 && len(dst) > 0 {
		dst[0] = products[packed[from/2]&15]
		dst, from = dst[1:], from+1
	}
	packed = packed[from/2:][:(len(dst)+1)/2]
	if len(dst)%2 == 1 {
		last := len(dst) - 1
		dst[last] = products[packed[last/2]>>4]
		dst, packed = dst[:last], packed[:last/2]
	}
	for i, b := range packed {
		pair := dst[2*i:][:2]
		pair[0], pair[1] = products[b>>4], products[b&15]
	}
}

func ceil(n, by int) int { return (n + by - 1) / by }
