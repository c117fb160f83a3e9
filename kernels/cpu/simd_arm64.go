//go:build !purego

package cpu

// instructionSets lists the one that every arm64 processor has.
func instructionSets() []*simd { return []*simd{&neon} }

var neon = simd{
	name: "neon", tileF32: tileF32NEON, transpose: transposeNEON, widenBF16: widenBF16NEON, widenF16: widenF16NEON, interleaveF32: interleaveF32NEON, int8F32: int8F32NEON,
	expSums: expSumsNEON, silu: siluNEON, siluGrad: siluGradNEON, largest: largestNEON, dot: dotNEON, dot3: dot3NEON, scale: scaleNEON, axpy: axpyNEON,
	product: productNEON, addProduct: addProductNEON, normGrad: normGradNEON, rotate: rotateNEON, adamw: adamwNEON, peak: peakNEON,
}
