// Package float16 converts between float32 and the two 16-bit formats that
// checkpoints use: bfloat16 and IEEE 754 half precision. Conversions to 16 bits
// round to nearest, ties to even; a NaN stays a NaN.
package float16

import "math"

// FromBF16 returns the value of a bfloat16.
func FromBF16(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// ToBF16 rounds to bfloat16.
func ToBF16(x float32) uint16 {
	u := math.Float32bits(x)
	if u&0x7fffffff > 0x7f800000 {
		return uint16(u>>16) | 0x40 // keep a NaN whose payload is all in the lower half
	}
	return uint16((u + 0x7fff + u>>16&1) >> 16)
}

// FromHalf returns the value of a half.
func FromHalf(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exponent {
	case 0: // zero or subnormal: a multiple of 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*(1.0/(1<<24))))
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// ToHalf rounds to half precision.
func ToHalf(x float32) uint16 {
	u := math.Float32bits(x)
	sign, u := uint16(u>>16&0x8000), u&0x7fffffff
	switch {
	case u > 0x7f800000: // NaN
		return sign | 0x7e00 | uint16(u>>13&0x3ff)
	case u >= 0x477ff000: // rounds to 2^16 or more
		return sign | 0x7c00
	case u < 0x38800000: // below 2^-14: a multiple of 2^-24, rounded by adding 0.5
		sum := math.Float32frombits(u) + 0.5
		return sign | uint16(math.Float32bits(sum)-math.Float32bits(0.5))
	}
	return sign | uint16((u-112<<23+0xfff+u>>13&1)>>13)
}
