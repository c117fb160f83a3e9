package main

import (
	"fmt"
	"math"
	"strings"
)

// An emit writes an instruction of a loop's body. {K} stands for the mask of
// the tail and .{Z} for zeroing under it; both vanish in the main loop.
type emit func(format string, a ...any)

// over writes a loop over AX elements, 16 at a time and the rest under a mask;
// pointers move along.
func (g *gen) over(pointers string, body func(p emit)) {
	g.p("SUBQ $16, AX")
	g.p("JLT tail")
	g.p("PCALIGN $64")
	g.l("loop")
	body(func(format string, a ...any) {
		g.p("%s", strings.NewReplacer(", {K}", "", ".{Z}", "").Replace(fmt.Sprintf(format, a...)))
	})
	for _, r := range strings.Fields(pointers) {
		g.p("ADDQ $64, %s", r)
	}
	g.p("SUBQ $16, AX")
	g.p("JGE loop")
	g.l("tail")
	g.p("ADDQ $16, AX")
	g.p("JZ done")
	g.p("MOVQ AX, CX")
	g.p("MOVL $1, DX")
	g.p("SHLL CX, DX")
	g.p("DECL DX")
	g.p("KMOVW DX, K1")
	body(func(format string, a ...any) {
		g.p("%s", strings.NewReplacer("{K}", "K1", ".{Z}", ".Z").Replace(fmt.Sprintf(format, a...)))
	})
	g.l("done")
}

// arguments loads n into AX and pointers into registers, in the order of the
// signature.
func (g *gen) arguments(registers string) {
	g.p("MOVQ n+0(FP), AX")
	for i, r := range strings.Fields(registers) {
		name, reg, _ := strings.Cut(r, ":")
		g.p("MOVQ %s+%d(FP), %s", name, 8*(i+1), reg)
	}
}

// reduce folds the lanes of a register, high half to low half; it uses the next.
func (g *gen) reduce(op string, z int) {
	g.p("VEXTRACTF64X4 $1, Z%d, Y%d", z, z+1)
	g.p("%s Y%d, Y%d, Y%d", op, z+1, z, z)
	g.p("VEXTRACTF32X4 $1, Y%d, X%d", z, z+1)
	g.p("%s X%d, X%d, X%d", op, z+1, z, z)
	g.p("VPERMILPS $0x4E, X%d, X%d", z, z+1)
	g.p("%s X%d, X%d, X%d", op, z+1, z, z)
	g.p("VPERMILPS $0xB1, X%d, X%d", z, z+1)
	g.p("%s X%d, X%d, X%d", op, z+1, z, z)
}

func (g *gen) vectors() {
	g.exponentials()
	g.reductions()
	g.elementwise()
	g.adamw()
}

// The constants of exp, each in a register of its own: exp(x) = 2^n·p(r) with n =
// round(x·log2 e), r = x - n·ln 2 in two pieces, p Cephes' polynomial.
var expConstants = []struct {
	register int
	value    float64
}{
	{31, 1.44269504088896341}, {30, 0.693359375}, {29, -2.12194440e-4}, {28, -110}, {27, 89},
	{26, 1.9875691500e-4}, {25, 1.3981999507e-3}, {24, 8.3334519073e-3}, {23, 4.1665795894e-2}, {22, 1.6666665459e-1}, {21, 5.0000001201e-1}, {20, 1},
}

func (g *gen) loadExp() {
	for i, c := range expConstants {
		g.p("VBROADCASTSS exp%s<>+%d(SB), Z%d", g.suffix, 4*i, c.register)
	}
}

