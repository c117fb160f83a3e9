package model

import "github.com/seed-5afa5581/graft/kernels"

// A Delta is an additive branch on a Linear: y += Δ(x). Package lora provides
// one.
type Delta interface {
	// Forward adds Δ(x) to y. x [T, in], y [T, out].
	Forward(p *Pass, y, x kernels.Tensor)
	// Backward adds Δᵀ(dy) to dx, unless dx is none, and the gradients of its own
	// parameters to them.
	Backward(p *Pass, dx, dy, x kernels.Tensor)
	// Params returns the branch's parameters in a fixed order.
	Params() []*Param
}

// A Replacer is a Delta that may stand in for the layer's weight instead of
// adding to its result: the layer then multiplies with what Weight returns, and
// Backward of the Delta gets no dx.
type Replacer interface {
	Delta
	// Weight returns the weight to use for w, and whether to.
	Weight(w kernels.Matrix) (kernels.Matrix, bool)
}

// A Merger is a Delta that can become part of its layer's weight.
type Merger interface {
	Delta
	// Merged returns W + Δ [out, in] in float32, on the host.
	Merged(w kernels.Matrix) ([]float32, error)
}

// A Linear is y = x·Wᵀ + b + Δ(x).
type Linear struct {
	Name      string         // its module's name in the checkpoint
	W         kernels.Matrix // [out, in]
	Bias      kernels.Tensor // [1, out] or none
	Delta     Delta          // nil if there is none
	Weight    *Param         // W, if it trains
	BiasParam *Param         // Bias, if it trains
}

// In returns the number of input features.
func (l *Linear) In() int { return l.W.Cols }

// Out returns the number of output features.
func (l *Linear) Out() int { return l.W.Rows }

// trains reports whether Backward has gradients to compute for it.
func (l *Linear) trains() bool { return l.Delta != nil || l.Weight != nil || l.BiasParam != nil }

func (l *Linear) params() (ps []*Param) {
	ps = appendParam(ps, l.Weight, l.BiasParam)
	if l.Delta != nil {
		ps = append(ps, l.Delta.Params()...)
	}
	return ps
}

func appendParam(ps []*Param, more ...*Param) []*Param {
	for _, p := range more {
		if p != nil {
			ps = append(ps, p)
		}
	}
	return ps
}

// Forward writes y, or adds to it with acc. x [T, in], y [T, out].
func (l *Linear) Forward(p *Pass, y, x kernels.Tensor, acc bool) {
	kernels.Hold(p.dev, x)
	defer kernels.Release(p.dev, x)
	w, replaced := l.weight()
	p.dev.MatMul(y, x, w, 1, acc)
	if !l.Bias.None() {
		p.dev.AddBias(y, l.Bias)
	}
	if l.Delta != nil && !replaced {
		l.Delta.Forward(p, y, x)
	}
}

// weight returns W, or what the Delta replaces it by.
func (l *Linear) weight() (w kernels.Matrix, replaced bool) {
	if r, ok := l.Delta.(Replacer); ok {
		if w, ok := r.Weight(l.W); ok {
			return w, true
		}
	}
	return l.W, false
}

// Backward writes dx, or adds to it with acc, unless dx is none, and adds to
// the gradients of what trains: dx = dy·W + Δᵀ(dy), dW += dyᵀ·x, db += Σ dy.
func (l *Linear) Backward(p *Pass, dx, dy, x kernels.Tensor, acc bool) {
	kernels.Hold(p.dev, dy)
	defer kernels.Release(p.dev, dy)
	w, replaced := l.weight()
	if !dx.None() {
		p.dev.MatMulGradInput(dx, dy, w, 1, acc)
	}
	if replaced {
		dx = kernels.Tensor{}
	}
	if l.Delta != nil {
		l.Delta.Backward(p, dx, dy, x)
	}
	if l.Weight != nil {
		p.dev.MatMulGradWeight(l.Weight.Grad, dy, x, 1, p.rows.folds)
	}
	if l.BiasParam != nil {
		p.dev.AddBiasGrad(l.BiasParam.Grad, dy, p.rows.folds)
	}
}
