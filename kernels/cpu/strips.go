package cpu

import (
	"math"
	"slices"

	"github.com/seed-5afa5581/graft/kernels"
)

// Attention by strips: the scores of some queries of one head and all the keys
// that they may see are a product, and so is what becomes of them. A strip is
// the only piece of the matrix of scores that is ever in memory.

// stripRows is how many queries a strip has.
const stripRows = 64

// A strip is queries [first, last) of one sequence, and its keys [from, to).
type strip struct{ sequence, first, last, from, to int }

// eachStrip lists the strips of sequence s. Keys begin at a multiple of
// blockUnits from the sequence's first, so that how a row's sum over keys is cut
// does not depend on the strip it is in.
func (a *attention) eachStrip(s int, do func(strip)) {
	for first := int(a.QStarts.Host[s]); first < int(a.QStarts.Host[s+1]); first += stripRows {
		last := min(int(a.QStarts.Host[s+1]), first+stripRows)
		start := int(a.KStarts.Host[s])
		from, _ := a.keysIn(s, first)
		_, to := a.keysIn(s, last-1)
		do(strip{s, first, last, start + (from-start)/blockUnits*blockUnits, to})
	}
}

// strips lists those of every sequence.
func (a *attention) strips() (list []strip) {
	for s := range a.KStarts.Len() {
		a.eachStrip(s, func(t strip) { list = append(list, t) })
	}
	return list
}

// queries returns rows of head h of a tensor of q's shape as an operand.
func (a *attention) queries(x []float32, t strip, h int, across bool) operand {
	return operand{f32: x[(t.first*a.Heads+h)*a.Width:], ld: a.Heads * a.Width, across: across}
}

// keys returns rows of key/value head h of a tensor of k's shape as an operand.
func (a *attention) keys(x []float32, t strip, h int, across bool) operand {
	return operand{f32: x[(t.from*a.KVHeads+h)*a.Width:], ld: a.KVHeads * a.Width, across: across}
}

// A sheet is a strip's matrix [queries, keys].
type sheet struct {
	f32  []float32
	ld   int
	sums []float32 // two, for the row at hand
}

func (s sheet) operand(across bool) operand { return operand{f32: s.f32, ld: s.ld, across: across} }

// row returns the part of row i between two keys, and clears the rest.
func (s sheet) row(i, from, to int) []float32 {
	row := s.f32[i*s.ld:][:s.ld]
	clear(row[:from])
	clear(row[to:])
	return row[from:to]
}

// Attention: out = softmax(Scale·q·kᵀ)·v.
func (d *Device) Attention(out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	if d.simd == nil || h.Width == 0 {
		d.plain.Attention(out, lse, q, k, v, h)
		return
	}
	a := newAttention(out, lse, q, k, v, h)
	strips := a.strips()
	if lone(strips) && len(strips)*h.KVHeads >= d.workers {
		d.do(len(strips)*h.KVHeads, each(func(i int) { d.attend(&a, strips[i/h.KVHeads], i%h.KVHeads*a.group, a.group) }))
		return
	}
	d.do(len(strips)*h.Heads, each(func(i int) { d.attend(&a, strips[len(strips)-1-i/h.Heads], i%h.Heads, 1) })) // the longest first
}

// lone reports whether strips are of one query each.
func lone(strips []strip) bool {
	return !slices.ContainsFunc(strips, func(t strip) bool { return t.last > t.first+1 })
}

// attend computes a strip of a head, or of a lone query some heads from h on that
// share their keys: these are packed once.
func (d *Device) attend(a *attention, t strip, h, heads int) {
	n, keys, kv, queries := (t.last-t.first)*heads, t.to-t.from, h/a.group, a.queries(a.q, t, h, false)
	if heads > 1 {
		queries.ld = a.Width
	}
	lent := d.borrow(n*keys + 2)
	defer d.giveBack(lent)
	p := sheet{lent.f32, keys, lent.f32[n*keys:]}
	d.multiplyHere(product{attention: true, m: n, n: keys, k: a.Width, a: queries, b: a.keys(a.k, t, kv, false), c: p.f32, ldc: p.ld, alpha: a.Scale})
	for i := range n {
		from, to := a.keysIn(t.sequence, t.first+i/heads)
		row := p.row(i, from-t.from, to-t.from)
		top := d.simd.largest(len(row), &row[0])
		d.simd.expSums(len(row), &row[0], &row[0], &p.sums[0], top)
		d.simd.scale(len(row), &row[0], &row[0], 1/p.sums[0])
		a.lse[(t.first+i/heads)*a.Heads+h+i%heads] = top + float32(math.Log(float64(p.sums[0])))
	}
	d.multiplyHere(product{
		attention: true, m: n, n: a.Width, k: keys, a: p.operand(false), b: a.keys(a.v, t, kv, true),
		c: a.out[(t.first*a.Heads+h)*a.Width:], ldc: queries.ld, alpha: 1, whole: true,
	})
}

