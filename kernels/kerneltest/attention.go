package kerneltest

import (
	"fmt"
	"math"

	"github.com/seed-5afa5581/graft/kernels"
)

// A batch is sequences for one attention: so many queries and keys each.
type batch struct {
	heads, kvHeads, width, window int
	scale                         float64
	queries, keys                 []int
	gap                           int // key rows of nobody before each sequence
	reversed                      bool
}

var batches = []batch{
	{heads: 1, kvHeads: 1, width: 1, queries: []int{1}, keys: []int{1}},
	{heads: 4, kvHeads: 4, width: 3, queries: []int{3}, keys: []int{3}},
	{heads: 2, kvHeads: 1, width: 4, queries: []int{}, keys: []int{}, gap: 1},
	{heads: 4, kvHeads: 2, width: 17, queries: []int{17, 1, 5, 65}, keys: []int{17, 1, 5, 65}},
	{heads: 6, kvHeads: 2, width: 8, window: 4, queries: []int{17, 3, 0, 1}, keys: []int{17, 9, 0, 65}, gap: 2},
	{heads: 8, kvHeads: 1, width: 16, window: 1, queries: []int{3, 2, 1}, keys: []int{3, 17, 5}, gap: 1, reversed: true},
	{heads: 3, kvHeads: 1, width: 65, window: 7, queries: []int{65, 1}, keys: []int{65, 130}, gap: 5},
	{heads: 2, kvHeads: 2, width: 64, queries: []int{130, 3}, keys: []int{130, 70}, reversed: true, gap: 3},
	{heads: 3, kvHeads: 3, width: 5, window: 1000, queries: []int{20, 21}, keys: []int{20, 33}},
	{heads: 2, kvHeads: 1, width: 4, window: 3, queries: []int{0, 2, 1}, keys: []int{5, 2, 4}},
	{heads: 2, kvHeads: 1, width: 16, scale: 10, queries: []int{33}, keys: []int{40}, gap: 1},
}

func (s batch) String() string {
	return fmt.Sprintf("%d/%d heads of %d, window %d, queries %v, keys %v", s.heads, s.kvHeads, s.width, s.window, s.queries, s.keys)
}

// attention lays the sequences out in order, or their keys backwards, and
// returns how many rows of keys there are.
func (s batch) attention() (a attention, keys int) {
	a = attention{heads: s.heads, kvHeads: s.kvHeads, width: s.width, window: s.window, scale: s.scale}
	if a.scale == 0 {
		a.scale = 1 / math.Sqrt(float64(s.width))
	}
	a.scale = float64(float32(a.scale))
	q := 0
	for i := range s.queries {
		a.spans = append(a.spans, span{q: q, queries: s.queries[i], keys: s.keys[i]})
		q += s.queries[i]
	}
	for i := range a.spans {
		if s.reversed {
			i = len(a.spans) - 1 - i
		}
		a.spans[i].k = keys + s.gap
		keys += s.gap + a.spans[i].keys
	}
	return a, keys + s.gap
}

// owned calls visit for each key row of a sequence.
func (a attention) owned(visit func(row int)) {
	for _, s := range a.spans {
		for j := s.k; j < s.k+s.keys; j++ {
			visit(j)
		}
	}
}

// rows returns how many query rows there are.
func (a attention) rows() (n int) {
	for _, s := range a.spans {
		n += s.queries
	}
	return n
}

func (b *bench) shape(a attention) kernels.AttentionShape {
	b.Helper()
	q, k, ends := []int32{0}, []int32{}, []int32{}
	for _, s := range a.spans {
		q, k, ends = append(q, int32(s.q+s.queries)), append(k, int32(s.k)), append(ends, int32(s.k+s.keys))
	}
	return kernels.AttentionShape{Heads: a.heads, KVHeads: a.kvHeads, Width: a.width, Scale: float32(a.scale), Window: a.window,
		QStarts: b.ints(q...), KStarts: b.ints(k...), KEnds: b.ints(ends...)}
}

