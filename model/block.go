package model

import "github.com/seed-5afa5581/graft/kernels"

// A Block is one layer of the transformer:
//
//	x += attention(norm(x)); x += mlp(norm(x))
//
// It is the unit of recompute: what Forward saves can be computed again from
// its input alone.
type Block struct {
	Index     int
	Norm1     Norm
	Attention Attention
	Norm2     Norm
	MLP       MLP
}

// A blockSaved is what Block.Backward needs of Block.Forward.
type blockSaved struct {
	norm1, norm2 normSaved
	attention    attentionSaved
	mlp          mlpSaved
}

// Forward writes y, the residual stream [T, C], from the one before, x, which may
// be y itself where nothing is to be saved, and need not be Float32 where y is
// none. Without y it only saves.
func (b *Block) Forward(p *Pass, y, x kernels.Tensor) (s blockSaved) {
	mid, h1, h2 := p.Arena.Float32(x.Rows, x.Cols), p.Arena.Activation(x.Rows, x.Cols), p.Arena.Activation(x.Rows, x.Cols)
	s.norm1 = b.Norm1.Forward(p, h1, x)
	p.dev.Copy(mid, x)
	s.attention = b.Attention.Forward(p, mid, h1, b.Index)
	s.norm2 = b.Norm2.Forward(p, h2, mid)
	if !y.None() {
		p.dev.Copy(y, mid)
	}
	s.mlp = b.MLP.Forward(p, y, h2)
	return s
}

// Backward turns dx, the gradient of the block's output, into that of its
// input, or, without below, only as far as the block's own parameters need.
func (b *Block) Backward(p *Pass, dx kernels.Tensor, s blockSaved, below bool) {
	intoAttention := below || b.Norm1.trains() || b.Attention.trains()
	mark := p.Arena.Mark()
	dh := p.gradIf(intoAttention || b.Norm2.trains(), dx)
	b.MLP.Backward(p, dh, dx, s.mlp)
	if !dh.None() {
		b.Norm2.Backward(p, dx, dh, s.norm2, p.rows.folds, true)
	}
	p.Arena.Release(mark)
	if !intoAttention {
		return
	}
	dh = p.gradIf(below || b.Norm1.trains(), dx)
	b.Attention.Backward(p, dh, dx, s.attention)
	if !dh.None() {
		b.Norm1.Backward(p, dx, dh, s.norm1, p.rows.folds, true)
	}
}

func (b *Block) trains() bool {
	return b.Norm1.trains() || b.Attention.trains() || b.Norm2.trains() || b.MLP.trains()
}

func (b *Block) params() (ps []*Param) {
	ps = append(ps, b.Norm1.params()...)
	ps = append(ps, b.Attention.params()...)
	ps = append(ps, b.Norm2.params()...)
	return append(ps, b.MLP.params()...)
}
