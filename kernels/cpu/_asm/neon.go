package main

import "fmt"

// neon writes vector functions for arm64, four lanes in V registers. V16 and V17
// are scratch, V18 up the constants, V31 the mask of the tail. The tail's elements
// are copied to the stack, where whole registers can be read and written.
type neon struct {
	*gen
	sig    signature
	tail   bool
	copy   int
	stored [5]bool // pointers that the loop's body has stored to
}

const (
	neonTemp   = 17
	neonMask   = 31
	neonFrame  = 5 * 16 // the tails of as many pointers
	neonFirst  = 18     // register of the first constant
	neonLanes  = 4
	neonVector = 16 // bytes
)

var neonPointers = []string{"R1", "R2", "R3", "R4", "R5"}

func (v *neon) r(i int) int {
	if i >= log2e {
		return neonFirst + i - log2e
	}
	return i
}

func (v *neon) tables() {
	v.table("constants", constantWords())
	var masks []uint32
	for i := range 2 * neonLanes {
		masks = append(masks, map[bool]uint32{true: 1<<32 - 1}[i < neonLanes])
	}
	v.table("masks", masks)
}

func (v *neon) fn(doc, name, pointers, scalars string, result bool) {
	v.sig = newSignature(pointers, scalars, result)
	v.openFrame(doc, name, v.sig.text, neonFrame, v.sig.size)
	v.stored = [5]bool{}
	v.p("MOVD n+0(FP), R0")
	for i, p := range v.sig.pointers {
		v.p("MOVD %s, %s", v.sig.argument(p), neonPointers[i])
	}
}

func (v *neon) ret()                      { v.p("RET") }
func (v *neon) scalar(r int, name string) { v.broadcast(r, v.sig.argument(name)) }
func (v *neon) element(r, pointer, i int) {
	v.broadcast(r, fmt.Sprintf("%d(%s)", 4*i, neonPointers[pointer]))
}
func (v *neon) put(r, pointer, i int) { v.p("FMOVS F%d, %d(%s)", r, 4*i, neonPointers[pointer]) }
func (v *neon) result(r int)          { v.p("FMOVS F%d, ret+%d(FP)", r, v.sig.ret) }

func (v *neon) constants() {
	v.p("MOVD $constants%s<>(SB), R6", v.suffix)
	for c := log2e; c < lastConstant; c++ {
		v.broadcast(v.r(c), fmt.Sprintf("%d(R6)", 4*(c-log2e)))
	}
}

func (v *neon) over(pointers, copies int, body func(c int)) {
	advance := func(turn int) {
		for _, r := range neonPointers[:pointers] {
			v.p("ADD $%d, %s", neonVector*turn, r)
		}
	}
	v.p("SUBS $%d, R0", copies*neonLanes)
	if copies > 1 {
		v.p("BLT singles")
		v.l("copies")
		for v.copy = range copies {
			body(v.copy)
		}
		v.copy = 0
		advance(copies)
		v.p("SUBS $%d, R0", copies*neonLanes)
		v.p("BGE copies")
		v.l("singles")
		v.p("ADDS $%d, R0", (copies-1)*neonLanes)
	}
	v.p("BLT tail")
	v.l("loop")
	body(0)
	advance(1)
	v.p("SUBS $%d, R0", neonLanes)
	v.p("BGE loop")
	v.l("tail")
	v.p("ADDS $%d, R0", neonLanes)
	v.p("BEQ done")
	v.onStack(pointers, body)
	v.l("done")
}

// stackOf sets R7 to where the tail of a pointer lies.
func (v *neon) stackOf(pointer int) {
	v.p("MOVD $tails-%d(SP), R7", neonFrame)
	v.p("ADD $%d, R7", neonVector*pointer)
}

