package main

// packs writes what turns rows of a matrix into panels: transpose, where the
// summed dimension lies along the rows, and interleave, where it lies across;
// and the expanders from one storage format to another.
func (g *gen) packs() {
	var pairs []uint32
	for i := range uint32(16) {
		pairs = append(pairs, i|(16+i)<<16)
	}
	g.table("pairs", pairs)
	g.transpose()
	g.narrow(false)
	g.narrow(true)
	g.widen("widenBF16", "bfloat16", func() {
		g.p("VPMOVZXWD (R8), Z0")
		g.p("VPSLLD $16, Z0, Z0")
	})
	g.widen("widenF16", "half precision", func() { g.p("VCVTPH2PS (R8), Z0") })
	g.interleave("interleaveF32", interleaveDoc, 64, false)
	g.interleave("interleaveBF16", ": interleaves units pairs of rows of bfloat16"+inGroups, 32, true)
	g.interleave("interleaveNarrow", ": interleaves units pairs of rows of float32, rounded to bfloat16,"+inGroups, 64, true)
	g.dequantize(false)
	g.dequantize(true)
	g.scales()
	g.int8(false)
	g.int8(true)
}

// dequantize turns blocks of 64 codes of 4 bits, the first of a byte in its high
// half, into table[code]·scale. Multiplying the table costs 16 products a block
// instead of 64; VPMULTISHIFTQB spreads the codes of 8 bytes, and a permutation of the
// table looks them up.
func (g *gen) dequantize(bf16 bool) {
	name, to, shifts := "dequantizeF32", "float32", "shift8"
	words := make([]uint32, 0, 16)
	if bf16 {
		name, to, shifts = "dequantizeBF16", "bfloat16", "shift4"
		for i := range uint32(8) { // from two bytes of a quadword to its four words
			at := i % 4 * 16
			words = append(words, at+4|at<<16, at+12|(at+8)<<16)
		}
	} else {
		for i := range uint32(8) { // from one byte of a quadword to its two doublewords
			words = append(words, 8*i+4, 8*i)
		}
	}
	g.table(shifts, words)
	g.openDequantize(name, to)
	g.p("VMOVUPS (R13), Z31")
	g.p("VMOVUPS %s%s<>(SB), Z30", shifts, g.suffix)
	g.fetchRows("R14")
	g.p("MOVQ $0xF0, R13")
	g.p("KMOVW R13, K1")
	g.overCodes(func() {
		g.p("PREFETCHT0 (R8)(R14*1)")
		g.p("VMULPS.BCST (R12), Z31, Z0")
		if bf16 {
			g.raw("VCVTNE2PS2BF16", vcvtne2ps2bf16, 2, 0, 0, 0, nil, false)
			for i := range 2 {
				g.p("VPBROADCASTQ %d(R8), Z%d", 16*i, i+1)
				g.p("VPBROADCASTQ %d(R8), K1, Z%d", 16*i+8, i+1)
				g.p("VPMULTISHIFTQB Z%d, Z30, Z%d", i+1, i+1)
				g.p("VPERMW Z0, Z%d, Z%d", i+1, i+1)
				g.p("VMOVUPS Z%d, %d(R9)", i+1, 64*i)
			}
			g.p("ADDQ $128, R9")
		} else {
			for i := range 4 {
				g.p("VPMULTISHIFTQB.BCST %d(R8), Z30, Z%d", 8*i, i+1)
				g.p("VPERMPS Z0, Z%d, Z%d", i+1, i+1)
				g.p("VMOVUPS Z%d, %d(R9)", i+1, 64*i)
			}
			g.p("ADDQ $256, R9")
		}
	})
}

// scales writes what turns codes of 8 bits into scales, 16 at a time.
func (g *gen) scales() {
	g.open(": turns n codes of 8 bits into table[code]·nested + offset.", "scales",
		"(n int, codes *uint8, table *[256]float32, dst *float32, nested, offset float32)", 40)
	for _, a := range []struct{ arg, reg string }{{"n+0", "AX"}, {"codes+8", "SI"}, {"table+16", "R8"}, {"dst+24", "DI"}} {
		g.p("MOVQ %s(FP), %s", a.arg, a.reg)
	}
	g.p("VBROADCASTSS nested+32(FP), Z2")
	g.p("VBROADCASTSS offset+36(FP), Z3")
	g.p("KXNORW K1, K1, K1")
	g.l("loop")
	g.p("CMPQ AX, $16")
	g.p("JGE whole")
	g.p("MOVQ AX, CX")
	g.p("MOVL $1, DX")
	g.p("SHLL CX, DX")
	g.p("DECL DX")
	g.p("KMOVW DX, K1")
	g.l("whole")
	g.p("VPMOVZXBD.Z (SI), K1, Z0")
	g.p("KMOVW K1, K2")
	g.p("VGATHERDPS (R8)(Z0*4), K2, Z1")
	g.p("VMULPS Z2, Z1, Z1")
	g.p("VADDPS Z3, Z1, Z1")
	g.p("VMOVUPS Z1, K1, (DI)")
	g.p("ADDQ $16, SI")
	g.p("ADDQ $64, DI")
	g.p("SUBQ $16, AX")
	g.p("JG loop")
	g.ret()
}

