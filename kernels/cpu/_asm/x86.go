package main

import "fmt"

// x86 writes vector functions for AVX2 with FMA, 8 lanes in Y registers, or, if
// wide, for AVX-512, 16 lanes in Z registers. Constants are memory operands for
// the former and registers from Z31 down for the latter. The mask of the tail is
// Y15 or K1.
type x86 struct {
	*gen
	wide bool
	sig  signature
	tail bool // of a loop: only some lanes are elements
	copy int  // of a loop's body
}

var x86Pointers = []string{"SI", "DI", "R8", "R9", "R10"}

func (v *x86) bytes() int {
	if v.wide {
		return 64
	}
	return 32
}

// r names a register or a constant.
func (v *x86) r(i int) string {
	switch {
	case i < log2e && v.wide:
		return fmt.Sprintf("Z%d", i)
	case i < log2e:
		return fmt.Sprintf("Y%d", i)
	case v.wide:
		return fmt.Sprintf("Z%d", 31-(i-log2e))
	case i == lowest:
		return "Y13"
	case i == highest:
		return "Y14"
	}
	return fmt.Sprintf("constants%s<>+%d(SB)", v.suffix, 32*(i-log2e))
}

// at is where a pointer's elements are for the current copy of a loop's body.
func (v *x86) at(pointer int) string {
	return fmt.Sprintf("%d(%s)", v.copy*v.bytes(), x86Pointers[pointer])
}

// tables writes the constants: for AVX2 eight times over, and a mask of every
// length.
func (v *x86) tables() {
	words := constantWords()
	if v.wide {
		v.table("constants", words)
		return
	}
	var eightfold, masks []uint32
	for _, w := range words {
		for range 8 {
			eightfold = append(eightfold, w)
		}
	}
	v.table("constants", eightfold)
	for i := range 16 {
		masks = append(masks, map[bool]uint32{true: 1<<32 - 1}[i < 8])
	}
	v.table("masks", masks)
}

func (v *x86) fn(doc, name, pointers, scalars string, result bool) {
	v.sig = newSignature(pointers, scalars, result)
	v.open(doc, name, v.sig.text, v.sig.size)
	v.p("MOVQ n+0(FP), AX")
	for i, p := range v.sig.pointers {
		v.p("MOVQ %s, %s", v.sig.argument(p), x86Pointers[i])
	}
}

func (v *x86) scalar(r int, name string) { v.p("VBROADCASTSS %s, %s", v.sig.argument(name), v.r(r)) }

func (v *x86) element(r, pointer, i int) {
	v.p("VBROADCASTSS %d(%s), %s", 4*i, x86Pointers[pointer], v.r(r))
}

func (v *x86) put(r, pointer, i int) { v.p("VMOVSS X%d, %d(%s)", r, 4*i, x86Pointers[pointer]) }
func (v *x86) result(r int)          { v.p("VMOVSS X%d, ret+%d(FP)", r, v.sig.ret) }

func (v *x86) constants() {
	if !v.wide {
		v.p("VMOVUPS constants%s<>+%d(SB), %s", v.suffix, 32*(lowest-log2e), v.r(lowest))
		v.p("VMOVUPS constants%s<>+%d(SB), %s", v.suffix, 32*(highest-log2e), v.r(highest))
		return
	}
	for c := log2e; c < lastConstant; c++ {
		v.p("VBROADCASTSS constants%s<>+%d(SB), %s", v.suffix, 4*(c-log2e), v.r(c))
	}
}

// over writes a loop that runs copies of the body a turn, one that runs it once,
// and the tail.
func (v *x86) over(pointers, copies int, body func(c int)) {
	lanes := v.bytes() / 4
	advance := func(turn int) {
		for _, r := range x86Pointers[:pointers] {
			v.p("ADDQ $%d, %s", 4*turn, r)
		}
	}
	v.p("SUBQ $%d, AX", copies*lanes)
	if copies > 1 {
		v.p("JLT singles")
		v.p("PCALIGN $32")
		v.l("copies")
		for v.copy = range copies {
			body(v.copy)
		}
		v.copy = 0
		advance(copies * lanes)
		v.p("SUBQ $%d, AX", copies*lanes)
		v.p("JGE copies")
		v.l("singles")
		v.p("ADDQ $%d, AX", (copies-1)*lanes)
	}
	v.p("JLT tail")
	v.p("PCALIGN $32")
	v.l("loop")
	body(0)
	advance(lanes)
	v.p("SUBQ $%d, AX", lanes)
	v.p("JGE loop")
	v.l("tail")
	v.p("ADDQ $%d, AX", lanes)
	v.p("JZ done")
	v.mask()
	v.tail = true
	body(0)
	v.tail = false
	v.l("done")
}

