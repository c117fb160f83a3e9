package main

// peak is a loop of n turns of multiply-adds of float32 between registers, the
// most that a core does. It is what benchmarks are compared with.

const peakDoc = ": runs n turns of multiply-adds between registers and returns the operations of a turn."

func (v *x86) peak() {
	v.open(peakDoc, "peak", "(n int) int", 16)
	v.p("MOVQ n+0(FP), AX")
	for i := range 15 {
		v.op("XOR", i, i, i)
	}
	v.p("PCALIGN $32")
	v.l("loop")
	for i := range 12 {
		v.fma(i, 13, 14)
	}
	v.p("DECQ AX")
	v.p("JNZ loop")
	v.p("MOVQ $%d, ret+8(FP)", 12*2*v.bytes()/4)
	v.ret()
}
