package cpu

import (
	"math"
	"slices"

	"github.com/seed-5afa5581/graft/kernels"
)

// An attention is one call's operands, as slices.
type attention struct {
	kernels.AttentionShape
	q, k, v, out, lse []float32
	group             int // query heads that share a key/value head
}

func newAttention(out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) attention {
	return attention{AttentionShape: h, q: data(q), k: data(k), v: data(v), out: data(out), lse: data(lse), group: h.Heads / h.KVHeads}
}

// query returns row t of head h of a tensor of q's shape.
func (a *attention) query(x []float32, t, h int) []float32 {
	return x[(t*a.Heads+h)*a.Width:][:a.Width]
}

// key returns row j of key/value head h of a tensor of k's shape.
func (a *attention) key(x []float32, j, h int) []float32 {
	return x[(j*a.KVHeads+h)*a.Width:][:a.Width]
}

// keysOf returns the key rows [from, to) that query row t may see.
func (a *attention) keysOf(t int) (from, to int) {
	s, found := slices.BinarySearch(a.QStarts.Host, int32(t))
	if !found {
		s--
	}
	for a.QStarts.Host[s+1] == int32(t) { // skip empty sequences
		s++
	}
	return a.keysIn(s, t)
}

// keysIn is keysOf for a row of sequence s.
func (a *attention) keysIn(s, t int) (from, to int) {
	first, end := int(a.KStarts.Host[s]), int(a.KEnds.Host[s])
	to = end - (int(a.QStarts.Host[s+1]) - 1 - t)
	if a.Window > 0 {
		first = max(first, to-a.Window)
	}
	return first, to
}

// Attention: out = softmax(Scale·q·kᵀ)·v, a query row and head at a time.
func (d *plain) Attention(out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	a := newAttention(out, lse, q, k, v, h)
	d.split(q.Rows*h.Heads, max(1, k.Rows/4)*h.Width, func(from, to int) {
		lent := d.borrow(k.Rows)
		defer d.giveBack(lent)
		scores := lent.f32
		for i := from; i < to; i++ {
			a.forward(i/h.Heads, i%h.Heads, scores)
		}
	})
}

func (a *attention) forward(t, h int, scores []float32) {
	from, to := a.keysOf(t)
	q, kv := a.query(a.q, t, h), h/a.group
	top := float32(math.Inf(-1))
	for j := from; j < to; j++ {
		s := a.Scale * dot(q, a.key(a.k, j, kv))
		scores[j-from] = s
		top = max(top, s)
	}
	var sum float32
	for i, s := range scores[:to-from] {
		scores[i] = exp(s - top)
		sum += scores[i]
	}
	out := a.query(a.out, t, h)
	clear(out)
	for j := from; j < to; j++ {
		axpy(out, scores[j-from]/sum, a.key(a.v, j, kv))
	}
	a.lse[t*a.Heads+h] = top + float32(math.Log(float64(sum)))
}

// AttentionGrad recomputes the probabilities from lse: once along the queries
// for dq, once along the keys for dk and dv.
func (d *plain) AttentionGrad(dq, dk, dv, dout, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	a := newAttention(out, lse, q, k, v, h)
	g := attentionGrad{attention: a, dq: data(dq), dk: data(dk), dv: data(dv), dout: data(dout)}
	lent := d.borrow(q.Rows * h.Heads)
	defer d.giveBack(lent)
	delta := lent.f32
	g.delta = delta
	cost := max(1, k.Rows/4) * h.Width
	d.split(q.Rows*h.Heads, cost, func(from, to int) {
		for i := from; i < to; i++ {
			g.queryGrad(i/h.Heads, i%h.Heads)
		}
	})
	for s := range h.KStarts.Len() {
		first, n := int(h.KStarts.Host[s]), int(h.KEnds.Host[s]-h.KStarts.Host[s])
		d.split(n*h.KVHeads, cost*g.group, func(from, to int) {
			for i := from; i < to; i++ {
				g.keyGrad(s, first+i/h.KVHeads, i%h.KVHeads)
			}
		})
	}
}

type attentionGrad struct {
	attention
	dq, dk, dv, dout []float32
	delta            []float32 // dout·out of each query row and head
}

// score returns the probability of key j for query t and the gradient of the
// score before scaling.
func (g *attentionGrad) score(t, h, j int) (p, ds float32) {
	kv := h / g.group
	i := t*g.Heads + h
	p = exp(g.Scale*dot(g.query(g.q, t, h), g.key(g.k, j, kv)) - g.lse[i])
	dp := dot(g.query(g.dout, t, h), g.key(g.v, j, kv))
	return p, p * (dp - g.delta[i]) * g.Scale
}

func (g *attentionGrad) queryGrad(t, h int) {
	g.delta[t*g.Heads+h] = dot(g.query(g.dout, t, h), g.query(g.out, t, h))
	dq := g.query(g.dq, t, h)
	clear(dq)
	from, to := g.keysOf(t)
	for j := from; j < to; j++ {
		_, ds := g.score(t, h, j)
		axpy(dq, ds, g.key(g.k, j, h/g.group))
	}
}

func (g *attentionGrad) keyGrad(s, j, kv int) {
	dk, dv := g.key(g.dk, j, kv), g.key(g.dv, j, kv)
	clear(dk)
	clear(dv)
	// Query t sees keys up to its own, t + shift, and Window of them.
	end := int(g.QStarts.Host[s+1])
	shift := int(g.KEnds.Host[s]) - end
	first, last := max(int(g.QStarts.Host[s]), j-shift), end
	if g.Window > 0 {
		last = min(last, j-shift+g.Window)
	}
	for h := kv * g.group; h < (kv+1)*g.group; h++ {
		for t := first; t < last; t++ {
			p, ds := g.score(t, h, j)
			axpy(dv, p, g.query(g.dout, t, h))
			axpy(dk, ds, g.query(g.q, t, h))
		}
	}
}

// axpy: y += a·x.
func axpy(y []float32, a float32, x []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += float32(a * x[i])
	}
}

func exp(x float32) float32 { return float32(math.Exp(float64(x))) }
