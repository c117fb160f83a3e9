//go:build cuda

package cuda

import "github.com/seed-5afa5581/graft/kernels"

var (
	attend        = entry("attend", 32, 0)
	attendDelta   = entry("attend_delta", 32, 0)
	attendQueries = entry("attend_queries", 32, 0)
	attendKeys    = entry("attend_keys", 32, 0)
)

// shape passes the parameters SHAPE of src/attention.cu.
func (l *launch) shape(h kernels.AttentionShape) {
	l.vectors(h.QStarts, h.KStarts, h.KEnds)
	l.ints(h.KStarts.Len(), h.Heads, h.KVHeads, h.Width)
	l.floats(float64(h.Scale))
	l.ints(h.Window)
}

// Attention: out = softmax(Scale·q·kᵀ)·v over the keys that a query may see.
func (d *Device) Attention(out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	var l launch
	l.tensors(out)
	l.pointers(lse)
	l.tensors(q, k, v)
	l.shape(h)
	d.run(attend, grid{q.Rows, h.Heads, 1}, &l)
}

// AttentionGrad writes dq, dk and dv, from probabilities computed again.
func (d *Device) AttentionGrad(dq, dk, dv, dout, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	delta := d.borrow(4 * q.Rows * h.Heads)
	defer d.giveBack()
	var sums launch
	sums.word(delta)
	sums.tensors(dout, out)
	sums.ints(h.Heads, h.Width)
	d.run(attendDelta, grid{q.Rows, h.Heads, 1}, &sums)

	operands := func(results ...kernels.Tensor) *launch {
		var l launch
		l.tensors(results...)
		l.tensors(dout)
		l.pointers(lse)
		l.word(delta)
		l.tensors(q, k, v)
		l.shape(h)
		return &l
	}
	d.run(attendQueries, grid{q.Rows, h.Heads, 1}, operands(dq))
	longest := 0
	for s, from := range h.KStarts.Host {
		longest = max(longest, int(h.KEnds.Host[s]-from))
	}
	d.run(attendKeys, grid{longest, h.KVHeads, h.KStarts.Len()}, operands(dk, dv))
}