// keyRows returns random rows for keys or values; rows of no sequence are NaN.
func (b *bench) keyRows(a attention, rows int) mat {
	all := b.mat(rows, a.kvHeads*a.width)
	owned := zeros(rows, all.cols).each(func(float64) float64 { return math.NaN() })
	a.owned(func(row int) { copy(owned.row(row), all.row(row)) })
	return owned
}

// checkAttention: out = softmax(Scale·q·kᵀ)·v and the softmaxes' denominators.
func checkAttention(b *bench) {
	for _, s := range batches {
		b.run("Attention "+s.String(), func() {
			a, keys := s.attention()
			q := b.in(kernels.Activation, b.mat(a.rows(), a.heads*a.width))
			k, v := b.in(kernels.Activation, b.keyRows(a, keys)), b.in(kernels.Activation, b.keyRows(a, keys))
			out, lse := b.out(kernels.Activation, q.Rows, q.Cols), b.out(kernels.Float32, q.Rows, a.heads)
			b.dev.Attention(out.Tensor, lse.Tensor, q.Tensor, k.Tensor, v.Tensor, b.shape(a))
			wantOut, wantLSE := a.forward(q.value, k.value, v.value)
			sizeOut, sizeLSE := a.forwardSize(q.value, k.value, v.value, wantLSE)
			b.near("out", out, wantOut, sizeOut, bound{terms: float64(keys + a.width + 8), casts: 3})
			b.near("lse", lse, wantLSE, sizeLSE, bound{terms: float64(keys + a.width + 8), casts: 2})
		})
	}
	b.packed("Attention", false)
	b.continued()
}

// checkAttentionGrad: dq, dk and dv, but for the rows that belong to nobody.
func checkAttentionGrad(b *bench) {
	for _, s := range batches {
		b.run("AttentionGrad "+s.String(), func() {
			a, keys := s.attention()
			b.attentionGrad(a, keys)
		})
	}
	b.packed("AttentionGrad", true)
}

func (b *bench) attentionGrad(a attention, keys int) {
	b.Helper()
	q, dout := b.in(kernels.Activation, b.mat(a.rows(), a.heads*a.width)), b.in(kernels.Activation, b.mat(a.rows(), a.heads*a.width))
	k, v := b.in(kernels.Activation, b.keyRows(a, keys)), b.in(kernels.Activation, b.keyRows(a, keys))
	wantOut, wantLSE := a.forward(q.value, k.value, v.value)
	out, lse := b.in(kernels.Activation, wantOut), b.in(kernels.Float32, wantLSE)
	dq, dk, dv := b.out(kernels.Activation, q.Rows, q.Cols), b.gradTarget(a, k), b.gradTarget(a, v)
	b.dev.AttentionGrad(dq.Tensor, dk.Tensor, dv.Tensor, dout.Tensor, out.Tensor, lse.Tensor, q.Tensor, k.Tensor, v.Tensor, b.shape(a))
	wantQ, wantK, wantV := a.gradients(dout.value, q.value, k.value, v.value, wantLSE)
	sizeQ, sizeK, sizeV := a.gradientSizes(dout.value, q.value, k.value, v.value, wantLSE)
	terms := float64(keys + 2*a.width + 12)
	perKey := terms + float64(q.Rows*a.heads/a.kvHeads)
	b.near("dq", dq, wantQ, sizeQ, bound{terms, 6})
	b.near("dk", dk, wantK.plus(dk.value), sizeK, bound{perKey, 6})
	b.near("dv", dv, wantV.plus(dv.value), sizeV, bound{perKey, 4})
}

// gradTarget makes the gradient of k: NaN in the rows that must be written,
// the sentinel in those that must stay. Its value is what stays.
func (b *bench) gradTarget(a attention, k *operand) *operand {
	b.Helper()
	m := zeros(k.Rows, k.Cols).each(func(float64) float64 { return sentinel })
	a.owned(func(row int) {
		for i := range m.row(row) {
			m.set(row, i, math.NaN())
		}
	})
	o := b.inout(k.Kind, m)
	a.owned(func(row int) { clear(o.value.row(row)) })
	return o
}