// onStack runs body on the R0 elements that are left.
func (v *neon) onStack(pointers int, body func(c int)) {
	v.p("MOVD $masks%s<>+%d(SB), R6", v.suffix, neonVector)
	v.p("SUB R0<<2, R6, R6")
	v.loadQ(neonMask, "R6", 0)
	v.zeroV(neonTemp)
	for i := range pointers {
		v.stackOf(i)
		v.storeQ(neonTemp, "R7", 0)
		v.copyTail(label("in", i), neonPointers[i], "R7")
		v.p("MOVD %s, R%d", neonPointers[i], 8+i)
		v.stackOf(i)
		v.p("MOVD R7, %s", neonPointers[i])
	}
	v.tail = true
	body(0)
	v.tail = false
	for i := range pointers {
		v.p("MOVD R%d, %s", 8+i, neonPointers[i])
		if v.stored[i] {
			v.p("MOVD %s, R6", neonPointers[i])
			v.stackOf(i)
			v.copyTail(label("out", i), "R7", "R6")
		}
	}
}

// copyTail copies R0 words; to advances.
func (v *neon) copyTail(name, from, to string) {
	v.p("MOVD R0, R14")
	v.p("MOVD %s, R13", from)
	v.l(name)
	v.p("MOVWU.P 4(R13), R15")
	v.p("MOVW.P R15, 4(%s)", to)
	v.p("SUBS $1, R14")
	v.p("BNE %s", name)
}

func (v *neon) load(r, pointer int) { v.loadQ(r, neonPointers[pointer], v.copy*neonVector) }

func (v *neon) store(r, pointer int) {
	v.stored[pointer] = true
	v.storeQ(r, neonPointers[pointer], v.copy*neonVector)
}

func (v *neon) keep(r int) {
	if v.tail {
		v.v3("AND", r, r, neonMask)
	}
}

func (v *neon) fill(r, other int) {
	if v.tail {
		v.v3("BIF", r, other, neonMask)
	}
}

func (v *neon) move(r, a int) { v.a64Move(r, v.r(a)) }

func (v *neon) op(op string, r, a, b int) {
	name := map[string]string{"XOR": "EOR", "OR": "ORR"}[op]
	if name == "" {
		name = "F" + op
	}
	v.v3(name, r, v.r(a), v.r(b))
}

func (v *neon) fma(r, a, b int)  { v.v3("FMLA", r, v.r(a), v.r(b)) }
func (v *neon) fnma(r, a, b int) { v.v3("FMLS", r, v.r(a), v.r(b)) }
func (v *neon) sqrt(r, a int)    { v.v2("FSQRT", r, a) }
func (v *neon) round(r, a int)   { v.v2("FRINTN", r, a) }

func (v *neon) bySign(r, a, negative, other int) {
	v.v2("CMLT0", neonTemp, a)
	v.v3("BSL", neonTemp, negative, other)
	v.move(r, neonTemp)
}

func (v *neon) polynomial(r, x int, coefficients []int) {
	v.move(r, coefficients[0])
	for _, c := range coefficients[1:] {
		v.move(neonTemp, c)
		v.fma(neonTemp, r, x)
		v.move(r, neonTemp)
	}
}

// scaleBy multiplies by 2^(n/2) and by the rest, as for AVX2.
func (v *neon) scaleBy(r, n int) {
	half := n + 1
	v.v2("FCVTNS", n, n)
	v.shift(half, n, 1, true)
	v.v3("SUB", n, n, half)
	for _, f := range []int{half, n} {
		v.shift(f, f, 23, false)
		v.v3("ADD", f, f, v.r(one))
		v.op("MUL", r, r, f)
	}
}

func (v *neon) reduce(op string, r int) {
	for range 2 {
		v.v3("F"+op+"P", r, r, r)
	}
}

func (v *neon) peak() {
	v.open(peakDoc, "peak", "(n int) int", 16)
	v.p("MOVD n+0(FP), R0")
	for i := range 20 {
		v.zeroV(i)
	}
	v.l("loop")
	for i := range 16 {
		v.fma(i, 18, 19)
	}
	v.p("SUBS $1, R0")
	v.p("BNE loop")
	v.p("MOVD $%d, R0", 16*2*neonLanes)
	v.p("MOVD R0, ret+8(FP)")
	v.ret()
}
