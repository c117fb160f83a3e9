package main

// The products of arm64 work on the panels of 16 vectors of the others. The tile
// of 16 by 16 is computed in passes of 6, 5 and 5 rows, four registers a row;
// elements of A are lanes of a register.

// neonTile is tile for arm64.
func (g *gen) neonTile() {
	g.openFrame(tileDoc, "tileF32", tileSignature, panelBytes, tileBytes)
	g.arguments("m+40", "R4", "c+24", "R5", "ldc+32", "R6", "mask+48", "R7", "acc+56", "R8")
	g.p("LSL $2, R6")
	g.p("CLZ R7, R7") // to the number of columns
	g.p("MOVD $64, R9")
	g.p("SUB R7, R9, R7")
	g.broadcast(31, "alpha+72(FP)")
	for i, pass := range avx2Passes {
		if i > 0 {
			g.p("CMP $%d, R4", pass.first)
			g.p("BLE done")
		}
		g.neonPass(i, pass.first, pass.rows)
	}
	g.l("done")
	g.p("RET")
}

// neonPass computes some rows of the tile: sums in V0 up, B in V24 to V27, A in V28
// and V29.
func (g *gen) neonPass(pass, first, n int) {
	g.arguments("units+0", "R0", "a+8", "R1", "b+16", "R2")
	for r := range 4 * n {
		g.zeroV(r)
	}
	g.l(label("loop", pass))
	for i := range 4 {
		g.loadQ(24+i, "R2", neonVector*i)
	}
	word := first / neonLanes
	g.loadQ(28, "R1", neonVector*word)
	g.loadQ(29, "R1", neonVector*(word+1))
	for i := range n {
		row := first + i
		for j := range 4 {
			g.byElement(4*i+j, 24+j, 28+row/neonLanes-word, row%neonLanes)
		}
	}
	g.p("ADD $%d, R1", panelBytes)
	g.p("ADD $%d, R2", panelBytes)
	g.p("SUBS $1, R0")
	g.p("BNE %s", label("loop", pass))
	for i := range n {
		if first+i > 0 {
			g.p("CMP $%d, R4", first+i)
			g.p("BLE done")
		}
		g.neonStore(first+i, 4*i)
	}
}

// neonStore writes a row of sums: whole registers, or what there is of them by way
// of the stack. C = alpha·sum, or C += alpha·sum.
func (g *gen) neonStore(row, sum int) {
	name := func(s string) string { return label(s, row) }
	g.p("CMP $%d, R7", rows)
	g.p("BNE %s", name("some"))
	g.p("CBZ R8, %s", name("plain"))
	for j := range 4 {
		g.loadQ(24+j, "R5", neonVector*j)
		g.v3("FMLA", 24+j, sum+j, 31)
		g.storeQ(24+j, "R5", neonVector*j)
	}
	g.p("B %s", name("next"))
	g.l(name("plain"))
	for j := range 4 {
		g.v3("FMUL", 24+j, sum+j, 31)
		g.storeQ(24+j, "R5", neonVector*j)
	}
	g.p("B %s", name("next"))
	g.l(name("some"))
	g.p("MOVD $sums-%d(SP), R10", panelBytes)
	for j := range 4 {
		g.storeQ(sum+j, "R10", neonVector*j)
	}
	g.p("MOVD R5, R11")
	g.p("MOVD R7, R12")
	g.l(name("column"))
	g.p("FMOVS.P 4(R10), F24")
	g.p("FMULS F31, F24, F25")
	g.p("CBZ R8, %s", name("put"))
	g.p("FMOVS (R11), F25")
	g.p("FMADDS F31, F25, F24, F25")
	g.l(name("put"))
	g.p("FMOVS.P F25, 4(R11)")
	g.p("SUBS $1, R12")
	g.p("BNE %s", name("column"))
	g.l(name("next"))
	g.p("ADD R6, R5")
}

