//go:build cuda

package cuda

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
)

// Matrices that take several pieces of pinned memory, and lookups that take several
// pieces of scratch memory, are whole.
func TestLookupInPieces(t *testing.T) {
	d := open(t, Config{})
	const rows, cols = 16, 300_001
	var data []byte
	for i := range rows * cols {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(i)))
	}
	if _, most := GatherScratch(rows, 4*cols); most >= rows || len(data) <= staging {
		t.Fatal("one piece is enough")
	}
	arena := kernels.NewArena(d)
	defer arena.Free()
	order := []int32{3, 15, 15, 0, 7, 8, 1}
	ids, x := arena.Ints(order), arena.Float32(len(order), cols)
	for _, lookup := range []bool{false, true} {
		w, err := d.NewMatrix(kernels.Weights{Rows: rows, Cols: cols, Format: kernels.F32, Data: data, Lookup: lookup})
		if err != nil {
			t.Fatal(err)
		}
		if onHost := w.Mem.(*memory).address == 0; onHost != lookup {
			t.Errorf("lookup %v: on the host %v", lookup, onHost)
		}
		d.Fill(x, -1)
		d.Embed(x, w, ids)
		equals(t, d, x, func(i, c int) float32 { return float32(int(order[i])*cols + c) })
		d.Expand(x, w, 9)
		equals(t, d, x, func(i, c int) float32 { return float32((9+i)*cols + c) })
		d.Free(w.Mem)
	}
	if err := d.Sync(); err != nil {
		t.Error(err)
	}
}

// equals compares the elements of x.
func equals(t *testing.T, d *Device, x kernels.Tensor, want func(i, c int) float32) {
	t.Helper()
	got, all := make([]float32, x.Len()), make([]float32, x.Len())
	d.Read(got, x)
	for i := range all {
		all[i] = want(i/x.Cols, i%x.Cols)
	}
	if !slices.Equal(got, all) {
		t.Error("rows differ")
	}
}
