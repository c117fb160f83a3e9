package lora

import (
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
)

// A branch is s·(x·Aᵀ)·Bᵀ beside one linear layer. It keeps nothing between
// forward and backward: u = s·x·Aᵀ is small and computed again. The factor s
// goes to products that are R wide, where it costs least.
type branch struct {
	model   *model.Model
	linear  *model.Linear
	a, b    *model.Param // [R, in], [out, R]
	scale   float32
	dropout float32
	site    uint32 // number of its dropout mask
	aware   aware
}

// String tells what decides the branch's arithmetic beside its parameters.
func (b *branch) String() string {
	return fmt.Sprintf("lora rank %d scale %v dropout %v", b.a.Value.Rows, b.scale, b.dropout)
}

// Params returns A and B.
func (b *branch) Params() []*model.Param { return []*model.Param{b.a, b.b} }

// Forward: y += u·Bᵀ.
func (b *branch) Forward(p *model.Pass, y, x kernels.Tensor) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	u, _ := b.down(p, x)
	p.Device().MatMul(y, u, b.b.Value.Matrix(), 1, true)
}

// down returns u = s·drop(x)·Aᵀ and drop(x).
func (b *branch) down(p *model.Pass, x kernels.Tensor) (u, dropped kernels.Tensor) {
	if mask := b.mask(p); mask.Rate > 0 {
		dropped = p.Arena.Like(x)
		p.Device().Dropout(dropped, x, mask, false)
		x = dropped
	}
	u = p.Arena.Activation(x.Rows, b.a.Value.Rows)
	p.Device().MatMul(u, x, b.a.Value.Matrix(), b.scale, false)
	return u, x
}

func (b *branch) mask(p *model.Pass) kernels.Dropout { return p.Dropout(b.dropout, b.site) }

// Backward: du = s·dy·B, dB += dyᵀ·u, dA += duᵀ·drop(x), dx += drop(du·A).
func (b *branch) Backward(p *model.Pass, dx, dy, x kernels.Tensor) {
	mark, dev := p.Arena.Mark(), p.Device()
	defer p.Arena.Release(mark)
	u, x := b.down(p, x)
	dev.MatMulGradWeight(b.b.Grad, dy, u, 1, p.Folds())
	du := p.Arena.Like(u)
	dev.MatMulGradInput(du, dy, b.b.Value.Matrix(), b.scale, false)
	dev.MatMulGradWeight(b.a.Grad, du, x, 1, p.Folds())
	if dx.None() {
		return
	}
	mask := b.mask(p)
	if mask.Rate == 0 {
		dev.MatMulGradInput(dx, du, b.a.Value.Matrix(), 1, true)
		return
	}
	masked := p.Arena.Like(dx)
	dev.MatMulGradInput(masked, du, b.a.Value.Matrix(), 1, false)
	dev.Dropout(dx, masked, mask, true)
}
