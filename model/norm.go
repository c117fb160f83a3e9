package model

import "github.com/seed-5afa5581/graft/kernels"

// A Norm is RMSNorm with a gain: y = x/√(mean(x²)+ε)·gain.
type Norm struct {
	Name  string
	Gain  kernels.Tensor // [1, C]
	Param *Param         // Gain, if it trains
	Eps   float32
}

// A normSaved is what Norm.Backward needs of Norm.Forward.
type normSaved struct{ x, rstd kernels.Tensor }

// Forward writes y = norm(x). x, y [N, C].
func (n *Norm) Forward(p *Pass, y, x kernels.Tensor) normSaved {
	rstd := p.Arena.Float32(x.Rows, 1)
	p.dev.RMSNorm(y, rstd, x, n.Gain, n.Eps)
	return normSaved{x, rstd}
}

// Backward writes dx, or adds to it with acc, and adds to the gain's gradient
// if it trains. folds are the runs of the rows of x.
func (n *Norm) Backward(p *Pass, dx, dy kernels.Tensor, s normSaved, folds kernels.Ints, acc bool) {
	var dgain kernels.Tensor
	if n.Param != nil {
		dgain = n.Param.Grad
	}
	p.dev.RMSNormGrad(dx, dgain, dy, s.x, s.rstd, n.Gain, folds, acc)
}

func (n *Norm) trains() bool { return n.Param != nil }

func (n *Norm) params() []*Param { return appendParam(nil, n.Param) }
