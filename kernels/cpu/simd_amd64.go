//go:build !purego

package cpu

import "golang.org/x/sys/cpu"

// instructionSets lists those of the processor, the best first.
func instructionSets() (sets []*simd) {
	x := &cpu.X86
	if !(x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasFMA) {
		return nil
	}
	if x.HasAVX512VBMI {
		avx512.dequantizeF32 = dequantizeF32512
	}
	if x.HasAVX512BF16 {
		bf16 := avx512
		if x.HasAVX512VBMI {
			bf16.dequantizeBF16 = dequantizeBF16512
		}
		bf16.name, bf16.tileBF16, bf16.narrow, bf16.interleaveBF16 = "avx512bf16", tileBF16512, narrow512, interleaveBF16512
		if x.HasAMXTile && x.HasAMXBF16 && allowAMX() {
			amx := bf16
			amx.name, amx.amxBF16, amx.amxRows, amx.narrowTiles = "amx", amxBF16512, amxRows512, narrowTiles512
			sets = append(sets, &amx)
		}
		sets = append(sets, &bf16)
	}
	return append(sets, &avx512)
}

var avx512 = simd{
	name: "avx512", tileF32: tileF32512, transpose: transpose512, widenBF16: widenBF16512, widenF16: widenF16512, interleaveF32: interleaveF32512,
	expSums: expSums512, silu: silu512, siluGrad: siluGrad512, largest: largest512, dot: dot512, dot3: dot3512, scale: scale512, axpy: axpy512,
	product: product512, addProduct: addProduct512, normGrad: normGrad512, rotate: rotate512, adamw: adamw512,
}
