package main

import "fmt"

// The Go assembler knows few of arm64's vector instructions on floating point;
// the others are emitted as words. All work on four lanes of 32 bits, or on the
// 16 bytes.

// a64 has the instructions of three registers and of two, without the registers.
var a64 = map[string]uint32{
	"FADD": 0x4E20D400, "FSUB": 0x4EA0D400, "FMUL": 0x6E20DC00, "FDIV": 0x6E20FC00, "FMAX": 0x4E20F400, "FMIN": 0x4EA0F400,
	"FMLA": 0x4E20CC00, "FMLS": 0x4EA0CC00, "FADDP": 0x6E20D400, "FMAXP": 0x6E20F400, "ADD": 0x4EA08400, "SUB": 0x6EA08400,
	"AND": 0x4E201C00, "ORR": 0x4EA01C00, "EOR": 0x6E201C00, "BSL": 0x6E601C00, "BIF": 0x6EE01C00, "ZIP1": 0x4E803800, "ZIP2": 0x4E807800,

	"FSQRT": 0x6EA1F800, "FRINTN": 0x4E218800, "FCVTNS": 0x4E21A800, "CMLT0": 0x4EA0A800, "DUP0": 0x4E040400,
	"SHLL16": 0x2E613800, "SHLL16H": 0x6E613800, "FCVTL": 0x0E217800, "FCVTLH": 0x4E217800,
	"SXTB": 0x0F08A400, "SXTBH": 0x4F08A400, "SXTH": 0x0F10A400, "SXTHH": 0x4F10A400, "SCVTF": 0x4E21D800,
}

// v3 emits an instruction of three registers, d = n op m.
func (g *gen) v3(op string, d, n, m int) {
	g.p("WORD $0x%08x // %s V%d, V%d, V%d", word3(op, d, n, m), op, d, n, m)
}

// v2 emits an instruction of two registers.
func (g *gen) v2(op string, d, n int) {
	g.p("WORD $0x%08x // %s V%d, V%d", word3(op, d, n, 0), op, d, n)
}

func word3(op string, d, n, m int) uint32 {
	w, ok := a64[op]
	if !ok {
		panic("no instruction " + op)
	}
	return w | uint32(m)<<16 | uint32(n)<<5 | uint32(d)
}

// wordByElement is FMLA d += n·m[lane].
func wordByElement(d, n, m, lane int) uint32 {
	return 0x4F801000 | uint32(lane&1)<<21 | uint32(lane>>1)<<11 | uint32(m)<<16 | uint32(n)<<5 | uint32(d)
}

// wordShift shifts lanes to the left, or with right, arithmetically, to the right.
func wordShift(d, n, bits int, right bool) uint32 {
	if right {
		return 0x4F000400 | uint32(64-bits)<<16 | uint32(n)<<5 | uint32(d)
	}
	return 0x4F005400 | uint32(32+bits)<<16 | uint32(n)<<5 | uint32(d)
}

func (g *gen) byElement(d, n, m, lane int) {
	g.p("WORD $0x%08x // FMLA V%d, V%d, V%d[%d]", wordByElement(d, n, m, lane), d, n, m, lane)
}

func (g *gen) shift(d, n, bits int, right bool) {
	g.p("WORD $0x%08x // SHIFT V%d, V%d, %d, right %v", wordShift(d, n, bits, right), d, n, bits, right)
}

// q loads or stores a register.
func (g *gen) loadQ(r int, base string, offset int)  { g.p("FMOVQ %d(%s), F%d", offset, base, r) }
func (g *gen) storeQ(r int, base string, offset int) { g.p("FMOVQ F%d, %d(%s)", r, offset, base) }

// broadcast fills the lanes of r from an operand of 32 bits.
func (g *gen) broadcast(r int, operand string) {
	g.p("FMOVS %s, F%d", operand, r)
	g.v2("DUP0", r, r)
}

func (g *gen) zeroV(r int) { g.v3("EOR", r, r, r) }

// a64Move is d = n.
func (g *gen) a64Move(d, n int) { g.v3("ORR", d, n, n) }

func (g *gen) arguments(list ...string) {
	for i := 0; i < len(list); i += 2 {
		g.p("MOVD %s(FP), %s", list[i], list[i+1])
	}
}

func label(name string, i int) string { return fmt.Sprintf("%s%d", name, i) }
