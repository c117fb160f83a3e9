package main

// The micro-kernel multiplies two panels of 16 rows, packed so that unit k of
// all 16 rows lies together: a unit is 32 bits, one float32 or two bfloat16.
// Sixteen accumulators of 16 columns each; the broadcast of A is folded into the
// multiply-add.

const rows = 16

const (
	tileDoc = ": C[r,c] (+)= alpha·Σ A[k,r]·B[k,c] over units units of two packed panels, for m rows and the\n" +
		"// columns of mask. ahead is prefetched from; it need not be mapped."
	tileSignature = "(units int, a, b unsafe.Pointer, c *float32, ldc, m int, mask uint64, acc int, ahead uintptr, alpha float32)"
	tileBytes     = 76
)

// tile: C[r, c] (+)= alpha · Σ_k A[k, r]·B[k, c] for r < m and the columns c of mask. ahead is
// where to prefetch from into the second level, a line every four units; it need not be mapped.
func (g *gen) tile(bf16 bool) {
	name := "tileF32"
	if bf16 {
		name = "tileBF16"
	}
	g.open(tileDoc, name, tileSignature, tileBytes)
	for _, a := range []struct{ arg, reg string }{
		{"units+0", "AX"}, {"a+8", "R15"}, {"b+16", "R8"}, {"c+24", "R10"}, {"ldc+32", "CX"}, {"m+40", "R11"}, {"mask+48", "R9"},
		{"acc+56", "R12"}, {"ahead+64", "R14"},
	} {
		g.p("MOVQ %s(FP), %s", a.arg, a.reg)
	}
	g.p("SHLQ $2, CX")
	g.p("KMOVW R9, K1")
	for i := range rows {
		g.p("VPXORQ Z%d, Z%d, Z%d", i, i, i)
	}
	g.prefetchC()
	g.multiply(bf16)
	g.p("VBROADCASTSS alpha+72(FP), Z17")
	for i := range rows {
		g.p("VMULPS Z17, Z%d, Z%d", i, i)
	}
	g.store()
}

func (g *gen) prefetchC() {
	g.p("MOVQ R10, R9")
	for i := range rows {
		g.p("PREFETCHT0 (R9)")
		if i < rows-1 {
			g.p("ADDQ CX, R9")
		}
	}
}

// multiply runs over the units, four at a time.
func (g *gen) multiply(bf16 bool) {
	const unroll = 4
	step := func(k int) {
		g.p("VMOVUPS %d(R8), Z16", k*64)
		for i := range rows {
			d := (k*rows + i) * 4
			if bf16 {
				g.raw("VDPBF16PS", vdpbf16ps, 2, i, 16, 0, &mem{base: gpNum["R15"], index: -1, disp: d}, true)
			} else {
				g.p("VFMADD231PS.BCST %d(R15), Z16, Z%d", d, i)
			}
		}
	}
	g.p("SUBQ $%d, AX", unroll)
	g.p("JLT rest")
	g.p("PCALIGN $64")
	g.l("loop")
	g.p("PREFETCHT1 (R14)")
	g.p("ADDQ $64, R14")
	for k := range unroll {
		step(k)
	}
	g.p("ADDQ $%d, R15", unroll*64)
	g.p("ADDQ $%d, R8", unroll*64)
	g.p("SUBQ $%d, AX", unroll)
	g.p("JGE loop")
	g.l("rest")
	g.p("ADDQ $%d, AX", unroll)
	g.p("JZ store")
	g.l("single")
	step(0)
	g.p("ADDQ $64, R15")
	g.p("ADDQ $64, R8")
	g.p("DECQ AX")
	g.p("JNZ single")
	g.l("store")
}

// store writes the accumulators, under the mask and as far as there are rows.
func (g *gen) store() {
	g.p("TESTQ R12, R12")
	g.p("JZ plain")
	for i := range rows {
		g.lastRow(i)
		g.p("VMOVUPS.Z (R10), K1, Z16")
		g.p("VADDPS Z16, Z%d, Z%d", i, i)
		g.p("VMOVUPS Z%d, K1, (R10)", i)
		g.p("ADDQ CX, R10")
	}
	g.p("JMP done")
	g.l("plain")
	for i := range rows {
		g.lastRow(i)
		g.p("VMOVUPS Z%d, K1, (R10)", i)
		g.p("ADDQ CX, R10")
	}
	g.l("done")
	g.ret()
}

func (g *gen) lastRow(i int) {
	if i > 0 {
		g.p("CMPQ R11, $%d", i)
		g.p("JLE done")
	}
}