// fetchRows sets a register to how far behind a row another is fetched: where rows
// lie apart, or are many, the processor does not foresee what comes.
func (g *gen) fetchRows(register string) {
	g.p("MOVQ CX, %s", register)
	g.p("SHLQ $4, %s", register)
}

// openDequantize opens a function that turns codes into values.
func (g *gen) openDequantize(name, to string) {
	g.fn(": turns rows of n blocks of 64 codes into "+to+" by a table of 16 values and a scale a block; ld, dld and\n// lds are bytes from row to row.",
		name, "(rows, n int, src unsafe.Pointer, ld int, dst unsafe.Pointer, dld int, scales *float32, lds int, table *[16]float32)", 9)
	for _, a := range []struct{ arg, reg string }{
		{"rows+0", "BX"}, {"src+16", "SI"}, {"ld+24", "CX"}, {"dst+32", "DI"}, {"dld+40", "DX"}, {"scales+48", "R10"}, {"lds+56", "R11"}, {"table+64", "R13"},
	} {
		g.p("MOVQ %s(FP), %s", a.arg, a.reg)
	}
}

// overCodes writes the loops over rows and blocks of codes; the body advances R9,
// its result.
func (g *gen) overCodes(body func()) {
	g.l("row")
	g.p("MOVQ n+8(FP), AX")
	g.p("MOVQ SI, R8")
	g.p("MOVQ DI, R9")
	g.p("MOVQ R10, R12")
	g.l("loop")
	body()
	g.p("ADDQ $32, R8")
	g.p("ADDQ $4, R12")
	g.p("DECQ AX")
	g.p("JNZ loop")
	g.p("ADDQ CX, SI")
	g.p("ADDQ DX, DI")
	g.p("ADDQ R11, R10")
	g.p("DECQ BX")
	g.p("JNZ row")
	g.ret()
}

const (
	transposeDoc       = ": turns n blocks of 16 rows by 16 units, ld bytes from row to row, into panels: unit-major."
	transposeSignature = "(n int, src unsafe.Pointer, ld int, dst unsafe.Pointer)"

	interleaveDoc       = ": copies units rows of float32 into groups of 16 columns, stride bytes from group to group."
	interleaveSignature = "(units, groups int, src unsafe.Pointer, ld int, dst unsafe.Pointer, stride int)"
)

func widenDoc(from string) string {
	return ": converts rows of n blocks of 16 elements of " + from + " to float32; ld and dld are bytes from row to row."
}

// unpacks transposes 4 by 4 units, of registers 0 to 3 into registers 8 to 11.
var unpacks = []struct {
	op           string
	b, a, result int
}{
	{"VUNPCKLPS", 1, 0, 4}, {"VUNPCKHPS", 1, 0, 5}, {"VUNPCKLPS", 3, 2, 6}, {"VUNPCKHPS", 3, 2, 7},
	{"VUNPCKLPD", 6, 4, 8}, {"VUNPCKHPD", 6, 4, 9}, {"VUNPCKLPD", 7, 5, 10}, {"VUNPCKHPD", 7, 5, 11},
}

// openTranspose opens a function that turns 16 rows, whose addresses are each of
// the bases with each of the offsets.
func (g *gen) openTranspose() (bases, offsets []string) {
	g.fn(transposeDoc, "transpose", transposeSignature, 4)
	g.p("MOVQ n+0(FP), AX")
	g.p("MOVQ src+8(FP), SI")
	g.p("MOVQ ld+16(FP), CX")
	g.p("MOVQ dst+24(FP), DI")
	return g.sixteenRows()
}

