//go:build cuda

package cuda

import (
	"testing"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
)

// TestCard logs what the other tests run on, and how much of its memory is in use:
// the context, which plans guess, where nothing else runs there.
func TestCard(t *testing.T) {
	d := open(t, Config{})
	t.Logf("card: %s, %d MiB in use", d.Info().Detail, used(t, d)>>20)
}

var (
	probeMMA      = entry("probe_mma", 32, 0)
	probeLdmatrix = entry("probe_ldmatrix", 32, 32*8*2)
)

// pairs returns 16-bit numbers, two to a word, as an Ints on the device.
func pairs(t *testing.T, d *Device, halves []uint16) kernels.Ints {
	t.Helper()
	words := make([]int32, len(halves)/2)
	for i := range words {
		words[i] = int32(uint32(halves[2*i]) | uint32(halves[2*i+1])<<16)
	}
	return ints(t, d, words...)
}

// words reads 32-bit words that a probe wrote to t.
func words(d *Device, t kernels.Tensor) []uint32 {
	v := make([]uint32, t.Len())
	d.fetch(bytesOf(v), address(t))
	return v
}

// The tensor cores take and give fragments as the PTX manual lays them out: with
// g = lane/4 and t = 2·(lane%4), of A [16,16] the pairs (g,t), (g+8,t), (g,t+8) and
// (g+8,t+8), of B [16,8] those at (t,g) and (t+8,g), of D [16,8] (g,t) and (g+8,t).
// Small whole numbers are exact in bfloat16.
func TestFragmentLayout(t *testing.T) {
	d := open(t, Config{Blocking: true})
	rnd := random.New(5, random.Sample, 1)
	var a [16][16]int
	var b [16][8]int
	for i := range 16 {
		for j := range 16 {
			a[i][j] = rnd.Intn(31) - 15
		}
		for j := range 8 {
			b[i][j] = rnd.Intn(31) - 15
		}
	}
	half := func(v int) uint16 { return float16.ToBF16(float32(v)) }
	var left, right []uint16
	for lane := range 32 {
		g, k := lane/4, lane%4*2
		for q := range 4 {
			row, col := g+q%2*8, k+q/2*8
			left = append(left, half(a[row][col]), half(a[row][col+1]))
		}
		for q := range 2 {
			right = append(right, half(b[k+q*8][g]), half(b[k+q*8+1][g]))
		}
	}
	sums := placed(t, d, kernels.Float32, 32, 4, 0, make([]float32, 128))
	var l launch
	l.pointers(sums)
	l.vectors(pairs(t, d, left), pairs(t, d, right))
	d.run(probeMMA, grid{1, 1, 1}, &l)
	got := contents(d, sums)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	for lane := range 32 {
		for q := range 4 {
			row, col, want := lane/4+q/2*8, lane%4*2+q%2, 0
			for k := range 16 {
				want += a[row][k] * b[k][col]
			}
			if got[4*lane+q] != float32(want) {
				t.Fatalf("lane %d, register %d is %g, but element [%d,%d] of the product is %d", lane, q, got[4*lane+q], row, col, want)
			}
		}
	}
}

// ldmatrix gives lane l the pair at column 2·(l%4) of line l/4 of each matrix, or
// of its transpose; lanes 8q to 8q+7 name the lines of matrix q.
func TestLdmatrixLayout(t *testing.T) {
	d := open(t, Config{Blocking: true})
	lines := make([]uint16, 32*8)
	for i := range lines {
		lines[i] = uint16(1000 + i)
	}
	rows := make([]int32, 32)
	for i := range rows {
		rows[i] = int32(i * 11 % 32)
	}
	plain := placed(t, d, kernels.Float32, 32, 4, 0, make([]float32, 128))
	across := placed(t, d, kernels.Float32, 32, 4, 0, make([]float32, 128))
	var l launch
	l.pointers(plain, across)
	l.vectors(pairs(t, d, lines), ints(t, d, rows...))
	d.run(probeLdmatrix, grid{1, 1, 1}, &l)
	gotPlain, gotAcross := words(d, plain), words(d, across)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	element := func(matrix, line, col int) uint32 { return uint32(lines[int(rows[8*matrix+line])*8+col]) }
	for lane := range 32 {
		for q := range 4 {
			i, j := lane/4, lane%4*2
			if want := element(q, i, j) | element(q, i, j+1)<<16; gotPlain[4*lane+q] != want {
				t.Fatalf("lane %d, matrix %d: %#x, want %#x", lane, q, gotPlain[4*lane+q], want)
			}
			if want := element(q, j, i) | element(q, j+1, i)<<16; gotAcross[4*lane+q] != want {
				t.Fatalf("lane %d, transpose of matrix %d: %#x, want %#x", lane, q, gotAcross[4*lane+q], want)
			}
		}
	}
}
