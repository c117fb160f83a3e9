package main

// The product of a vector with rows of 4-bit codes, 4 rows at a time. A quarter of a
// register is a row; its lanes are the four sums that the matrix unit forms of 64
// elements: of the first 32 those with even and with odd indices, and the same of the
// others. Codes are looked up, in two halves, in the products of table and scale: a
// register has a byte of the 16 products of 4 rows.

// rowBits are where a row's products begin in such a register; they are two bytes
// apart.
var rowBits = []uint32{0, 32, 1, 33}

// everyByte is a word of four equal bytes.
const everyByte = 0x01010101

// gemvTables writes what makes those registers.
func (g *gen) gemvTables() {
	g.fn(": multiplies a table by the scales of blocks of 4 rows, lds bytes from row to row, and rounds to\n"+
		"// bfloat16. A block takes 128 bytes of dst: what gemvCodes looks up.",
		"gemvTables", "(blocks int, scales *float32, lds int, table *[16]float32, dst unsafe.Pointer)", 5)
	for _, a := range []struct{ arg, reg string }{{"blocks+0", "AX"}, {"scales+8", "SI"}, {"lds+16", "CX"}, {"table+24", "R9"}, {"dst+32", "DI"}} {
		g.p("MOVQ %s(FP), %s", a.arg, a.reg)
	}
	offsets := g.fourRows()
	g.p("VMOVUPS (R9), Z31")
	g.p("VPTERNLOGD $0xFF, Z30, Z30, Z30")
	g.p("VPSRLW $8, Z30, Z29")
	g.p("VPSLLW $8, Z30, Z30")
	g.l("loop")
	for r, o := range offsets {
		g.p("VMULPS.BCST (SI)%s, Z31, Z%d", o, r)
	}
	g.raw("VCVTNE2PS2BF16", vcvtne2ps2bf16, 2, 4, 1, 0, nil, false)
	g.raw("VCVTNE2PS2BF16", vcvtne2ps2bf16, 2, 5, 3, 2, nil, false)
	g.p("VPSRLW $8, Z4, Z6")
	g.p("VPSLLW $8, Z5, Z7")
	g.p("VPTERNLOGD $0xEA, Z7, Z29, Z4") // Z4&Z29 | Z7
	g.p("VPTERNLOGD $0xEA, Z6, Z30, Z5")
	g.p("VMOVUPS Z4, (DI)")
	g.p("VMOVUPS Z5, 64(DI)")
	g.p("ADDQ $4, SI")
	g.p("ADDQ $128, DI")
	g.p("DECQ AX")
	g.p("JNZ loop")
	g.ret()
}

// nibbles is, for a quadword of 4 bytes of each half of a block, the bits at which
// twice the codes of the bytes first and first+1 begin: by lane, and in it by byte.
func nibbles(first int) (words []uint32) {
	for range 8 {
		for half := range 2 {
			var word uint32
			for i := range 4 {
				parity, at := i/2, first+i%2
				word |= uint32(32*half+8*at+4*(1-parity)-1) & 63 << (8 * i)
			}
			words = append(words, word)
		}
	}
	return words
}

// codesConstants writes the tables of gemvCodes.
func (g *gen) codesConstants() {
	var positions []uint32
	for _, bits := range rowBits {
		for range 4 {
			positions = append(positions, bits*everyByte)
		}
	}
	g.table("rowBits", positions)
	g.table("nibbles0", nibbles(0))
	g.table("nibbles2", nibbles(2))
}

