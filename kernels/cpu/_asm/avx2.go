package main

// The products of AVX2 work on the same panels of 16 vectors as those of AVX-512.
// The tile of 16 by 16 is computed in passes of 6, 5 and 5 rows, two registers
// a row: more than 8 accumulators hide the multiply-add's latency, and a pass
// needs a load of B for every few of them. So that all passes find what they
// read in the first level, they take turns over a chunk of the units; between
// chunks the sums lie on the stack.

var avx2Passes = []struct{ first, rows int }{{0, 6}, {6, 5}, {11, 5}}

const (
	avx2Chunk = 128 // units
	avx2Frame = rows * panelBytes
)

const panelBytes = 64 // of a unit

// avx2Tile is tile for AVX2.
func (g *gen) avx2Tile() {
	g.table("bits", []uint32{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768})
	g.openFrame(tileDoc, "tileF32", tileSignature, avx2Frame, tileBytes)
	g.p("MOVQ units+0(FP), AX")
	g.p("MOVQ a+8(FP), SI")
	g.p("MOVQ b+16(FP), DI")
	g.p("MOVQ m+40(FP), R11")
	g.p("MOVQ ahead+64(FP), R14")
	g.p("XORQ R12, R12") // a chunk has been summed
	g.l("chunk")
	g.p("MOVQ $%d, BX", avx2Chunk)
	g.p("CMPQ AX, BX")
	g.p("CMOVQLT AX, BX")
	g.p("SUBQ BX, AX")
	for i, pass := range avx2Passes {
		if i > 0 {
			g.p("CMPQ R11, $%d", pass.first)
			g.p("JLE next")
		}
		g.avx2Pass(i, pass.first, pass.rows)
	}
	g.l("next")
	g.p("MOVQ R8, SI") // after the chunk
	g.p("MOVQ R9, DI")
	g.p("MOVQ $1, R12")
	g.p("TESTQ AX, AX")
	g.p("JNZ chunk")
	g.avx2Store(24, 72)
}

// avx2Pass adds BX units to the sums of some rows.
func (g *gen) avx2Pass(pass, first, n int) {
	const unroll = 4
	label := func(name string) string { return name + string(rune('0'+pass)) }
	each := func(do func(register, offset int)) {
		for i := range n {
			do(2*i, (first+i)*panelBytes)
			do(2*i+1, (first+i)*panelBytes+32)
		}
	}
	step := func(k int) {
		g.p("VMOVUPS %d(R9), Y12", k*panelBytes)
		g.p("VMOVUPS %d(R9), Y13", k*panelBytes+32)
		for i := range n {
			g.p("VBROADCASTSS %d(R8), Y%d", k*panelBytes+(first+i)*4, 14+i&1)
			g.p("VFMADD231PS Y12, Y%d, Y%d", 14+i&1, 2*i)
			g.p("VFMADD231PS Y13, Y%d, Y%d", 14+i&1, 2*i+1)
		}
	}
	g.p("MOVQ SI, R8")
	g.p("MOVQ DI, R9")
	g.p("MOVQ BX, CX")
	g.p("TESTQ R12, R12")
	g.p("JZ %s", label("zero"))
	each(func(r, offset int) { g.p("VMOVUPS %d(SP), Y%d", offset, r) })
	g.p("JMP %s", label("start"))
	g.l(label("zero"))
	each(func(r, _ int) { g.p("VXORPS Y%d, Y%[1]d, Y%[1]d", r) })
	g.l(label("start"))
	g.p("SUBQ $%d, CX", unroll)
	g.p("JLT %s", label("rest"))
	g.p("PCALIGN $32")
	g.l(label("loop"))
	if pass == 0 {
		g.p("PREFETCHT1 (R14)")
		g.p("ADDQ $64, R14")
	}
	for k := range unroll {
		step(k)
	}
	g.p("ADDQ $%d, R8", unroll*panelBytes)
	g.p("ADDQ $%d, R9", unroll*panelBytes)
	g.p("SUBQ $%d, CX", unroll)
	g.p("JGE %s", label("loop"))
	g.l(label("rest"))
	g.p("ADDQ $%d, CX", unroll)
	g.p("JZ %s", label("sums"))
	g.l(label("single"))
	step(0)
	g.p("ADDQ $%d, R8", panelBytes)
	g.p("ADDQ $%d, R9", panelBytes)
	g.p("DECQ CX")
	g.p("JNZ %s", label("single"))
	g.l(label("sums"))
	each(func(r, offset int) { g.p("VMOVUPS Y%d, %d(SP)", r, offset) })
}