// packed checks that sequences packed into one batch give to the bit what they
// give alone, ahead or with their gradients.
func (b *bench) packed(name string, grad bool) {
	b.Helper()
	a, keys := batch{heads: 4, kvHeads: 2, width: 17, window: 9, gap: 1, queries: []int{17, 1, 65, 4}, keys: []int{17, 1, 70, 40}}.attention()
	q, dout := b.mat(a.rows(), a.heads*a.width), b.mat(a.rows(), a.heads*a.width)
	k, v := b.keyRows(a, keys), b.keyRows(a, keys)
	all := make([][]float32, 5)
	b.run(name+" packed", func() { all = b.attend(a, grad, q, dout, k, v) })
	for i, s := range a.spans {
		one := a
		one.spans = []span{{queries: s.queries, keys: s.keys}}
		b.run(fmt.Sprintf("%s of sequence %d alone", name, i), func() {
			queries := func(m mat) mat { return m.slice(s.q, s.q+s.queries) }
			keys := func(m mat) mat { return m.slice(s.k, s.k+s.keys) }
			for r, got := range b.attend(one, grad, queries(q), queries(dout), keys(k), keys(v)) {
				row, rows := s.q, len(got)/s.queries
				if r > 2 { // of dk and dv
					row, rows = s.k, len(got)/s.keys
				}
				b.equal("in the batch", got, all[r][row*rows:][:len(got)])
			}
		})
	}
}

// attend returns out and lse and, with grad, dq, dk and dv.
func (b *bench) attend(a attention, grad bool, q, dout, k, v mat) (results [][]float32) {
	b.Helper()
	qs, ks, vs := b.in(kernels.Activation, q), b.in(kernels.Activation, k), b.in(kernels.Activation, v)
	out, lse, shape := b.out(kernels.Activation, q.rows, q.cols), b.out(kernels.Float32, q.rows, a.heads), b.shape(a)
	b.dev.Attention(out.Tensor, lse.Tensor, qs.Tensor, ks.Tensor, vs.Tensor, shape)
	results = [][]float32{b.result(out), b.result(lse)}
	if grad {
		dq, dk, dv := b.out(kernels.Activation, q.rows, q.cols), b.out(kernels.Activation, k.rows, k.cols), b.out(kernels.Activation, k.rows, k.cols)
		b.dev.AttentionGrad(dq.Tensor, dk.Tensor, dv.Tensor, b.in(kernels.Activation, dout).Tensor, out.Tensor, lse.Tensor, qs.Tensor, ks.Tensor, vs.Tensor, shape)
		results = append(results, b.result(dq), b.result(dk), b.result(dv))
	}
	return results
}

// continued checks that the last queries of a sequence, with its earlier keys
// from a cache, give to the bit what they give in the whole sequence.
func (b *bench) continued() {
	b.Helper()
	const n = 40
	for _, window := range []int{0, 9} {
		a := attention{heads: 4, kvHeads: 2, width: 17, window: window, scale: 0.25, spans: []span{{queries: n, keys: n}}}
		q, k, v := b.mat(n, a.heads*a.width), b.mat(n, a.kvHeads*a.width), b.mat(n, a.kvHeads*a.width)
		var whole [][]float32
		b.run("Attention of a whole sequence", func() { whole = b.attend(a, false, q, mat{}, k, v) })
		for _, s := range [][2]int{{0, 1}, {7, 8}, {n - 1, n}, {3, 33}} {
			part := a
			part.spans = []span{{queries: s[1] - s[0], keys: s[1]}}
			b.run(fmt.Sprintf("Attention of the queries %v", s), func() {
				for r, got := range b.attend(part, false, q.slice(s[0], s[1]), mat{}, k.slice(0, s[1]), v.slice(0, s[1])) {
					b.equal("in the whole sequence", got, whole[r][s[0]*len(whole[r])/n:][:len(got)])
				}
			})
		}
	}
}