// exp replaces Zx by its exponential, using the three registers after it; top
// holds the largest argument. A NaN stays one.
func (g *gen) exp(x, top int) {
	g.p("VMAXPS Z%d, Z28, Z%d", x, x)
	g.p("VMINPS Z%d, Z%d, Z%d", x, top, x)
	g.p("VMULPS Z31, Z%d, Z%d", x, x+1)
	g.p("VRNDSCALEPS $8, Z%d, Z%d", x+1, x+1)
	g.p("VFNMADD231PS Z30, Z%d, Z%d", x+1, x)
	g.p("VFNMADD231PS Z29, Z%d, Z%d", x+1, x)
	g.p("VMULPS Z%d, Z%d, Z%d", x, x, x+2)
	g.p("VMOVAPS Z26, Z%d", x+3)
	for r := 25; r >= 21; r-- {
		g.p("VFMADD213PS Z%d, Z%d, Z%d", r, x, x+3)
	}
	g.p("VADDPS Z20, Z%d, Z%d", x, x)
	g.p("VFMADD213PS Z%d, Z%d, Z%d", x, x+2, x+3)
	g.p("VSCALEFPS Z%d, Z%d, Z%d", x+1, x+3, x)
}

func (g *gen) exponentials() {
	var words []uint32
	for _, c := range expConstants {
		words = append(words, math.Float32bits(float32(c.value)))
	}
	words = append(words, 1<<31) // the sign
	g.table("exp", words)

	g.open(": y = exp(x-m); sums gets Σ y and Σ y·(x-m).", "expSums", "(n int, x, y, sums *float32, m float32)", 36)
	g.arguments("x:SI y:DI sums:R8")
	g.p("VBROADCASTSS m+32(FP), Z19")
	g.loadExp()
	g.p("VPXORQ Z16, Z16, Z16")
	g.p("VPXORQ Z17, Z17, Z17")
	g.over("SI DI", func(p emit) {
		p("VMOVUPS.{Z} (SI), {K}, Z0")
		p("VSUBPS Z19, Z0, Z0")
		p("VMAXPS Z0, Z28, Z5")
		g.exp(0, 27)
		p("VMOVUPS Z0, {K}, (DI)")
		p("VADDPS Z0, Z16, {K}, Z16")
		p("VFMADD231PS Z0, Z5, {K}, Z17")
	})
	g.p("VMOVAPS Z17, Z6")
	g.reduce("VADDPS", 16)
	g.reduce("VADDPS", 6)
	g.p("VMOVSS X16, (R8)")
	g.p("VMOVSS X6, 4(R8)")
	g.ret()

	g.fn(": y = gate·σ(gate)·up.", "silu", "(n int, gate, up, y *float32)", 4)
	g.arguments("gate:SI up:R8 y:DI")
	g.loadExp()
	g.p("VPXORQ Z18, Z18, Z18")
	g.over("SI R8 DI", func(p emit) {
		p("VMOVUPS.{Z} (SI), {K}, Z4")
		p("VMOVUPS.{Z} (R8), {K}, Z5")
		p("VSUBPS Z4, Z18, Z0")
		g.exp(0, 27)
		p("VADDPS Z20, Z0, Z0")
		p("VDIVPS Z0, Z4, Z0")
		p("VMULPS Z0, Z5, Z0")
		p("VMOVUPS Z0, {K}, (DI)")
	})
	g.ret()

	// With e = exp(-|gate|) the larger of σ and 1-σ is 1/(1+e), the smaller
	// e/(1+e): neither overflows nor loses digits.
	g.fn(": dgate = dy·up·σ·(1+gate·(1-σ)), dup = dy·gate·σ.", "siluGrad", "(n int, gate, up, dy, dgate, dup *float32)", 6)
	g.arguments("gate:SI up:R8 dy:R9 dgate:DI dup:R10")
	g.loadExp()
	g.p("VBROADCASTSS exp%s<>+%d(SB), Z19", g.suffix, 4*len(expConstants))
	g.p("VPXORQ Z18, Z18, Z18")
	g.over("SI R8 R9 DI R10", func(p emit) {
		p("VMOVUPS.{Z} (SI), {K}, Z4")
		p("VMOVUPS.{Z} (R8), {K}, Z5")
		p("VMOVUPS.{Z} (R9), {K}, Z6")
		p("VPORD Z19, Z4, Z0")
		g.exp(0, 27)
		p("VADDPS Z20, Z0, Z1")
		p("VDIVPS Z1, Z20, Z1")
		p("VMULPS Z1, Z0, Z0")
		p("VCMPPS $1, Z18, Z4, K2")
		p("VBLENDMPS Z0, Z1, K2, Z2") // σ
		p("VBLENDMPS Z1, Z0, K2, Z0") // 1-σ
		p("VMULPS Z2, Z6, Z6")
		p("VFMADD213PS Z20, Z4, Z0")
		p("VMULPS Z5, Z0, Z0")
		p("VMULPS Z6, Z0, Z0")
		p("VMULPS Z4, Z6, Z6")
		p("VMOVUPS Z0, {K}, (DI)")
		p("VMOVUPS Z6, {K}, (R10)")
	})
	g.ret()
}