// avx2Store writes the sums, as far as there are rows: C = alpha·sum + C, where
// without acc no element of C is loaded. R11 is how many rows there are, c and alpha
// are where these arguments are; others follow c.
func (g *gen) avx2Store(c, alpha int) {
	g.p("MOVQ c+%d(FP), R10", c)
	g.p("MOVQ ldc+%d(FP), CX", c+8)
	g.p("SHLQ $2, CX")
	g.p("MOVQ SP, R8")
	g.avx2Masks(c+24, 4)
	g.p("MOVQ acc+%d(FP), BX", c+32)
	g.p("NEGQ BX")
	g.p("VMOVD BX, X0")
	g.p("VPBROADCASTD X0, Y0")
	for half := range 2 {
		g.p("VPAND Y0, Y%d, Y%d", 4+half, 6+half)
	}
	g.p("VBROADCASTSS alpha+%d(FP), Y0", alpha)
	sum := func(half int) {
		g.p("VMASKMOVPS %d(R10), Y%d, Y%d", 32*half, 6+half, 2+half)
		g.p("VFMADD231PS %d(R8), Y0, Y%d", 32*half, 2+half)
	}
	next := func(label string) {
		g.p("ADDQ CX, R10")
		g.p("ADDQ $%d, R8", panelBytes)
		g.p("DECQ R11")
		g.p("JNZ %s", label)
	}
	g.p("CMPQ DX, $0xFFFF")
	g.p("JNE some")
	g.l("all")
	for half := range 2 {
		sum(half)
		g.p("VMOVUPS Y%d, %d(R10)", 2+half, 32*half)
	}
	next("all")
	g.ret()
	g.l("some")
	for half := range 2 {
		sum(half)
		g.p("VMASKMOVPS Y%d, Y%d, %d(R10)", 2+half, 4+half, 32*half)
	}
	next("some")
	g.ret()
}

// avx2Masks turns the argument mask, which goes to DX, into two registers from y on.
func (g *gen) avx2Masks(mask, y int) {
	g.p("MOVQ mask+%d(FP), DX", mask)
	g.p("VMOVD DX, X0")
	g.p("VPBROADCASTD X0, Y0")
	for half := range 2 {
		g.p("VMOVDQU bits%s<>+%d(SB), Y1", g.suffix, 32*half)
		g.p("VPAND Y1, Y0, Y2")
		g.p("VPCMPEQD Y1, Y2, Y%d", y+half)
	}
}

// avx2Packs writes what packs.go's packs does, for float32.
func (g *gen) avx2Packs() {
	g.avx2Transpose()
	g.avx2Widen("widenBF16", "bfloat16", func(half int) {
		g.p("VPMOVZXWD %d(R8), Y%d", 16*half, half)
		g.p("VPSLLD $16, Y%d, Y%[1]d", half)
	})
	g.avx2Widen("widenF16", "half precision", func(half int) { g.p("VCVTPH2PS %d(R8), Y%d", 16*half, half) })
	g.avx2Interleave()
	g.avx2Dequantize()
	g.avx2Int8()
}