// sixteenRows finds 16 rows, of which the first is at SI and the others CX apart.
func (g *gen) sixteenRows() (bases, offsets []string) {
	offsets = g.fourRows()
	g.p("LEAQ (SI)(CX*4), R10")
	g.p("LEAQ (R10)(CX*4), R11")
	g.p("LEAQ (R11)(CX*4), R12")
	return []string{"SI", "R10", "R11", "R12"}, offsets
}

// fourRows finds 4 rows that lie CX apart.
func (g *gen) fourRows() (offsets []string) {
	g.p("LEAQ (CX)(CX*2), R8")
	return []string{"", "(CX*1)", "(CX*2)", "(R8*1)"}
}

// transpose reads 16 rows of 16 units with four 128-bit loads a register, so
// that two stages of unpacking are left. It fetches the 16 rows behind: rows that
// lie in memory are too many streams for the processor to see.
func (g *gen) transpose() {
	bases, offsets := g.openTranspose()
	ahead := []string{"BX", "DX", "R9", "R13"}
	for i, b := range bases {
		g.p("LEAQ (%s)(CX*8), %s", b, ahead[i])
		g.p("LEAQ (%s)(CX*8), %s", ahead[i], ahead[i])
	}
	g.p("PCALIGN $64")
	g.l("loop")
	for c := range 4 {
		z := 16 * (c & 1)
		for _, o := range offsets {
			g.p("PREFETCHT1 (%s)%s", ahead[c], o)
		}
		g.turn(c, z, bases, offsets)
		for i := range 4 {
			g.p("VMOVUPS Z%d, %d(DI)", z+8+i, 64*(4*c+i))
		}
	}
	for i := range bases {
		g.p("ADDQ $64, %s", bases[i])
		g.p("ADDQ $64, %s", ahead[i])
	}
	g.p("ADDQ $1024, DI")
	g.p("DECQ AX")
	g.p("JNZ loop")
	g.ret()
}

// turn reads a quarter of 16 rows of 16 units and leaves it in four registers from
// z+8 on, a lane a row; it uses those from z to z+7.
func (g *gen) turn(quarter, z int, bases, offsets []string) {
	for r, o := range offsets {
		g.p("VMOVUPS %d(%s)%s, X%d", 16*quarter, bases[0], o, z+r)
		for b := 1; b < 4; b++ {
			g.p("VINSERTF32X4 $%d, %d(%s)%s, Z%d, Z%d", b, 16*quarter, bases[b], o, z+r, z+r)
		}
	}
	for _, u := range unpacks {
		g.p("%s Z%d, Z%d, Z%d", u.op, z+u.b, z+u.a, z+u.result)
	}
}

// overRows writes the loop over rows, each of which begins with something, and,
// inside, over n blocks of a row.
func (g *gen) overRows(begin, body func()) {
	g.p("MOVQ rows+0(FP), BX")
	g.p("MOVQ src+16(FP), SI")
	g.p("MOVQ ld+24(FP), CX")
	g.p("MOVQ dst+32(FP), DI")
	g.p("MOVQ dld+40(FP), DX")
	g.l("row")
	g.p("MOVQ n+8(FP), AX")
	g.p("MOVQ SI, R8")
	g.p("MOVQ DI, R9")
	begin()
	g.l("loop")
	body()
	g.p("DECQ AX")
	g.p("JNZ loop")
	g.p("ADDQ CX, SI")
	g.p("ADDQ DX, DI")
	g.p("DECQ BX")
	g.p("JNZ row")
	g.ret()
}

const rowsSignature = "(rows, n int, src unsafe.Pointer, ld int, dst unsafe.Pointer, dld int)"

