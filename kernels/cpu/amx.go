package cpu

import "unsafe"

// A tileShape is a configuration of the matrix unit: a palette, and of each tile
// the bytes of its rows and how many it has.
type tileShape struct {
	palette  uint8
	_        [15]byte
	rowBytes [16]uint16
	rows     [16]uint8
}

// lowTiles has, by the rows of A, the shape that amxRows needs: those of C (0 to
// 3) and A (4) are low, those of B (5 to 7) whole.
var lowTiles = func() (shapes [panel + 1]tileShape) {
	for m := 1; m <= panel; m++ {
		s := &shapes[m]
		s.palette = 1
		for t := range 8 {
			s.rowBytes[t], s.rows[t] = 64, uint8(m)
			if t > 4 {
				s.rows[t] = panel
			}
		}
	}
	return shapes
}()

// usesAMX reports whether the product is computed by the matrix unit.
func (g *gemm) usesAMX() bool { return g.bf16 && g.simd.amxBF16 != nil }

// tilesAMX runs the matrix unit over a region: 32 rows and columns at a time,
// straight into the result where it has as many.
func (g *gemm) tilesAMX(a, b []float32, r region, units int, acc bool) {
	if g.m <= panel && (g.alpha == 1 || !acc) {
		g.rowsAMX(a, b, r, units, acc)
		return
	}
	for i := r.first; i < r.last; i += 2 {
		rows := min(2*panel, g.m-i*panel)
		next := min(i+1, r.last-1) // a lone panel stands in for its neighbour
		a0, a1 := unsafe.Pointer(&a[i*g.stride]), unsafe.Pointer(&a[next*g.stride])
		done := 0
		if g.alpha == 1 && rows == 2*panel {
			if pairs := r.n / (2 * panel); pairs > 0 {
				g.simd.amxBF16(ceil(units, panel), a0, a1, unsafe.Pointer(&b[0]), g.stride*4, pairs, unsafe.Pointer(&g.c[i*panel*g.ldc+r.n0]), g.ldc*4, flag(acc))
				done = pairs * 2 * panel
			}
		}
		if done < r.n {
			g.edgeAMX(a0, a1, b[done/panel*g.stride:], i*panel, rows, r.n0+done, r.n-done, units, acc)
		}
	}
}

// edgeAMX computes rows and columns that do not fill the matrix unit, or are to
// be scaled, beside the result.
func (g *gemm) edgeAMX(a0, a1 unsafe.Pointer, b []float32, row, rows, col, cols, units int, acc bool) {
	ld := up(cols, 2*panel)
	lent := g.borrow(2 * panel * ld)
	defer g.giveBack(lent)
	c, add := lent.f32, acc && g.alpha == 1
	for i := 0; i < rows && add; i++ {
		copy(c[i*ld:][:cols], g.c[(row+i)*g.ldc+col:])
	}
	g.simd.amxBF16(ceil(units, panel), a0, a1, unsafe.Pointer(&b[0]), g.stride*4, ld/(2*panel), unsafe.Pointer(&c[0]), ld*4, flag(add))
	for i := range rows {
		to := g.c[(row+i)*g.ldc+col:][:cols]
		switch {
		case g.alpha == 1:
			copy(to, c[i*ld:])
		case acc:
			g.simd.axpy(cols, &c[i*ld], &to[0], g.alpha)
		default:
			g.simd.scale(cols, &c[i*ld], &to[0], g.alpha)
		}
	}
}

// rowsAMX is tilesAMX for a product of up to 16 rows, such as the one of a token
// that follows a text: the matrix unit takes time by the row. With acc they are not
// to be scaled.
func (g *gemm) rowsAMX(a, b []float32, r region, units int, acc bool) {
	const group = 4 * panel
	groups := r.n / group
	if groups > 0 {
		g.simd.amxRows(unsafe.Pointer(&lowTiles[g.m]), ceil(units, panel), unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), g.stride*4, groups,
			unsafe.Pointer(&g.c[r.n0]), g.ldc*4, flag(acc))
		for i := 0; i < g.m && g.alpha != 1; i++ {
			row := &g.c[i*g.ldc+r.n0]
			g.simd.scale(groups*group, row, row, g.alpha)
		}
	}
	if done := groups * group; done < r.n {
		one := unsafe.Pointer(&a[0])
		g.edgeAMX(one, one, b[done/panel*g.stride:], 0, g.m, r.n0+done, r.n-done, units, acc)
	}
}