// avx2Transpose reads 8 rows of 4 units with two 128-bit loads a register.
func (g *gen) avx2Transpose() {
	bases, offsets := g.openTranspose()
	g.p("PCALIGN $32")
	g.l("loop")
	for c := range 4 {
		for half := range 2 {
			for r := range 4 {
				g.p("VMOVUPS %d(%s)%s, X%d", 16*c, bases[2*half], offsets[r], r)
				g.p("VINSERTF128 $1, %d(%s)%s, Y%d, Y%[4]d", 16*c, bases[2*half+1], offsets[r], r)
			}
			for _, u := range unpacks {
				g.p("%s Y%d, Y%d, Y%d", u.op, u.b, u.a, u.result)
			}
			for i := range 4 {
				g.p("VMOVUPS Y%d, %d(DI)", 8+i, panelBytes*(4*c+i)+32*half)
			}
		}
	}
	for _, b := range bases {
		g.p("ADDQ $64, %s", b)
	}
	g.p("ADDQ $1024, DI")
	g.p("DECQ AX")
	g.p("JNZ loop")
	g.ret()
}

func (g *gen) avx2Widen(name, from string, load func(half int)) {
	g.fn(widenDoc(from), name, rowsSignature, 6)
	g.overRows(func() {}, func() {
		for half := range 2 {
			load(half)
			g.p("VMOVUPS Y%d, %d(R9)", half, 32*half)
		}
		g.p("ADDQ $32, R8")
		g.p("ADDQ $64, R9")
	})
}

func (g *gen) avx2Interleave() {
	g.fn(interleaveDoc, "interleaveF32", interleaveSignature, 6)
	g.p("MOVQ units+0(FP), BX")
	g.p("MOVQ src+16(FP), SI")
	g.p("MOVQ ld+24(FP), CX")
	g.p("MOVQ dst+32(FP), DI")
	g.p("MOVQ stride+40(FP), DX")
	g.l("row")
	g.p("MOVQ groups+8(FP), AX")
	g.p("MOVQ SI, R8")
	g.p("MOVQ DI, R9")
	g.p("LEAQ (SI)(CX*8), R12")
	g.l("loop")
	g.p("PREFETCHT0 (R12)")
	g.p("VMOVUPS (R8), Y0")
	g.p("VMOVUPS 32(R8), Y1")
	g.p("VMOVUPS Y0, (R9)")
	g.p("VMOVUPS Y1, 32(R9)")
	g.p("ADDQ $64, R8")
	g.p("ADDQ $64, R12")
	g.p("ADDQ DX, R9")
	g.p("DECQ AX")
	g.p("JNZ loop")
	g.p("ADDQ CX, SI")
	g.p("ADDQ $64, DI")
	g.p("DECQ BX")
	g.p("JNZ row")
	g.ret()
}

// avx2Dequantize does eight codes at once: shifted so that each lane begins with
// its own, whose low three bits choose from either half of the table and whose
// fourth chooses the half.
func (g *gen) avx2Dequantize() {
	g.table("shifts", []uint32{4, 0, 12, 8, 20, 16, 28, 24})
	g.openDequantize("dequantizeF32", "float32")
	g.p("VMOVUPS (R13), Y14")
	g.p("VMOVUPS 32(R13), Y15")
	g.p("VMOVDQU shifts%s<>(SB), Y13", g.suffix)
	g.overCodes(func() {
		g.p("VBROADCASTSS (R12), Y0")
		g.p("VMULPS Y14, Y0, Y1")
		g.p("VMULPS Y15, Y0, Y2")
		for i := range 8 {
			g.p("VPBROADCASTD %d(R8), Y3", 4*i)
			g.p("VPSRLVD Y13, Y3, Y3")
			g.p("VPERMPS Y1, Y3, Y4")
			g.p("VPERMPS Y2, Y3, Y5")
			g.p("VPSLLD $28, Y3, Y3")
			g.p("VBLENDVPS Y3, Y5, Y4, Y4")
			g.p("VMOVUPS Y4, %d(R9)", 32*i)
		}
		g.p("ADDQ $256, R9")
	})
}