// reductions return a number of one or more vectors; lanes are folded at the end.
func (g *gen) reductions() {
	g.open(": returns the largest element; n > 0.", "largest", "(n int, x *float32) float32", 20)
	g.arguments("x:SI")
	g.p("VBROADCASTSS (SI), Z16")
	g.over("SI", func(p emit) {
		p("VMOVUPS.{Z} (SI), {K}, Z0")
		p("VMAXPS Z0, Z16, {K}, Z16")
	})
	g.reduce("VMAXPS", 16)
	g.p("VMOVSS X16, ret+16(FP)")
	g.ret()

	g.open(": returns Σ x·y.", "dot", "(n int, x, y *float32) float32", 28)
	g.arguments("x:SI y:DI")
	g.p("VPXORQ Z16, Z16, Z16")
	g.over("SI DI", func(p emit) {
		p("VMOVUPS.{Z} (SI), {K}, Z0")
		p("VMOVUPS.{Z} (DI), {K}, Z1")
		p("VFMADD231PS Z0, Z1, Z16")
	})
	g.reduce("VADDPS", 16)
	g.p("VMOVSS X16, ret+24(FP)")
	g.ret()

	g.open(": returns Σ x·y·z.", "dot3", "(n int, x, y, z *float32) float32", 36)
	g.arguments("x:SI y:DI z:R8")
	g.p("VPXORQ Z16, Z16, Z16")
	g.over("SI DI R8", func(p emit) {
		p("VMOVUPS.{Z} (SI), {K}, Z0")
		p("VMULPS.{Z} (DI), Z0, {K}, Z0")
		p("VMOVUPS.{Z} (R8), {K}, Z1")
		p("VFMADD231PS Z0, Z1, Z16")
	})
	g.reduce("VADDPS", 16)
	g.p("VMOVSS X16, ret+32(FP)")
	g.ret()
}

