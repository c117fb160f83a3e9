package main

import "fmt"

// AMX's matrix unit has eight tiles of 16 rows of 64 bytes. The Go assembler
// knows none of its instructions.

// vex encodes an instruction of map 0F38 with three bytes of VEX prefix: pp is 0 none, 1
// 66, 2 F3, 3 F2; reg goes to modrm.reg, v to vvvv.
func vex(pp, opcode, reg, v int, rm ...byte) []byte {
	return append([]byte{0xC4, 0xE2, byte(^v&15)<<3 | byte(pp), byte(opcode)}, append([]byte{rm[0] | byte(reg)<<3}, rm[1:]...)...)
}

// sib is the memory operand [base+index] with modrm's mode 0; neither register is
// above DI, base not BP.
func sib(base, index string) []byte { return []byte{4, byte(gpNum[index]<<3 | gpNum[base])} }

func (g *gen) bytes(comment string, b []byte) { g.p("%s // %s", bytesDirective(b), comment) }

func (g *gen) tileLoad(t int, base, index string) {
	g.bytes(fmt.Sprintf("TILELOADD (%s)(%s*1), T%d", base, index, t), vex(3, 0x4B, t, 0, sib(base, index)...))
}

func (g *gen) tileStore(t int, base, index string) {
	g.bytes(fmt.Sprintf("TILESTORED T%d, (%s)(%s*1)", t, base, index), vex(2, 0x4B, t, 0, sib(base, index)...))
}

func (g *gen) tileZero(t int) { g.bytes(fmt.Sprintf("TILEZERO T%d", t), vex(3, 0x49, t, 0, 0xC0)) }

func (g *gen) tileMultiply(c, a, b int) {
	g.bytes(fmt.Sprintf("TDPBF16PS T%d, T%d, T%d", b, a, c), vex(2, 0x5C, c, b, byte(0xC0|a)))
}

// amx writes the micro-kernel for AMX-BF16: 32 rows by 32 columns in four tiles.
func (g *gen) amx() {
	g.table("shape", []uint32{1, 0, 0, 0, 64 | 64<<16, 64 | 64<<16, 64 | 64<<16, 64 | 64<<16, 0, 0, 0, 0, 16 | 16<<8 | 16<<16 | 16<<24, 16 | 16<<8 | 16<<16 | 16<<24, 0, 0})
	g.fn(": C = A·B, or += with acc, for 32 rows and pairs times 32 columns, ldc bytes from row to row. a0 and a1 are\n"+
		"// steps tiles of 16 rows by 32 elements; b is panels of 16 columns, width bytes from panel to panel.",
		"amxBF16", "(steps int, a0, a1, b unsafe.Pointer, width, pairs int, c unsafe.Pointer, ldc, acc int)", 9)
	g.p("LEAQ shape%s<>(SB), AX", g.suffix)
	g.bytes("LDTILECFG (AX)", vex(0, 0x49, 0, 0, 0))
	for _, a := range []struct{ arg, reg string }{{"a0+8", "R8"}, {"a1+16", "R9"}, {"b+24", "R10"}, {"width+32", "R11"}, {"pairs+40", "R12"}, {"c+48", "R13"}, {"ldc+56", "DX"}, {"acc+64", "R15"}} {
		g.p("MOVQ %s(FP), %s", a.arg, a.reg)
	}
	g.p("MOVQ $64, CX")
	g.l("pair")
	corners := func(do func(t int, base, index string)) {
		g.p("MOVQ R13, AX")
		do(0, "AX", "DX")
		g.p("ADDQ $64, AX")
		do(1, "AX", "DX")
		g.p("MOVQ DX, BX")
		g.p("SHLQ $4, BX")
		g.p("ADDQ BX, AX")
		do(3, "AX", "DX")
		g.p("SUBQ $64, AX")
		do(2, "AX", "DX")
	}
	g.tileStart(corners)
	g.p("MOVQ R8, SI")
	g.p("MOVQ R9, DI")
	g.p("MOVQ R10, AX")
	g.p("LEAQ (R10)(R11*1), BX")
	g.p("MOVQ steps+0(FP), R14")
	g.p("PCALIGN $64")
	g.l("loop")
	g.tileLoad(4, "SI", "CX")
	g.tileLoad(6, "AX", "CX")
	g.tileLoad(7, "BX", "CX")
	g.tileMultiply(0, 4, 6)
	g.tileLoad(5, "DI", "CX")
	g.tileMultiply(1, 4, 7)
	g.tileMultiply(2, 5, 6)
	g.tileMultiply(3, 5, 7)
	for _, r := range []string{"SI", "DI", "AX", "BX"} {
		g.p("ADDQ $1024, %s", r)
	}
	g.p("DECQ R14")
	g.p("JNZ loop")
	corners(g.tileStore)
	g.p("LEAQ (R10)(R11*2), R10")
	g.p("ADDQ $128, R13")
	g.p("DECQ R12")
	g.p("JNZ pair")
	g.bytes("TILERELEASE", vex(0, 0x49, 0, 0, 0xC0))
	g.ret()
}

