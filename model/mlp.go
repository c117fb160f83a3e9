package model

import "github.com/seed-5afa5581/graft/kernels"

// MLP is the gated feed-forward layer: down(silu(gate(x))·up(x)).
type MLP struct{ Gate, Up, Down Linear }

// An mlpSaved is what MLP.Backward needs of MLP.Forward.
type mlpSaved struct{ x, gate, up, hidden kernels.Tensor }

// Forward adds the layer's result for x to the residual stream y, unless y is
// none. x, y [T, C].
func (m *MLP) Forward(p *Pass, y, x kernels.Tensor) mlpSaved {
	s := mlpSaved{x: x, gate: p.Arena.Activation(x.Rows, m.Gate.Out())}
	s.up, s.hidden = p.Arena.Like(s.gate), p.Arena.Like(s.gate)
	p.held(x, func() {
		m.Gate.Forward(p, s.gate, x, false)
		m.Up.Forward(p, s.up, x, false)
	})
	p.dev.SwiGLU(s.hidden, s.gate, s.up)
	if !y.None() {
		m.Down.Forward(p, y, s.hidden, true)
	}
	return s
}

// Backward writes dx, unless it is none, from the residual stream's gradient dy.
// It writes over what was saved.
func (m *MLP) Backward(p *Pass, dx, dy kernels.Tensor, s mlpSaved) {
	if dx.None() && !m.Gate.trains() && !m.Up.trains() {
		m.Down.Backward(p, kernels.Tensor{}, dy, s.hidden, false)
		return
	}
	dhidden := p.Arena.Like(s.hidden)
	m.Down.Backward(p, dhidden, dy, s.hidden, false)
	p.dev.SwiGLUGrad(s.gate, s.up, dhidden, s.gate, s.up)
	p.held(s.x, func() {
		m.Gate.Backward(p, dx, s.gate, s.x, false)
		m.Up.Backward(p, dx, s.up, s.x, true)
	})
}

func (m *MLP) trains() bool { return m.Gate.trains() || m.Up.trains() || m.Down.trains() }

func (m *MLP) params() []*Param {
	return append(append(m.Gate.params(), m.Up.params()...), m.Down.params()...)
}
