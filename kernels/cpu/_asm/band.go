package main

// On cores with two units for 512-bit multiply-adds the loads of the tile of 16
// by 16, 17 for 16 multiply-adds, are the limit. A band is 8 rows by pairs of
// panels: 10 loads for as many. Its rows are half of a packed panel, or lie in
// memory as they are: what it takes to bring them is then hidden behind the
// multiply-adds, which no packing beforehand is.

const (
	bandRows   = 8
	bandUnroll = 4
)

// bandArgs are the arguments of the two functions; row is alongF32's alone.
var bandArgs = []struct{ name, group string }{
	{"units", "units int"}, {"a", "a unsafe.Pointer"}, {"row", "row int"}, {"b", "b unsafe.Pointer"}, {"width", "width, pairs int"}, {"pairs", ""},
	{"c", "c *float32"}, {"ldc", "ldc, m int"}, {"m", ""}, {"mask", "mask uint64"}, {"acc", "acc int"}, {"ahead", "ahead uintptr"}, {"alpha", "alpha float32"},
}

// A band writes bandF32 or, for rows that are not packed, alongF32.
type band struct {
	*gen
	along bool
	at    map[string]int // where the arguments are
}

func (g *gen) band(along bool) {
	b := &band{g, along, map[string]int{}}
	signature, size := "", 0
	for _, a := range bandArgs {
		if a.name == "row" && !along {
			continue
		}
		if a.group != "" {
			signature += ", " + a.group
		}
		b.at[a.name] = size
		size += 8
	}
	name, doc := "bandF32", ": C[r,c] (+)= alpha·Σ A[k,r]·B[k,c] over units units, for m rows, at most 8, of a packed panel and pairs of packed\n"+
		"// panels of B that lie width bytes apart; of the last pair for the columns of mask. From ahead on, which need not be\n// mapped, 64 bytes are fetched every four units."
	if along {
		name, doc = "alongF32", ": bandF32 for 8 rows that lie row bytes apart. Of the rows that begin at ahead one is fetched for every pair."
	}
	g.open(doc, name, "("+signature[2:]+")", size-4)
	b.body()
}

// load loads an argument.
func (b *band) load(arg, reg string) { b.p("MOVQ %s+%d(FP), %s", arg, b.at[arg], reg) }

func (b *band) body() {
	b.load("b", "DI")
	b.load("width", "R13")
	b.load("c", "R15")
	b.load("ldc", "CX")
	if b.along {
		b.load("row", "DX")
	}
	b.p("ADDQ DI, R13")
	b.p("SHLQ $2, CX")
	b.p("VBROADCASTSS alpha+%d(FP), Z22", b.at["alpha"])
	b.p("KXNORW K1, K1, K1")
	b.p("KMOVW K1, K2")
	b.load("ahead", "R14")
	b.l("pair")
	b.p("CMPQ pairs+%d(FP), $1", b.at["pairs"])
	b.p("JNE whole")
	b.load("mask", "R9")
	b.p("KMOVW R9, K1")
	b.p("SHRQ $16, R9")
	b.p("KMOVW R9, K2")
	b.l("whole")
	b.start()
	b.units()
	b.p("MOVQ R15, R10")
	b.load("m", "R11")
	b.load("acc", "R12")
	b.store()
	b.l("done")
	b.p("ADDQ $128, R15")
	b.load("width", "R9")
	b.p("LEAQ (DI)(R9*2), DI")
	b.p("LEAQ (R13)(R9*2), R13")
	b.p("DECQ pairs+%d(FP)", b.at["pairs"])
	b.p("JNZ pair")
	b.ret()
}