// AttentionGrad recomputes the probabilities from lse, strip by strip. Heads are
// computed apart and those that share keys and values added in order.
func (d *Device) AttentionGrad(dq, dk, dv, dout, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	if d.simd == nil || h.Width == 0 {
		d.plain.AttentionGrad(dq, dk, dv, dout, out, lse, q, k, v, h)
		return
	}
	a := newAttention(out, lse, q, k, v, h)
	size := k.Rows * h.Width // of one head
	lent := d.borrow(2 * h.Heads * size)
	defer d.giveBack(lent)
	g := headGrads{
		attentionGrad: attentionGrad{attention: a, dq: data(dq), dk: data(dk), dv: data(dv), dout: data(dout)},
		dkHeads:       lent.f32[:h.Heads*size], dvHeads: lent.f32[h.Heads*size:], size: size,
	}
	sequences := h.KStarts.Len()
	d.do(sequences*h.Heads, each(func(i int) { d.attendGrad(&g, i/h.Heads, i%h.Heads) }))
	for s := range sequences {
		first := int(h.KStarts.Host[s])
		d.split((int(h.KEnds.Host[s])-first)*h.KVHeads, h.Width*g.group, func(from, to int) {
			for i := from; i < to; i++ {
				d.addHeads(&g, first+i/h.KVHeads, i%h.KVHeads)
			}
		})
	}
}

// headGrads are the gradients of keys and values by query head, [Heads][Tk, Width].
type headGrads struct {
	attentionGrad
	dkHeads, dvHeads []float32
	size             int // of one head
}

// ofHead returns the rows of a head's gradient from a key on.
func (g *headGrads) ofHead(x []float32, h, key int) []float32 { return x[h*g.size+key*g.Width:] }

// attendGrad computes one sequence of one head.
func (d *Device) attendGrad(g *headGrads, s, h int) {
	first, n := int(g.KStarts.Host[s]), int(g.KEnds.Host[s]-g.KStarts.Host[s])
	clear(g.ofHead(g.dkHeads, h, first)[:n*g.Width])
	clear(g.ofHead(g.dvHeads, h, first)[:n*g.Width])
	g.eachStrip(s, func(t strip) { d.stripGrad(g, t, h) })
}

func (d *Device) stripGrad(g *headGrads, t strip, h int) {
	n, keys, kv := t.last-t.first, t.to-t.from, h/g.group
	lent := d.borrow(2*n*keys + 2)
	defer d.giveBack(lent)
	sums := lent.f32[2*n*keys:]
	p, ds := sheet{lent.f32[:n*keys], keys, sums}, sheet{lent.f32[n*keys : 2*n*keys], keys, sums}
	scores := product{attention: true, m: n, n: keys, k: g.Width, a: g.queries(g.q, t, h, false), b: g.keys(g.k, t, kv, false), c: p.f32, ldc: keys, alpha: g.Scale}
	d.multiplyHere(scores)
	scores.a, scores.b, scores.c, scores.alpha = g.queries(g.dout, t, h, false), g.keys(g.v, t, kv, false), ds.f32, 1
	d.multiplyHere(scores)
	for i := range n {
		d.scoreGrad(g, t, h, i, p, ds)
	}
	d.multiplyHere(product{
		attention: true, m: n, n: g.Width, k: keys, a: ds.operand(false), b: g.keys(g.k, t, kv, true),
		c: g.dq[(t.first*g.Heads+h)*g.Width:], ldc: g.Heads * g.Width, alpha: 1, whole: true,
	})
	grad := product{attention: true, m: keys, n: g.Width, k: n, a: p.operand(true), b: g.queries(g.dout, t, h, true), c: g.ofHead(g.dvHeads, h, t.from), ldc: g.Width, alpha: 1, acc: true}
	d.multiplyHere(grad)
	grad.a, grad.b, grad.c = ds.operand(true), g.queries(g.q, t, h, true), g.ofHead(g.dkHeads, h, t.from)
	d.multiplyHere(grad)
}

// scoreGrad turns row i of the scores into probabilities and that of their
// gradient into the gradient of the scores: p·(dp - dout·out)·Scale.
func (d *Device) scoreGrad(g *headGrads, t strip, h, i int, p, ds sheet) {
	from, to := g.keysIn(t.sequence, t.first+i)
	row, grad := p.row(i, from-t.from, to-t.from), ds.row(i, from-t.from, to-t.from)
	d.simd.expSums(len(row), &row[0], &row[0], &p.sums[0], g.lse[(t.first+i)*g.Heads+h])
	dout, out := g.query(g.dout, t.first+i, h), g.query(g.out, t.first+i, h)
	delta := d.simd.dot(g.Width, &dout[0], &out[0])
	d.simd.product(len(row), &row[0], &grad[0], &grad[0], g.Scale)
	d.simd.axpy(len(row), &row[0], &grad[0], -g.Scale*delta)
}

// addHeads adds the gradients of one key and value of the heads that share them.
func (d *Device) addHeads(g *headGrads, key, kv int) {
	dk, dv := g.key(g.dk, key, kv), g.key(g.dv, key, kv)
	for i := range g.group {
		h := kv*g.group + i
		k, v := g.ofHead(g.dkHeads, h, key), g.ofHead(g.dvHeads, h, key)
		if i == 0 {
			copy(dk, k[:g.Width])
			copy(dv, v[:g.Width])
			continue
		}
		d.simd.axpy(g.Width, &k[0], &dk[0], 1)
		d.simd.axpy(g.Width, &v[0], &dv[0], 1)
	}
}
