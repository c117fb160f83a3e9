package main

import "fmt"

// The direct tile reads its operands where they lie. Packing pays when a panel
// meets many others; next to a matrix of rank 16 it would take as long as the
// product.

// directRows is where the rows of A are: a base register, which stands at some
// row, and how many rows beyond, as far as an address can tell.
var directRows = func() (at [rows]string) {
	bases := []struct {
		register string
		row      int
	}{{"SI", 0}, {"R8", 3}, {"R9", 6}, {"R10", 9}, {"R11", 11}}
	for _, b := range bases {
		for _, beyond := range []int{0, 1, 2, 4, 8} {
			if r := b.row + beyond; r < rows && at[r] == "" {
				at[r] = fmt.Sprintf("(%s)(AX*%d)", b.register, beyond)
				if beyond == 0 {
					at[r] = "(" + b.register + ")"
				}
			}
		}
	}
	return at
}()

// direct: C[r, c] (+)= alpha · Σ_k A[k, r]·B[k, c], for elements of A step bytes from unit
// to unit and row bytes from row to row, and rows of B stepB bytes apart.
func (g *gen) direct() {
	g.open(": tileF32 for operands that are not packed: rows of A lie row bytes apart, its units step bytes,\n// and those of B stepB bytes.", "directF32",
		"(units int, a unsafe.Pointer, row, step int, b unsafe.Pointer, stepB int, c *float32, ldc, m int, mask uint64, acc int, alpha float32)", 92)
	for _, a := range []struct{ arg, reg string }{
		{"units+0", "DX"}, {"a+8", "SI"}, {"row+16", "AX"}, {"step+24", "BX"}, {"b+32", "DI"}, {"stepB+40", "CX"}, {"mask+72", "R12"},
	} {
		g.p("MOVQ %s(FP), %s", a.arg, a.reg)
	}
	g.p("KMOVW R12, K1")
	g.p("LEAQ (SI)(AX*2), R8")
	g.p("ADDQ AX, R8")
	g.p("LEAQ (R8)(AX*2), R9")
	g.p("ADDQ AX, R9")
	g.p("LEAQ (R9)(AX*2), R10")
	g.p("ADDQ AX, R10")
	g.p("LEAQ (R10)(AX*2), R11")
	for i := range rows {
		g.p("VPXORQ Z%d, Z%d, Z%d", i, i, i)
	}
	g.p("PCALIGN $64")
	g.l("loop")
	g.p("PREFETCHT0 (SI)(BX*8)") // where units are rows, the processor does not foresee what comes
	g.p("PREFETCHT0 (DI)(CX*8)")
	g.p("VMOVUPS.Z (DI), K1, Z16")
	for i, at := range directRows {
		g.p("VFMADD231PS.BCST %s, Z16, Z%d", at, i)
	}
	for _, r := range []string{"SI", "R8", "R9", "R10", "R11"} {
		g.p("ADDQ BX, %s", r)
	}
	g.p("ADDQ CX, DI")
	g.p("DECQ DX")
	g.p("JNZ loop")
	for _, a := range []struct{ arg, reg string }{{"c+48", "R10"}, {"ldc+56", "CX"}, {"m+64", "R11"}, {"acc+80", "R12"}} {
		g.p("MOVQ %s(FP), %s", a.arg, a.reg)
	}
	g.p("SHLQ $2, CX")
	g.p("VBROADCASTSS alpha+88(FP), Z17")
	for i := range rows {
		g.p("VMULPS Z17, Z%d, Z%d", i, i)
	}
	g.store()
}