// tileStart fills the four tiles of the result: with what each finds, or with
// zeros unless acc, in R15, is set.
func (g *gen) tileStart(each func(do func(t int, base, index string))) {
	g.p("TESTQ R15, R15")
	g.p("JZ zero")
	each(g.tileLoad)
	g.p("JMP start")
	g.l("zero")
	for t := range 4 {
		g.tileZero(t)
	}
	g.l("start")
}

// amxRows writes the micro-kernel for few rows, whose tiles are as low as they
// are: four columns of tiles at once.
func (g *gen) amxRows() {
	g.fn(": C = A·B, or += with acc, for up to 16 rows and groups times 64 columns. a is steps tiles of 16 rows, of which\n"+
		"// shape, a tile configuration, takes what there are; the rest is as for amxBF16.",
		"amxRows", "(shape unsafe.Pointer, steps int, a, b unsafe.Pointer, width, groups int, c unsafe.Pointer, ldc, acc int)", 9)
	g.p("MOVQ shape+0(FP), AX")
	g.bytes("LDTILECFG (AX)", vex(0, 0x49, 0, 0, 0))
	for _, a := range []struct{ arg, reg string }{{"a+16", "R8"}, {"b+24", "R10"}, {"width+32", "R11"}, {"groups+40", "R12"}, {"c+48", "R13"}, {"ldc+56", "DX"}, {"acc+64", "R15"}} {
		g.p("MOVQ %s(FP), %s", a.arg, a.reg)
	}
	g.p("MOVQ $64, CX")
	g.p("LEAQ (R11)(R11*2), R9")
	across := func(do func(t int, base, index string)) {
		g.p("MOVQ R13, AX")
		for t := range 4 {
			do(t, "AX", "DX")
			g.p("ADDQ $64, AX")
		}
	}
	g.l("group")
	g.tileStart(across)
	g.p("MOVQ R8, SI")
	g.p("MOVQ R10, AX")
	g.p("MOVQ steps+8(FP), R14")
	g.p("PCALIGN $64")
	g.l("loop")
	g.tileLoad(4, "SI", "CX")
	for t := range 4 {
		b := []string{"AX", "BX", "BX", "DI"}[t]
		switch t {
		case 1:
			g.p("LEAQ (AX)(R11*1), BX")
		case 2:
			g.p("LEAQ (AX)(R11*2), BX")
		case 3:
			g.p("LEAQ (AX)(R9*1), DI")
		}
		g.tileLoad(5+t%3, b, "CX")
		g.tileMultiply(t, 4, 5+t%3)
	}
	g.p("ADDQ $1024, SI")
	g.p("ADDQ $1024, AX")
	g.p("DECQ R14")
	g.p("JNZ loop")
	across(g.tileStore)
	g.p("LEAQ (R10)(R11*4), R10")
	g.p("ADDQ $256, R13")
	g.p("DECQ R12")
	g.p("JNZ group")
	g.bytes("TILERELEASE", vex(0, 0x49, 0, 0, 0xC0))
	g.ret()
}
