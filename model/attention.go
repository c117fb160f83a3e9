package model

import "github.com/seed-5afa5581/graft/kernels"

// Attention is multi-head self-attention with rotary positions and grouped
// queries: o(softmax(scale·q·kᵀ)·v).
type Attention struct {
	Q, K, V, O     Linear
	QNorm, KNorm   *Norm // over each head, nil if there is none
	Heads, KVHeads int
	Width          int // D
	Window         int // 0 for none
}

// An attentionSaved is what Attention.Backward needs of Attention.Forward.
type attentionSaved struct {
	x, q, k, v, out, lse kernels.Tensor
	qNorm, kNorm         normSaved
}

// Forward adds the attention of x to the residual stream y. x, y [T, C].
func (a *Attention) Forward(p *Pass, y, x kernels.Tensor, layer int) attentionSaved {
	t := x.Rows
	s := attentionSaved{x: x, v: p.Arena.Activation(t, a.KVHeads*a.Width)}
	q, k := p.Arena.Activation(t, a.Heads*a.Width), p.Arena.Like(s.v)
	p.held(x, func() { // one after the other: a device may make one product of them
		a.Q.Forward(p, q, x, false)
		a.K.Forward(p, k, x, false)
		a.V.Forward(p, s.v, x, false)
	})
	s.q, s.qNorm = a.rotated(p, q, a.QNorm, a.Heads)
	s.k, s.kNorm = a.rotated(p, k, a.KNorm, a.KVHeads)
	k, v := s.k, s.v
	if p.cache != nil {
		k, v = p.cache.put(p, layer, k, v)
	}
	s.out, s.lse = p.Arena.Like(s.q), p.Arena.Float32(t, a.Heads)
	p.dev.Attention(s.out, s.lse, s.q, k, v, a.shape(p))
	a.O.Forward(p, y, s.out, true)
	return s
}

// rotated returns queries or keys [T, heads·D] normed and rotated.
func (a *Attention) rotated(p *Pass, q kernels.Tensor, norm *Norm, heads int) (kernels.Tensor, normSaved) {
	var s normSaved
	if norm != nil {
		raw := perHead(q, heads)
		q = p.Arena.Like(q)
		s = norm.Forward(p, perHead(q, heads), raw)
	}
	p.dev.RoPE(q, p.angles, p.rows.positions, heads, false)
	return q, s
}

// perHead returns x [T, heads·D] as [T·heads, D].
func perHead(x kernels.Tensor, heads int) kernels.Tensor {
	return x.Reshape(x.Rows*heads, x.Cols/heads)
}

func (a *Attention) shape(p *Pass) kernels.AttentionShape {
	return p.attention(a.Heads, a.KVHeads, a.Width, a.Window)
}

// Backward writes dx, unless it is none, from the residual stream's gradient dy.
func (a *Attention) Backward(p *Pass, dx, dy kernels.Tensor, s attentionSaved) {
	dout := p.Arena.Like(s.out)
	a.O.Backward(p, dout, dy, s.out, false)
	if dx.None() && !a.projectsTrain() {
		return
	}
	dq, dk, dv := p.Arena.Like(s.q), p.Arena.Like(s.k), p.Arena.Like(s.v)
	p.dev.AttentionGrad(dq, dk, dv, dout, s.out, s.lse, s.q, s.k, s.v, a.shape(p))
	dq = a.unrotated(p, dq, s.qNorm, a.QNorm, a.Heads)
	dk = a.unrotated(p, dk, s.kNorm, a.KNorm, a.KVHeads)
	p.held(s.x, func() {
		a.Q.Backward(p, dx, dq, s.x, false)
		a.K.Backward(p, dx, dk, s.x, true)
		a.V.Backward(p, dx, dv, s.x, true)
	})
}

// unrotated returns the gradient before rotation and norm.
func (a *Attention) unrotated(p *Pass, dq kernels.Tensor, s normSaved, norm *Norm, heads int) kernels.Tensor {
	p.dev.RoPE(dq, p.angles, p.rows.positions, heads, true)
	if norm == nil {
		return dq
	}
	raw := p.Arena.Like(dq)
	norm.Backward(p, perHead(raw, heads), perHead(dq, heads), s, p.headFolds(heads), false)
	return raw
}

// projectsTrain reports whether anything up to q, k and v trains.
func (a *Attention) projectsTrain() bool {
	return a.Q.trains() || a.K.trains() || a.V.trains() || a.QNorm != nil && (a.QNorm.trains() || a.KNorm.trains())
}

func (a *Attention) trains() bool { return a.O.trains() || a.projectsTrain() }

func (a *Attention) params() (ps []*Param) {
	for _, l := range []*Linear{&a.Q, &a.K, &a.V, &a.O} {
		ps = append(ps, l.params()...)
	}
	if a.QNorm != nil {
		ps = append(append(ps, a.QNorm.params()...), a.KNorm.params()...)
	}
	return ps
}