func (g *gen) elementwise() {
	g.open(": y = s·x.", "scale", "(n int, x, y *float32, s float32)", 28)
	g.arguments("x:SI y:DI")
	g.p("VBROADCASTSS s+24(FP), Z19")
	g.over("SI DI", func(p emit) {
		p("VMULPS.{Z} (SI), Z19, {K}, Z0")
		p("VMOVUPS Z0, {K}, (DI)")
	})
	g.ret()

	g.open(": y += s·x.", "axpy", "(n int, x, y *float32, s float32)", 28)
	g.arguments("x:SI y:DI")
	g.p("VBROADCASTSS s+24(FP), Z19")
	g.over("SI DI", func(p emit) {
		p("VMOVUPS.{Z} (SI), {K}, Z0")
		p("VMOVUPS.{Z} (DI), {K}, Z1")
		p("VFMADD231PS Z0, Z19, Z1")
		p("VMOVUPS Z1, {K}, (DI)")
	})
	g.ret()

	g.open(": z = s·x·y.", "product", "(n int, x, y, z *float32, s float32)", 36)
	g.arguments("x:SI y:R8 z:DI")
	g.p("VBROADCASTSS s+32(FP), Z19")
	g.over("SI R8 DI", func(p emit) {
		p("VMULPS.{Z} (SI), Z19, {K}, Z0")
		p("VMULPS.{Z} (R8), Z0, {K}, Z0")
		p("VMOVUPS Z0, {K}, (DI)")
	})
	g.ret()

	g.open(": z += s·x·y.", "addProduct", "(n int, x, y, z *float32, s float32)", 36)
	g.arguments("x:SI y:R8 z:DI")
	g.p("VBROADCASTSS s+32(FP), Z19")
	g.over("SI R8 DI", func(p emit) {
		p("VMULPS.{Z} (SI), Z19, {K}, Z0")
		p("VMOVUPS.{Z} (R8), {K}, Z1")
		p("VMOVUPS.{Z} (DI), {K}, Z2")
		p("VFMADD231PS Z0, Z1, Z2")
		p("VMOVUPS Z2, {K}, (DI)")
	})
	g.ret()

	g.open(": dx = keep·dx + r·(dy·gain - k·x).", "normGrad", "(n int, x, dy, gain, dx *float32, r, k, keep float32)", 52)
	g.arguments("x:SI dy:R8 gain:R9 dx:DI")
	g.p("VBROADCASTSS r+40(FP), Z19")
	g.p("VBROADCASTSS k+44(FP), Z18")
	g.p("VBROADCASTSS keep+48(FP), Z17")
	g.over("SI R8 R9 DI", func(p emit) {
		p("VMULPS.{Z} (SI), Z18, {K}, Z0")
		p("VMOVUPS.{Z} (R8), {K}, Z1")
		p("VMOVUPS.{Z} (R9), {K}, Z2")
		p("VFMSUB213PS Z0, Z2, Z1")
		p("VMULPS Z19, Z1, Z1")
		p("VMOVUPS.{Z} (DI), {K}, Z3")
		p("VFMADD231PS Z3, Z17, Z1")
		p("VMOVUPS Z1, {K}, (DI)")
	})
	g.ret()

	g.open(": rotates the pairs (a, b) by the angles whose cosines and sines are given; sign -1 rotates back.",
		"rotate", "(n int, a, b, cos, sin *float32, sign float32)", 44)
	g.arguments("a:SI b:DI cos:R8 sin:R9")
	g.p("VBROADCASTSS sign+40(FP), Z19")
	g.over("SI DI R8 R9", func(p emit) {
		p("VMOVUPS.{Z} (SI), {K}, Z0")
		p("VMOVUPS.{Z} (DI), {K}, Z1")
		p("VMOVUPS.{Z} (R8), {K}, Z2")
		p("VMULPS.{Z} (R9), Z19, {K}, Z3")
		p("VMULPS Z3, Z1, Z4")
		p("VFMSUB231PS Z2, Z0, Z4")
		p("VMULPS Z3, Z0, Z5")
		p("VFMADD231PS Z2, Z1, Z5")
		p("VMOVUPS Z4, {K}, (SI)")
		p("VMOVUPS Z5, {K}, (DI)")
	})
	g.ret()
}

// adamw: the constants are scale, β1, 1-β1, β2, 1-β2, 1/√(1-β2ᵗ), ε, rate/(1-β1ᵗ)
// and 1-rate·decay.
func (g *gen) adamw() {
	g.fn(": one step of AdamW; c holds its nine numbers.", "adamw", "(n int, w, m, v, grad, c *float32)", 6)
	g.arguments("w:DI m:SI v:R8 grad:R9 c:R10")
	for i := range 9 {
		g.p("VBROADCASTSS %d(R10), Z%d", 4*i, 20+i)
	}
	g.over("DI SI R8 R9", func(p emit) {
		p("VMULPS.{Z} (R9), Z20, {K}, Z0")
		p("VMULPS.{Z} (SI), Z21, {K}, Z1")
		p("VFMADD231PS Z0, Z22, Z1")
		p("VMULPS Z0, Z0, Z0")
		p("VMULPS.{Z} (R8), Z23, {K}, Z2")
		p("VFMADD231PS Z0, Z24, Z2")
		p("VMOVUPS Z1, {K}, (SI)")
		p("VMOVUPS Z2, {K}, (R8)")
		p("VSQRTPS Z2, Z2")
		p("VFMADD213PS Z26, Z25, Z2")
		p("VMULPS Z27, Z1, Z1")
		p("VDIVPS Z2, Z1, Z1")
		p("VMULPS.{Z} (DI), Z28, {K}, Z0")
		p("VSUBPS Z1, Z0, Z0")
		p("VMOVUPS Z0, {K}, (DI)")
	})
	g.ret()
}
