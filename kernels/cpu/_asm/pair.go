package main

// On cores with two units for 512-bit multiply-adds the loads of the tile of 16
// by 16, 17 for 16 multiply-adds, are the limit. A pair is 16 rows by the 32
// columns of two panels, in two passes of 8 rows: 10 loads for as many.

const pairRows = 8

// pair is tile for two panels of B.
func (g *gen) pair() {
	g.open(": tileF32 for two panels of B, width bytes apart.", "pairF32",
		"(units int, a, b unsafe.Pointer, width int, c *float32, ldc, m int, mask uint64, acc int, ahead uintptr, alpha float32)", 84)
	for _, a := range []struct{ arg, reg string }{
		{"a+8", "SI"}, {"b+16", "DI"}, {"width+24", "DX"}, {"c+32", "R10"}, {"ldc+40", "CX"}, {"m+48", "R11"}, {"mask+56", "R9"},
		{"acc+64", "R12"}, {"ahead+72", "R14"},
	} {
		g.p("MOVQ %s(FP), %s", a.arg, a.reg)
	}
	g.p("SHLQ $2, CX")
	g.p("KMOVW R9, K1")
	g.p("SHRQ $16, R9")
	g.p("KMOVW R9, K2")
	g.p("VBROADCASTSS alpha+80(FP), Z22")
	g.l("pass")
	g.p("MOVQ R10, R9")
	for i := range pairRows {
		g.p("PREFETCHT0 (R9)")
		g.p("PREFETCHT0 64(R9)")
		if i < pairRows-1 {
			g.p("ADDQ CX, R9")
		}
	}
	for i := range 2 * pairRows {
		g.p("VPXORQ Z%d, Z%d, Z%d", i, i, i)
	}
	g.pairUnits()
	g.pairStore()
	g.p("ADDQ $%d, SI", 4*pairRows)
	g.p("SUBQ $%d, R11", pairRows)
	g.p("JG pass")
	g.l("done")
	g.ret()
}

// pairUnits adds up the units of a pass, four at a time. One register counts for
// all panels, in quarters of a byte.
func (g *gen) pairUnits() {
	const unroll, unit = 4, panelBytes / 4
	step := func(k int) {
		g.p("VMOVUPS %d(DI)(BX*4), Z16", k*panelBytes)
		g.p("VMOVUPS %d(R13)(BX*4), Z17", k*panelBytes)
		for i := range pairRows {
			g.p("VBROADCASTSS %d(SI)(BX*4), Z%d", k*panelBytes+4*i, 18+i%4)
			g.p("VFMADD231PS Z16, Z%d, Z%d", 18+i%4, 2*i)
			g.p("VFMADD231PS Z17, Z%d, Z%d", 18+i%4, 2*i+1)
		}
	}
	g.p("LEAQ (DI)(DX*1), R13")
	g.p("XORQ BX, BX")
	g.p("MOVQ units+0(FP), AX")
	g.p("IMULQ $%d, AX", unit)
	g.p("SUBQ $%d, AX", unroll*unit)
	g.p("JLT rest")
	g.p("PCALIGN $64")
	g.l("loop")
	g.p("PREFETCHT1 (R14)(BX*1)")
	for k := range unroll {
		step(k)
	}
	g.p("ADDQ $%d, BX", unroll*unit)
	g.p("CMPQ BX, AX")
	g.p("JLE loop")
	g.l("rest")
	g.p("ADDQ $%d, AX", unroll*unit)
	g.p("CMPQ BX, AX")
	g.p("JGE store")
	g.l("single")
	step(0)
	g.p("ADDQ $%d, BX", unit)
	g.p("CMPQ BX, AX")
	g.p("JLT single")
	g.l("store")
}

// pairStore writes the sums of a pass, under the masks and as far as there are
// rows: C = alpha·sum, or C += alpha·sum.
func (g *gen) pairStore() {
	row := func(i int, acc bool) {
		if i > 0 {
			g.p("CMPQ R11, $%d", i)
			g.p("JLE done")
		}
		for half := range 2 {
			sum := 2*i + half
			if acc {
				g.p("VMOVUPS.Z %d(R10), K%d, Z%d", 64*half, half+1, 16+half)
				g.p("VFMADD231PS Z22, Z%d, Z%d", sum, 16+half)
				g.p("VMOVUPS Z%d, K%d, %d(R10)", 16+half, half+1, 64*half)
			} else {
				g.p("VMULPS Z22, Z%d, Z%d", sum, sum)
				g.p("VMOVUPS Z%d, K%d, %d(R10)", sum, half+1, 64*half)
			}
		}
		g.p("ADDQ CX, R10")
	}
	g.p("TESTQ R12, R12")
	g.p("JZ plain")
	for i := range pairRows {
		row(i, true)
	}
	g.p("JMP stored")
	g.l("plain")
	for i := range pairRows {
		row(i, false)
	}
	g.l("stored")
}