// gemvCodes writes the product; Z26 is the result, in the first lane of a quarter.
func (g *gen) gemvCodes() {
	g.codesConstants()
	g.openFrame(": gemvBF16 for groups of 4 rows of blocks of 64 codes, with tables by gemvTables. The elements of a of a\n"+
		"// block are in the order 0, 1, 32, 33, 2, 3, 34, 35 and so on.",
		"gemvCodes", "(groups, blocks int, a *float32, b unsafe.Pointer, ld int, c *float32, mask uint64, acc int, tables unsafe.Pointer)", 8, 72)
	for _, a := range []struct{ arg, reg string }{{"groups+0", "DX"}, {"b+24", "SI"}, {"ld+32", "CX"}, {"c+40", "R9"}, {"mask+48", "BX"}, {"tables+64", "R13"}} {
		g.p("MOVQ %s(FP), %s", a.arg, a.reg)
	}
	g.setFlushing()
	for i, table := range []string{"rowBits", "nibbles0", "nibbles2"} {
		g.p("VMOVUPS %s%s<>(SB), Z%d", table, g.suffix, 31-i)
	}
	g.p("MOVL $0x%08x, AX", 0x1E*everyByte) // twice a code
	g.p("VPBROADCASTD AX, Z28")
	g.p("VPTERNLOGD $0xFF, Z27, Z27, Z27")
	g.p("VPSLLD $16, Z27, Z27")
	g.p("MOVL $0x1111, AX") // the first lanes
	g.p("KMOVW AX, K2")
	offsets := g.fourRows()
	g.fetchRows("R14")
	g.l("group")
	g.p("KMOVW BX, K1")
	g.p("VPXORQ Z26, Z26, Z26")
	g.p("CMPQ acc+56(FP), $0")
	g.p("JEQ start")
	g.p("VMOVUPS.Z (R9), K1, X26")
	g.p("VEXPANDPS.Z Z26, K2, Z26")
	g.l("start")
	g.p("MOVQ a+16(FP), DI")
	g.p("MOVQ blocks+8(FP), AX")
	g.p("LEAQ (SI)(R14*1), R10")
	g.p("PCALIGN $64")
	g.l("loop")
	g.codesBlock(offsets)
	g.p("DECQ AX")
	g.p("JNZ loop")
	g.p("VCOMPRESSPS.Z Z26, K2, Z26")
	g.p("VMOVUPS X26, K1, (R9)")
	g.p("ADDQ R8, SI") // it is at the second row
	g.p("ADDQ $16, R9")
	g.p("SHRQ $4, BX")
	g.p("DECQ DX")
	g.p("JNZ group")
	g.p("LDMXCSR old-8(SP)")
	g.ret()
}

// codesBlock adds up a block of 4 rows: Z2 and Z3 are 8 bytes of each row's halves,
// of which each pair of bytes gives a register of bfloat16 for two elements a lane,
// and these go to Z16 in the order of their indices.
func (g *gen) codesBlock(offsets []string) {
	for r, o := range offsets {
		g.p("PREFETCHT0 (R10)%s", o)
		for half := range 2 {
			if r == 0 {
				g.p("VMOVUPS %d(SI), X%d", 16*half, half)
				continue
			}
			g.p("VINSERTI32X4 $%d, %d(SI)%s, Z%d, Z%d", r, 16*half, o, half, half)
		}
	}
	g.p("VPUNPCKLDQ Z1, Z0, Z2")
	g.p("VPUNPCKHDQ Z1, Z0, Z3")
	g.p("VMOVUPS (R13), Z24")
	g.p("VMOVUPS 64(R13), Z25")
	g.p("VPXORQ Z16, Z16, Z16")
	for part := range 2 {
		for i := range 2 {
			g.p("VPMULTISHIFTQB Z%d, Z%d, Z%d", 2+part, 30-i, 4+i)
			g.p("VPTERNLOGD $0xEA, Z31, Z28, Z%d", 4+i)
			g.p("VPERMB Z24, Z%d, Z%d", 4+i, 6+i)
			g.p("VPERMB Z25, Z%d, Z%d", 4+i, 8+i)
			g.p("VPUNPCKLBW Z%d, Z%d, Z%d", 8+i, 6+i, 10+i)
			g.p("VPUNPCKHBW Z%d, Z%d, Z%d", 8+i, 6+i, 12+i)
		}
		for i := range 4 {
			at := 32 * (4*part + i)
			g.p("VPSLLD $16, Z%d, Z17", 10+i)
			g.p("VPANDD Z27, Z%d, Z18", 10+i)
			g.p("VBROADCASTF32X4 %d(DI), Z19", at)
			g.p("VBROADCASTF32X4 %d(DI), Z20", at+16)
			g.p("VFMADD231PS Z19, Z17, Z16")
			g.p("VFMADD231PS Z20, Z18, Z16")
		}
	}
	g.p("VPERMILPS $0xB1, Z16, Z17")
	g.p("VADDPS Z17, Z16, Z16") // even and odd
	g.p("VPERMILPS $0xEE, Z16, Z17")
	g.p("VADDPS Z16, Z26, Z26")
	g.p("VADDPS Z17, Z26, Z26")
	for _, a := range []struct {
		register string
		by       int
	}{{"SI", 32}, {"R10", 32}, {"DI", 256}, {"R13", 128}} {
		g.p("ADDQ $%d, %s", a.by, a.register)
	}
}