// start clears the sums and fetches where they go.
func (b *band) start() {
	b.p("MOVQ R15, R9")
	for i := range bandRows {
		b.p("PREFETCHT0 (R9)")
		b.p("PREFETCHT0 64(R9)")
		if i < bandRows-1 {
			b.p("ADDQ CX, R9")
		}
	}
	for i := range 2 * bandRows {
		b.p("VPXORQ Z%d, Z%d, Z%d", i, i, i)
	}
	b.load("a", "SI")
	if b.along {
		b.p("LEAQ (SI)(DX*2), R8")
		b.p("ADDQ DX, R8")
		b.p("LEAQ (R8)(DX*2), R10")
		b.p("ADDQ DX, R10")
		b.p("MOVQ R14, R9")
		b.p("ADDQ DX, R14")
	}
}

// units adds up the units, four at a time. BX counts bytes of a panel.
func (b *band) units() {
	b.p("XORQ BX, BX")
	b.load("units", "AX")
	b.p("SUBQ $%d, AX", bandUnroll)
	b.p("JLT rest")
	b.p("PCALIGN $64")
	b.l("loop")
	if b.along {
		b.p("PREFETCHT1 (R9)")
		b.p("ADDQ $%d, R9", 4*bandUnroll)
	} else {
		b.p("PREFETCHT1 (R14)")
		b.p("ADDQ $64, R14")
	}
	for k := range bandUnroll {
		b.unit(k)
	}
	b.advance(bandUnroll)
	b.p("SUBQ $%d, AX", bandUnroll)
	b.p("JGE loop")
	b.l("rest")
	b.p("ADDQ $%d, AX", bandUnroll)
	b.p("JZ store")
	b.l("single")
	b.unit(0)
	b.advance(1)
	b.p("DECQ AX")
	b.p("JNZ single")
	b.l("store")
}

// alongRows is where the rows of A are, of four units.
var alongRows = [bandRows]string{"(SI)", "(SI)(DX*1)", "(SI)(DX*2)", "(R8)", "(SI)(DX*4)", "(R8)(DX*2)", "(R10)", "(R8)(DX*4)"}

// unit adds unit k of those at hand.
func (b *band) unit(k int) {
	b.p("VMOVUPS %d(DI)(BX*1), Z16", k*panelBytes)
	b.p("VMOVUPS %d(R13)(BX*1), Z17", k*panelBytes)
	for i := range bandRows {
		a := 18 + i%4
		if b.along {
			b.p("VBROADCASTSS %d%s, Z%d", 4*k, alongRows[i], a)
		} else {
			b.p("VBROADCASTSS %d(SI)(BX*1), Z%d", k*panelBytes+4*i, a)
		}
		b.p("VFMADD231PS Z16, Z%d, Z%d", a, 2*i)
		b.p("VFMADD231PS Z17, Z%d, Z%d", a, 2*i+1)
	}
}

func (b *band) advance(units int) {
	if b.along {
		for _, r := range []string{"SI", "R8", "R10"} {
			b.p("ADDQ $%d, %s", 4*units, r)
		}
	}
	b.p("ADDQ $%d, BX", units*panelBytes)
}

// store writes the sums, under the masks and as far as there are rows: C =
// alpha·sum, or C += alpha·sum.
func (b *band) store() {
	row := func(i int, acc bool) {
		if i > 0 {
			b.p("CMPQ R11, $%d", i)
			b.p("JLE done")
		}
		for half := range 2 {
			sum := 2*i + half
			if acc {
				b.p("VMOVUPS.Z %d(R10), K%d, Z%d", 64*half, half+1, 16+half)
				b.p("VFMADD231PS Z22, Z%d, Z%d", sum, 16+half)
				b.p("VMOVUPS Z%d, K%d, %d(R10)", 16+half, half+1, 64*half)
			} else {
				b.p("VMULPS Z22, Z%d, Z%d", sum, sum)
				b.p("VMOVUPS Z%d, K%d, %d(R10)", sum, half+1, 64*half)
			}
		}
		b.p("ADDQ CX, R10")
	}
	b.p("TESTQ R12, R12")
	b.p("JZ plain")
	for i := range bandRows {
		row(i, true)
	}
	b.p("JMP done")
	b.l("plain")
	for i := range bandRows {
		row(i, false)
	}
}
