//go:build cuda

package cuda

import (
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
)

var (
	attend        = entry("attend", 32, 0)
	attendDelta   = entry("attend_delta", 32, 0)
	attendQueries = entry("attend_queries", 32, 0)
	attendKeys    = entry("attend_keys", 32, 0)

	flash64  = newFlash(64, 64, 64)
	flash128 = newFlash(128, 64, 32)
)

// flashTile is how many queries, or keys, a block of the flash kernels has.
const flashTile = 64

// A flash is the kernels of src/flash.cu for heads up to one width.
type flash struct{ forward, queries, keys *kernel }

// newFlash describes the kernels that take so many keys a step ahead, and so
// many keys or queries back.
func newFlash(width, ahead, back int) flash {
	bytes := func(lines int) int { return 2 * width * lines }
	name := fmt.Sprint("_", width)
	return flash{
		forward: entry("flash"+name, 128, bytes(flashTile+2*ahead)),
		queries: entry("flash_queries"+name, 128, bytes(2*flashTile+2*back)),
		keys:    entry("flash_keys"+name, 128, bytes(2*flashTile+2*back)+2*4*back),
	}
}

// fits returns the kernels for heads of a shape whose rows lie in tensors at
// multiples of 16 bytes.
func fits(h kernels.AttentionShape, ts ...kernels.Tensor) (f flash, ok bool) {
	if h.Width%8 != 0 || h.Width > 128 || !(h.Scale > 0) {
		return f, false
	}
	for _, t := range ts {
		if t.Kind != kernels.Activation || address(t)%16 != 0 {
			return f, false
		}
	}
	if h.Width <= 64 {
		return flash64, true
	}
	return flash128, true
}

// shape passes the parameters SHAPE of src/attention.h.
func (l *launch) shape(h kernels.AttentionShape) {
	l.vectors(h.QStarts, h.KStarts, h.KEnds)
	l.ints(h.KStarts.Len(), h.Heads, h.KVHeads, h.Width)
	l.floats(float64(h.Scale))
	l.ints(h.Window)
}

// longest returns the most queries and the most keys of a sequence.
func longest(h kernels.AttentionShape) (queries, keys int) {
	for s, from := range h.KStarts.Host {
		queries = max(queries, int(h.QStarts.Host[s+1]-h.QStarts.Host[s]))
		keys = max(keys, int(h.KEnds.Host[s]-from))
	}
	return queries, keys
}

// Attention: out = softmax(Scale·q·kᵀ)·v over the keys that a query may see.
func (d *Device) Attention(out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	var l launch
	if f, ok := fits(h, out, q, k, v); ok {
		l.pointers(out, lse, q, k, v)
		l.shape(h)
		queries, _ := longest(h)
		d.run(f.forward, grid{blocks(queries, flashTile), h.Heads, h.KStarts.Len()}, &l)
		return
	}
	l.tensors(out)
	l.pointers(lse)
	l.tensors(q, k, v)
	l.shape(h)
	d.run(attend, grid{q.Rows, h.Heads, 1}, &l)
}

// AttentionGrad writes dq, dk and dv, from probabilities computed again.
func (d *Device) AttentionGrad(dq, dk, dv, dout, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	delta := d.borrow(AttentionScratch(q.Rows, h.Heads))
	defer d.giveBack()
	var l launch
	l.word(delta)
	l.tensors(dout, out)
	l.ints(h.Heads, h.Width)
	d.run(attendDelta, grid{q.Rows, h.Heads, 1}, &l)

	queries, keys := longest(h)
	if f, ok := fits(h, dq, dk, dv, dout, q, k, v); ok {
		pass := func(l *launch, ts ...kernels.Tensor) { l.pointers(ts...) }
		d.run(f.queries, grid{blocks(queries, flashTile), h.Heads, h.KStarts.Len()}, gradient(pass, delta, dout, lse, q, k, v, h, dq))
		d.run(f.keys, grid{blocks(keys, flashTile), h.KVHeads, h.KStarts.Len()}, gradient(pass, delta, dout, lse, q, k, v, h, dk, dv))
		return
	}
	pass := func(l *launch, ts ...kernels.Tensor) { l.tensors(ts...) }
	d.run(attendQueries, grid{q.Rows, h.Heads, 1}, gradient(pass, delta, dout, lse, q, k, v, h, dq))
	d.run(attendKeys, grid{keys, h.KVHeads, h.KStarts.Len()}, gradient(pass, delta, dout, lse, q, k, v, h, dk, dv))
}

// gradient passes the operands of a kernel that writes results; pass passes
// tensors as that kernel takes them.
func gradient(pass func(*launch, ...kernels.Tensor), delta uint64, dout, lse, q, k, v kernels.Tensor, h kernels.AttentionShape, results ...kernels.Tensor) *launch {
	var l launch
	pass(&l, results...)
	pass(&l, dout)
	l.pointers(lse)
	l.word(delta)
	pass(&l, q, k, v)
	l.shape(h)
	return &l
}