// mask sets the mask of the tail's AX lanes.
func (v *x86) mask() {
	if !v.wide {
		v.p("LEAQ masks%s<>+32(SB), CX", v.suffix)
		v.p("SHLQ $2, AX")
		v.p("SUBQ AX, CX")
		v.p("VMOVUPS (CX), Y15")
		return
	}
	v.p("MOVQ AX, CX")
	v.p("MOVL $1, DX")
	v.p("SHLL CX, DX")
	v.p("DECL DX")
	v.p("KMOVW DX, K1")
}

func (v *x86) load(r, pointer int) {
	switch {
	case !v.tail:
		v.p("VMOVUPS %s, %s", v.at(pointer), v.r(r))
	case v.wide:
		v.p("VMOVUPS.Z %s, K1, %s", v.at(pointer), v.r(r))
	default:
		v.p("VMASKMOVPS %s, Y15, %s", v.at(pointer), v.r(r))
	}
}

func (v *x86) store(r, pointer int) {
	switch {
	case !v.tail:
		v.p("VMOVUPS %s, %s", v.r(r), v.at(pointer))
	case v.wide:
		v.p("VMOVUPS %s, K1, %s", v.r(r), v.at(pointer))
	default:
		v.p("VMASKMOVPS %s, Y15, %s", v.r(r), v.at(pointer))
	}
}

func (v *x86) keep(r int) {
	switch {
	case !v.tail:
	case v.wide:
		v.p("VMOVAPS.Z %s, K1, %[1]s", v.r(r))
	default:
		v.p("VANDPS Y15, %s, %[1]s", v.r(r))
	}
}

func (v *x86) fill(r, other int) {
	switch {
	case !v.tail:
	case v.wide:
		v.p("VBLENDMPS %s, %s, K1, %[1]s", v.r(r), v.r(other))
	default:
		v.p("VBLENDVPS Y15, %s, %s, %[1]s", v.r(r), v.r(other))
	}
}

func (v *x86) move(r, a int) {
	if a >= log2e && !v.wide {
		v.p("VMOVUPS %s, %s", v.r(a), v.r(r))
		return
	}
	v.p("VMOVAPS %s, %s", v.r(a), v.r(r))
}

func (v *x86) op(op string, r, a, b int) { v.p("V%sPS %s, %s, %s", op, v.r(b), v.r(a), v.r(r)) }
func (v *x86) fma(r, a, b int)           { v.p("VFMADD231PS %s, %s, %s", v.r(b), v.r(a), v.r(r)) }
func (v *x86) fnma(r, a, b int)          { v.p("VFNMADD231PS %s, %s, %s", v.r(b), v.r(a), v.r(r)) }
func (v *x86) sqrt(r, a int)             { v.p("VSQRTPS %s, %s", v.r(a), v.r(r)) }

func (v *x86) round(r, a int) {
	op := "VROUNDPS"
	if v.wide {
		op = "VRNDSCALEPS"
	}
	v.p("%s $8, %s, %s", op, v.r(a), v.r(r))
}

func (v *x86) bySign(r, a, negative, other int) {
	if v.wide {
		v.p("VPMOVD2M %s, K2", v.r(a))
		v.p("VBLENDMPS %s, %s, K2, %s", v.r(negative), v.r(other), v.r(r))
		return
	}
	v.p("VBLENDVPS %s, %s, %s, %s", v.r(a), v.r(negative), v.r(other), v.r(r))
}

func (v *x86) polynomial(r, x int, coefficients []int) {
	v.move(r, coefficients[0])
	for _, c := range coefficients[1:] {
		v.p("VFMADD213PS %s, %s, %s", v.r(c), v.r(x), v.r(r))
	}
}

// scaleBy multiplies by 2^(n/2) and by the rest: a factor is a float32 whose
// exponent is its own, and only the last product is rounded.
func (v *x86) scaleBy(r, n int) {
	if v.wide {
		v.p("VSCALEFPS %s, %s, %s", v.r(n), v.r(r), v.r(r))
		return
	}
	half := n + 1
	v.p("VCVTPS2DQ %s, %s", v.r(n), v.r(n))
	v.p("VPSRAD $1, %s, %s", v.r(n), v.r(half))
	v.p("VPSUBD %s, %s, %s", v.r(half), v.r(n), v.r(n))
	for _, f := range []int{half, n} {
		v.p("VPSLLD $23, %s, %[1]s", v.r(f))
		v.p("VPADDD %s, %s, %[2]s", v.r(one), v.r(f))
		v.p("VMULPS %s, %s, %[2]s", v.r(f), v.r(r))
	}
}

func (v *x86) reduce(op string, r int) {
	fold := func(register string) {
		v.p("V%sPS %s%d, %s%d, %s%d", op, register, r+1, register, r, register, r)
	}
	if v.wide {
		v.p("VEXTRACTF64X4 $1, Z%d, Y%d", r, r+1)
		fold("Y")
	}
	v.p("VEXTRACTF128 $1, Y%d, X%d", r, r+1)
	fold("X")
	v.p("VPERMILPS $0x4E, X%d, X%d", r, r+1)
	fold("X")
	v.p("VPERMILPS $0xB1, X%d, X%d", r, r+1)
	fold("X")
}
