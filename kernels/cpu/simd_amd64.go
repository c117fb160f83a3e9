//go:build !purego

package cpu

import "golang.org/x/sys/cpu"

// instructionSets lists those of the processor, the best first.
func instructionSets() []*simd {
	x := &cpu.X86
	if !(x.HasAVX2 && x.HasFMA && x.HasF16C) {
		return nil
	}
	sets := []*simd{&avx2}
	if !(x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL) {
		return sets
	}
	wide := avx512
	if x.HasAVX512VBMI {
		wide.dequantizeF32 = dequantizeF32512
	}
	sets = append([]*simd{&wide}, sets...)
	if !x.HasAVX512BF16 {
		return sets
	}
	bf16 := wide
	bf16.name, bf16.tileBF16, bf16.narrow = "avx512bf16", tileBF16512, narrow512
	bf16.interleaveBF16, bf16.interleaveNarrow, bf16.int8BF16 = interleaveBF16512, interleaveNarrow512, int8BF16512
	if x.HasAVX512VBMI {
		bf16.dequantizeBF16 = dequantizeBF16512
	}
	sets = append([]*simd{&bf16}, sets...)
	if !(x.HasAMXTile && x.HasAMXBF16 && allowAMX()) {
		return sets
	}
	amx := bf16
	amx.name, amx.amxBF16, amx.amxRows, amx.narrowTiles = "amx", amxBF16512, amxRows512, narrowTiles512
	if x.HasAVX512VBMI {
		amx.gemvBF16, amx.scales, amx.gemvTables, amx.gemvCodes = gemvBF16512, scales512, gemvTables512, gemvCodes512
	}
	return append([]*simd{&amx}, sets...)
}

var avx512 = simd{
	name: "avx512", tileF32: tileF32512, bandF32: bandF32512, alongF32: alongF32512, onePass: true, directF32: directF32512, transpose: transpose512, widenBF16: widenBF16512, widenF16: widenF16512, interleaveF32: interleaveF32512,
	int8F32: int8F32512, expSums: expSums512, silu: silu512, siluGrad: siluGrad512, largest: largest512, dot: dot512, dot3: dot3512, scale: scale512, axpy: axpy512,
	product: product512, addProduct: addProduct512, normGrad: normGrad512, rotate: rotate512, adamw: adamw512, peak: peak512,
}

var avx2 = simd{
	name: "avx2", tileF32: tileF32AVX2, directF32: directF32AVX2, transpose: transposeAVX2, widenBF16: widenBF16AVX2, widenF16: widenF16AVX2, interleaveF32: interleaveF32AVX2,
	dequantizeF32: dequantizeF32AVX2, int8F32: int8F32AVX2,
	expSums: expSumsAVX2, silu: siluAVX2, siluGrad: siluGradAVX2, largest: largestAVX2, dot: dotAVX2, dot3: dot3AVX2, scale: scaleAVX2, axpy: axpyAVX2,
	product: productAVX2, addProduct: addProductAVX2, normGrad: normGradAVX2, rotate: rotateAVX2, adamw: adamwAVX2, peak: peakAVX2,
}