func (g *gen) neonPacks() {
	g.neonTranspose()
	g.neonWiden("widenBF16", "bfloat16", "SHLL16")
	g.neonWiden("widenF16", "half precision", "FCVTL")
	g.neonInterleave()
	g.neonInt8()
}

// neonTranspose turns squares of 4 by 4: four rows at R1, R5, R6 and R7, 16 units.
func (g *gen) neonTranspose() {
	g.fn(transposeDoc, "transpose", transposeSignature, 4)
	g.arguments("n+0", "R0", "src+8", "R1", "ld+16", "R2", "dst+24", "R3")
	g.l("block")
	g.p("MOVD R1, R4")
	g.p("MOVD R3, R8")
	g.p("MOVD $4, R9")
	g.l("rows")
	g.p("ADD R2, R4, R5")
	g.p("ADD R2, R5, R6")
	g.p("ADD R2, R6, R7")
	for c := range 4 {
		for i, base := range []string{"R4", "R5", "R6", "R7"} {
			g.loadQ(i, base, neonVector*c)
		}
		for i := range 2 {
			g.v3("ZIP1", 4+2*i, i, i+2)
			g.v3("ZIP2", 5+2*i, i, i+2)
		}
		for i := range 2 {
			g.v3("ZIP1", 8, 4+i, 6+i)
			g.v3("ZIP2", 9, 4+i, 6+i)
			g.storeQ(8, "R8", panelBytes*(4*c+2*i))
			g.storeQ(9, "R8", panelBytes*(4*c+2*i+1))
		}
	}
	g.p("ADD R2, R7, R4")
	g.p("ADD $%d, R8", neonVector)
	g.p("SUBS $1, R9")
	g.p("BNE rows")
	g.p("ADD $64, R1")
	g.p("ADD $1024, R3")
	g.p("SUBS $1, R0")
	g.p("BNE block")
	g.p("RET")
}

func (g *gen) neonWiden(name, from, op string) {
	g.fn(widenDoc(from), name, rowsSignature, 6)
	g.neonOverRows(func() {}, func() {
		for half := range 2 {
			g.loadQ(0, "R6", neonVector*half)
			g.v2(op, 1, 0)
			g.v2(op+"H", 2, 0)
			g.storeQ(1, "R7", 2*neonVector*half)
			g.storeQ(2, "R7", 2*neonVector*half+neonVector)
		}
		g.p("ADD $32, R6")
		g.p("ADD $64, R7")
	})
}

// neonOverRows is overRows for arm64: a block is at R6, its result at R7.
func (g *gen) neonOverRows(begin, body func()) {
	g.arguments("rows+0", "R0", "src+16", "R1", "ld+24", "R2", "dst+32", "R3", "dld+40", "R4")
	g.l("row")
	g.p("MOVD n+8(FP), R5")
	g.p("MOVD R1, R6")
	g.p("MOVD R3, R7")
	begin()
	g.l("loop")
	body()
	g.p("SUBS $1, R5")
	g.p("BNE loop")
	g.p("ADD R2, R1")
	g.p("ADD R4, R3")
	g.p("SUBS $1, R0")
	g.p("BNE row")
	g.p("RET")
}

func (g *gen) neonInterleave() {
	g.fn(interleaveDoc, "interleaveF32", interleaveSignature, 6)
	g.arguments("units+0", "R0", "src+16", "R1", "ld+24", "R2", "dst+32", "R3", "stride+40", "R4")
	g.l("row")
	g.p("MOVD groups+8(FP), R5")
	g.p("MOVD R1, R6")
	g.p("MOVD R3, R7")
	g.l("loop")
	for i := range 4 {
		g.loadQ(i, "R6", neonVector*i)
	}
	for i := range 4 {
		g.storeQ(i, "R7", neonVector*i)
	}
	g.p("ADD $64, R6")
	g.p("ADD R4, R7")
	g.p("SUBS $1, R5")
	g.p("BNE loop")
	g.p("ADD R2, R1")
	g.p("ADD $64, R3")
	g.p("SUBS $1, R0")
	g.p("BNE row")
	g.p("RET")
}
