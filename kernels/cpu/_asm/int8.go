package main

import "math"

// Codes of 8 bits become code·scale·(1/127), each product rounded, as package
// quant has it.

const int8Signature = "(rows, n int, src unsafe.Pointer, ld int, dst unsafe.Pointer, dld int, scales *float32)"

func int8Doc(block, to string) string {
	return ": turns rows of n blocks of " + block + " codes of 8 bits into " + to + " by a scale a row; ld and dld are bytes from row to row."
}

// inverse127 is 1/127, which float32 rounds.
var inverse127 = math.Float32bits(1. / 127)

// int8 does it for AVX-512: in Z30 is 1/127, in Z31 the scale.
func (g *gen) int8(bf16 bool) {
	if bf16 {
		g.fn(int8Doc("32", "bfloat16"), "int8BF16", int8Signature, 7)
	} else {
		g.fn(int8Doc("16", "float32"), "int8F32", int8Signature, 7)
	}
	g.p("MOVQ scales+48(FP), R10")
	g.p("MOVL $0x%08x, R11", inverse127)
	g.p("VPBROADCASTD R11, Z30")
	g.p("MOVQ ld+24(FP), CX")
	g.fetchRows("R12")
	values := func(offset, z int) {
		g.p("VPMOVSXBD %d(R8), Z%d", offset, z)
		g.p("VCVTDQ2PS Z%d, Z%[1]d", z)
		g.p("VMULPS Z31, Z%d, Z%[1]d", z)
		g.p("VMULPS Z30, Z%d, Z%[1]d", z)
	}
	g.overRows(func() {
		g.p("VBROADCASTSS (R10), Z31")
		g.p("ADDQ $4, R10")
	}, func() {
		g.p("PREFETCHT0 (R8)(R12*1)")
		values(0, 0)
		if bf16 {
			values(16, 1)
			g.raw("VCVTNE2PS2BF16", vcvtne2ps2bf16, 2, 0, 1, 0, nil, false)
			g.p("ADDQ $16, R8")
		}
		g.p("VMOVUPS Z0, (R9)")
		g.p("ADDQ $16, R8")
		g.p("ADDQ $64, R9")
	})
}

// avx2Int8 is int8 for AVX2: in Y14 is 1/127, in Y15 the scale.
func (g *gen) avx2Int8() {
	g.fn(int8Doc("16", "float32"), "int8F32", int8Signature, 7)
	g.p("MOVQ scales+48(FP), R10")
	g.p("MOVL $0x%08x, R11", inverse127)
	g.p("VMOVD R11, X14")
	g.p("VPBROADCASTD X14, Y14")
	g.overRows(func() {
		g.p("VBROADCASTSS (R10), Y15")
		g.p("ADDQ $4, R10")
	}, func() {
		for half := range 2 {
			g.p("VPMOVSXBD %d(R8), Y%d", 8*half, half)
			g.p("VCVTDQ2PS Y%d, Y%[1]d", half)
			g.p("VMULPS Y15, Y%d, Y%[1]d", half)
			g.p("VMULPS Y14, Y%d, Y%[1]d", half)
			g.p("VMOVUPS Y%d, %d(R9)", half, 32*half)
		}
		g.p("ADDQ $16, R8")
		g.p("ADDQ $64, R9")
	})
}

// neonInt8 is int8 for arm64: in V6 is 1/127, in V7 the scale.
func (g *gen) neonInt8() {
	g.fn(int8Doc("16", "float32"), "int8F32", int8Signature, 7)
	g.p("MOVD scales+48(FP), R8")
	g.p("MOVW $0x%08x, R9", inverse127)
	g.p("FMOVS R9, F6")
	g.v2("DUP0", 6, 6)
	g.neonOverRows(func() {
		g.broadcast(7, "(R8)")
		g.p("ADD $4, R8")
	}, func() {
		g.loadQ(4, "R6", 0)
		for i, op := range []string{"SXTB", "SXTBH"} {
			g.v2(op, 5, 4)
			g.v2("SXTH", 2*i, 5)
			g.v2("SXTHH", 2*i+1, 5)
		}
		for i := range 4 {
			g.v2("SCVTF", i, i)
			g.v3("FMUL", i, i, 7)
			g.v3("FMUL", i, i, 6)
			g.storeQ(i, "R7", neonVector*i)
		}
		g.p("ADD $16, R6")
		g.p("ADD $64, R7")
	})
}
