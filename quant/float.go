package quant

import "math"

// fromHalf moves exponent and fraction into place and scales by the difference of
// the exponents' biases, which is right for subnormals too.
func fromHalf(h uint16) float32 {
	sign, rest := uint32(h>>15)<<31, uint32(h&0x7fff)
	if rest >= 0x7c00 { // infinity or NaN
		return math.Float32frombits(sign | 0x7f800000 | rest<<13)
	}
	return math.Float32frombits(sign | math.Float32bits(math.Float32frombits(rest<<13)*0x1p112))
}

// toBFloat16 rounds to nearest, ties to even. x is no NaN.
func toBFloat16(x float32) uint16 {
	u := math.Float32bits(x)
	return uint16((u + 0x7fff + u>>16&1) >> 16)
}

// magnitude returns the bits of the largest |x|. Those of a NaN exceed those of
// an infinity, which exceed all others.
func magnitude(x []float32) uint32 {
	var a, b, c, d uint32 // four chains, for each waits on itself
	for ; len(x) >= 4; x = x[4:] {
		v := (*[4]float32)(x)
		a = max(a, math.Float32bits(v[0])&0x7fffffff)
		b = max(b, math.Float32bits(v[1])&0x7fffffff)
		c = max(c, math.Float32bits(v[2])&0x7fffffff)
		d = max(d, math.Float32bits(v[3])&0x7fffffff)
	}
	for _, v := range x {
		a = max(a, math.Float32bits(v)&0x7fffffff)
	}
	return max(a, b, c, d)
}

// infinite is the smallest magnitude that is no number.
const infinite = 0x7f800000

func finite(v float32) bool { return math.Float32bits(v)&0x7fffffff < infinite }
