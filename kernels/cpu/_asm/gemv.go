package main

// gemv is the product of a vector with rows of a matrix in the order of AMX's
// matrix unit, which sums 32 products from zero, those with even and those with odd
// indices apart, by fused multiply-adds, and then adds both sums to the result. A lane
// is a row. The matrix unit takes denormal numbers for zero wherever they come up;
// here MXCSR has to say so.
func (g *gen) gemv() {
	const (
		even, odd, sum, high = "Z12", "Z13", "Z14", "Z15"
	)
	g.openFrame(": C = A·B, or += with acc, for steps times 32 elements of a, float32 that are bfloat16, and of 16 rows\n"+
		"// of bfloat16, ld bytes apart; it writes the elements of mask.",
		"gemvBF16", "(steps int, a *float32, b unsafe.Pointer, ld int, c *float32, mask uint64, acc int)", 8, 56)
	for _, a := range []struct{ arg, reg string }{{"steps+0", "AX"}, {"a+8", "DI"}, {"b+16", "SI"}, {"ld+24", "CX"}, {"c+32", "R9"}, {"mask+40", "BX"}, {"acc+48", "DX"}} {
		g.p("MOVQ %s(FP), %s", a.arg, a.reg)
	}
	g.setFlushing()
	g.p("KMOVW BX, K1")
	g.p("VPXORQ %s, %[1]s, %[1]s", sum)
	g.p("TESTQ DX, DX")
	g.p("JZ start")
	g.p("VMOVUPS.Z (R9), K1, %s", sum)
	g.l("start")
	g.p("VPTERNLOGD $0xFF, %s, %[1]s, %[1]s", high)
	g.p("VPSLLD $16, %s, %[1]s", high)
	bases, offsets := g.sixteenRows()
	g.fetchRows("R13")
	ahead := []string{"BX", "DX", "R14", "R15"}
	for i, b := range bases {
		g.p("LEAQ (%s)(R13*1), %s", b, ahead[i])
	}
	g.p("PCALIGN $64")
	g.l("loop")
	g.p("VPXORQ %s, %[1]s, %[1]s", even)
	g.p("VPXORQ %s, %[1]s, %[1]s", odd)
	for quarter := range 4 {
		for _, o := range offsets {
			g.p("PREFETCHT0 (%s)%s", ahead[quarter], o)
		}
		g.turn(quarter, 0, bases, offsets)
		for i := range 4 {
			pair := 8 * (4*quarter + i)
			g.p("VPSLLD $16, Z%d, Z16", 8+i)
			g.p("VPANDD %s, Z%d, Z17", high, 8+i)
			g.p("VFMADD231PS.BCST %d(DI), Z16, %s", pair, even)
			g.p("VFMADD231PS.BCST %d(DI), Z17, %s", pair+4, odd)
		}
	}
	g.p("VADDPS %s, %s, %[2]s", odd, even)
	g.p("VADDPS %s, %s, %[2]s", even, sum)
	for _, r := range append(bases, ahead...) {
		g.p("ADDQ $64, %s", r)
	}
	g.p("ADDQ $128, DI")
	g.p("DECQ AX")
	g.p("JNZ loop")
	g.p("VMOVUPS %s, K1, (R9)", sum)
	g.p("LDMXCSR old-8(SP)")
	g.ret()
}

// setFlushing makes denormals zero; LDMXCSR old-8(SP) ends it. It takes a frame of 8
// bytes.
func (g *gen) setFlushing() {
	g.p("STMXCSR old-8(SP)")
	g.p("MOVL $0x9FC0, new-4(SP)") // no exceptions either
	g.p("LDMXCSR new-4(SP)")
}
