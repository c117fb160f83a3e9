package main

import "fmt"

// The direct tile reads its operands where they lie. Packing pays when a panel
// meets many others; next to a matrix of rank 16 it would take as long as the
// product.

const (
	directDoc       = ": tileF32 for operands that are not packed: rows of A lie row bytes apart, its units step bytes,\n// and those of B stepB bytes."
	directSignature = "(units int, a unsafe.Pointer, row, step int, b unsafe.Pointer, stepB int, c *float32, ldc, m int, mask uint64, acc int, alpha float32)"
	directBytes     = 92
)

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
	g.open(directDoc, "directF32", directSignature, directBytes)
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

const avx2DirectRows = 4 // of a pass

// avx2Direct is direct in passes of 4 rows, whose sums go to the stack. B is loaded
// under masks only where columns are missing.
func (g *gen) avx2Direct() {
	g.openFrame(directDoc, "directF32", directSignature, avx2Frame, directBytes)
	for _, a := range []struct{ arg, reg string }{{"a+8", "SI"}, {"row+16", "AX"}, {"step+24", "BX"}, {"stepB+40", "CX"}, {"m+64", "R11"}} {
		g.p("MOVQ %s(FP), %s", a.arg, a.reg)
	}
	g.avx2Masks(72, 12)
	for pass := range rows / avx2DirectRows {
		first := pass * avx2DirectRows
		if pass > 0 {
			g.p("CMPQ R11, $%d", first)
			g.p("JLE sums")
			g.p("LEAQ (SI)(AX*4), SI")
		}
		for i := range 2 * avx2DirectRows {
			g.p("VXORPS Y%d, Y%[1]d, Y%[1]d", i)
		}
		g.p("CMPQ DX, $0xFFFF")
		g.p("JNE some%d", pass)
		g.avx2DirectLoop(fmt.Sprint("all", pass), func(half int) { g.p("VMOVUPS %d(R13), Y%d", 32*half, 8+half) })
		g.p("JMP summed%d", pass)
		g.avx2DirectLoop(fmt.Sprint("some", pass), func(half int) { g.p("VMASKMOVPS %d(R13), Y%d, Y%d", 32*half, 12+half, 8+half) })
		g.l(fmt.Sprint("summed", pass))
		for i := range avx2DirectRows {
			for half := range 2 {
				g.p("VMOVUPS Y%d, %d(SP)", 2*i+half, (first+i)*panelBytes+32*half)
			}
		}
	}
	g.l("sums")
	g.avx2Store(48, 88)
}

// avx2DirectLoop adds all units to the sums of the rows at SI.
func (g *gen) avx2DirectLoop(label string, load func(half int)) {
	g.l(label)
	g.p("MOVQ units+0(FP), R14")
	g.p("MOVQ b+32(FP), R13")
	g.p("MOVQ SI, R8")
	g.p("LEAQ (SI)(AX*2), R9")
	g.p("ADDQ AX, R9")
	g.p("PCALIGN $32")
	g.l(label + "loop")
	g.p("PREFETCHT0 (R8)(BX*8)")
	g.p("PREFETCHT0 (R13)(CX*8)")
	load(0)
	load(1)
	for i, at := range []string{"(R8)", "(R8)(AX*1)", "(R8)(AX*2)", "(R9)"} {
		g.p("VBROADCASTSS %s, Y%d", at, 10+i%2)
		g.p("VFMADD231PS Y8, Y%d, Y%d", 10+i%2, 2*i)
		g.p("VFMADD231PS Y9, Y%d, Y%d", 10+i%2, 2*i+1)
	}
	g.p("ADDQ BX, R8")
	g.p("ADDQ BX, R9")
	g.p("ADDQ CX, R13")
	g.p("DECQ R14")
	g.p("JNZ %sloop", label)
}
