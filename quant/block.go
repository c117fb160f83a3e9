package quant

import (
	"errors"
	"fmt"
	"math"
)

const (
	minBlock = 32
	maxBlock = 4096
	// smallest stands in for scales too small to be inverted.
	smallest = 1e-38
)

func validBlock(size int) bool {
	return size >= minBlock && size <= maxBlock && size&(size-1) == 0
}

// errNotFinite says why a block or a row cannot be quantised.
var errNotFinite = errors.New("a NaN or an infinity among them; a weight must be finite to be quantised")

// encode writes the codes of x, two a byte, and the scale of each block.
func encode(packed []byte, scales []float32, x Source, t Type, block, workers int) error {
	n, c := x.Len(), choosers[t]()
	return parallel(ceil(n, stretch), workers, func(i int) error {
		var buf [maxBlock]float32
		for from := i * stretch; from < min(n, (i+1)*stretch); from += block {
			v := x.read(buf[:min(block, n-from)], from)
			top := magnitude(v)
			if top >= infinite {
				return fmt.Errorf("quant: elements %d to %d: %w", from, from+len(v)-1, errNotFinite)
			}
			scale := math.Float32frombits(top)
			inverse := 1 / max(scale, smallest)
			if len(v) < block {
				scale = max(scale, smallest)
				v, inverse = divide(buf[:], v, scale), 1
			}
			c.pack(packed[from/2:][:len(v)/2], v, inverse)
			scales[from/block] = scale
		}
		return nil
	})
}

// divide returns v/scale in buf, where v may lie. A zero makes the length even:
// the half byte that an odd length leaves over holds the code of zero.
func divide(buf, v []float32, scale float32) []float32 {
	buf = buf[:len(v)]
	for i, x := range v {
		buf[i] = x / scale
	}
	if len(v)%2 == 1 {
		buf = append(buf, 0)
	}
	return buf
}

// pack is
//
//	packed[i] = code(v[2i]·inverse)<<4 | code(v[2i+1]·inverse)
func (c *chooser) pack(packed []byte, v []float32, inverse float32) {
	for ; len(packed) >= 4; packed, v = packed[4:], v[8:] {
		p, v := (*[4]byte)(packed), (*[8]float32)(v)
		p[0] = c.choose(float32(v[0]*inverse))<<4 | c.choose(float32(v[1]*inverse))
		p[1] = c.choose(float32(v[2]*inverse))<<4 | c.choose(float32(v[3]*inverse))
		p[2] = c.choose(float32(v[4]*inverse))<<4 | c.choose(float32(v[5]*inverse))
		p[3] = c.choose(float32(v[6]*inverse))<<4 | c.choose(float32(v[7]*inverse))
	}
	for i := range packed {
		packed[i] = c.choose(float32(v[2*i]*inverse))<<4 | c.choose(float32(v[2*i+1]*inverse))
	}
}

// unpack writes the products of elements [from, from+len(dst)) of a block.
func unpack[E float32 | uint16](dst []E, packed []byte, from int, products *[16]E) {
	packed = packed[from/2:]
	if from%2 == 1 && len(dst) > 0 {
		dst[0] = products[packed[0]&15]
		dst, packed = dst[1:], packed[1:]
	}
	for ; len(dst) >= 8; dst, packed = dst[8:], packed[4:] {
		d, p := (*[8]E)(dst), (*[4]byte)(packed)
		d[0], d[1] = products[p[0]>>4], products[p[0]&15]
		d[2], d[3] = products[p[1]>>4], products[p[1]&15]
		d[4], d[5] = products[p[2]>>4], products[p[2]&15]
		d[6], d[7] = products[p[3]>>4], products[p[3]&15]
	}
	for i := range dst {
		dst[i] = products[packed[i/2]>>(4*(1-i%2))&15]
	}
}