// narrow rounds float32 to bfloat16, into rows or, with tiles, into tiles of 16
// rows: a row's blocks then lie 1024 bytes apart.
func (g *gen) narrow(tiles bool) {
	name, where, dld, step := "narrow", "; ld and dld are bytes from row to row", ", dld int", 64
	if tiles {
		name, where, dld, step = "narrowTiles", " in tiles of 16 rows: a row's blocks lie 1024 bytes apart", "", 1024
	}
	tail := 40 + len(dld)/len(", dld int")*8
	g.fn(": rounds rows of n blocks of 32 float32 to bfloat16, and under the mask tail one more block\n// that is filled with zeros"+where+".",
		name, "(rows, n int, src unsafe.Pointer, ld int, dst unsafe.Pointer"+dld+", tail int)", tail/8+1)
	g.p("MOVQ rows+0(FP), BX")
	g.p("MOVQ src+16(FP), SI")
	g.p("MOVQ ld+24(FP), CX")
	g.p("MOVQ dst+32(FP), DI")
	if tiles {
		g.p("MOVQ $64, DX")
	} else {
		g.p("MOVQ dld+40(FP), DX")
	}
	g.p("MOVQ tail+%d(FP), R12", tail)
	g.p("KMOVW R12, K1")
	g.p("MOVQ R12, R13")
	g.p("SHRQ $16, R13")
	g.p("KMOVW R13, K2")
	g.fetchRows("R14")
	g.l("row")
	g.p("MOVQ n+8(FP), AX")
	g.p("MOVQ SI, R8")
	g.p("MOVQ DI, R9")
	g.p("TESTQ AX, AX")
	g.p("JZ last")
	g.l("loop")
	g.p("PREFETCHT0 (R8)(R14*1)")
	g.p("PREFETCHT0 64(R8)(R14*1)")
	g.p("VMOVUPS 64(R8), Z1")
	g.raw("VCVTNE2PS2BF16", vcvtne2ps2bf16, 2, 0, 1, 0, &mem{base: gpNum["R8"], index: -1}, false)
	g.p("VMOVUPS Z0, (R9)")
	g.p("ADDQ $128, R8")
	g.p("ADDQ $%d, R9", step)
	g.p("DECQ AX")
	g.p("JNZ loop")
	g.l("last")
	g.p("TESTQ R12, R12")
	g.p("JZ next")
	g.p("VMOVUPS.Z (R8), K1, Z0")
	g.p("VMOVUPS.Z 64(R8), K2, Z1")
	g.raw("VCVTNE2PS2BF16", vcvtne2ps2bf16, 2, 0, 1, 0, nil, false)
	g.p("VMOVUPS Z0, (R9)")
	g.l("next")
	g.p("ADDQ CX, SI")
	g.p("ADDQ DX, DI")
	g.p("DECQ BX")
	g.p("JNZ row")
	g.ret()
}

// widen converts a 16-bit format to float32.
func (g *gen) widen(name, from string, load func()) {
	g.fn(widenDoc(from), name, rowsSignature, 6)
	g.overRows(func() {}, func() {
		load()
		g.p("VMOVUPS Z0, (R9)")
		g.p("ADDQ $32, R8")
		g.p("ADDQ $64, R9")
	})
}

const inGroups = " into groups of 16 columns, stride bytes from group to group."

// interleave packs the summed dimension down the rows: a row is a unit of
// float32; two rows are a unit of bfloat16 pairs. Sixteen columns take size bytes.
func (g *gen) interleave(name, doc string, size int, pairs bool) {
	g.fn(doc, name, interleaveSignature, 6)
	g.p("MOVQ units+0(FP), BX")
	g.p("MOVQ src+16(FP), SI")
	g.p("MOVQ ld+24(FP), CX")
	g.p("MOVQ dst+32(FP), DI")
	g.p("MOVQ stride+40(FP), DX")
	if pairs {
		g.p("VMOVUPS pairs%s<>(SB), Z31", g.suffix)
	}
	g.fetchRows("R14")
	g.l("row")
	g.p("MOVQ groups+8(FP), AX")
	g.p("MOVQ SI, R8")
	g.p("MOVQ DI, R9")
	g.p("LEAQ (SI)(R14*1), R12")
	if pairs {
		g.p("LEAQ (SI)(CX*1), R13")
	}
	g.l("loop")
	g.p("PREFETCHT0 (R12)")
	switch {
	case !pairs:
		g.p("VMOVUPS (R8), Z0")
	case size == 32:
		g.p("VMOVUPS (R8), Y0")
		g.p("VINSERTI64X4 $1, (R13), Z0, Z0")
	default:
		g.p("VMOVUPS (R8), Z0")
		g.p("VMOVUPS (R13), Z1")
		g.raw("VCVTNE2PS2BF16", vcvtne2ps2bf16, 2, 0, 1, 0, nil, false)
	}
	if pairs {
		g.p("PREFETCHT0 (R12)(CX*1)")
		g.p("VPERMW Z0, Z31, Z0")
		g.p("ADDQ $%d, R13", size)
	}
	g.p("VMOVUPS Z0, (R9)")
	g.p("ADDQ $%d, R8", size)
	g.p("ADDQ $%d, R12", size)
	g.p("ADDQ DX, R9")
	g.p("DECQ AX")
	g.p("JNZ loop")
	g.p("ADDQ CX, SI")
	if pairs {
		g.p("ADDQ CX, SI")
	}
	g.p("ADDQ $64, DI")
	g.p("DECQ BX")
	g.p("JNZ row")
	g.ret()
}
