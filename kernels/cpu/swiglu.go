package cpu

import "github.com/seed-5afa5581/graft/kernels"

// SwiGLU: y = gate·σ(gate)·up.
func (d *plain) SwiGLU(y, gate, up kernels.Tensor) {
	out, g, u := data(y), data(gate), data(up)
	d.split(len(out), 1, func(from, to int) {
		for i := from; i < to; i++ {
			out[i] = g[i] / (1 + exp(-g[i])) * u[i]
		}
	})
}

// SwiGLUGrad: dgate = dy·up·σ·(1 + gate·(1-σ)), dup = dy·gate·σ.
func (d *plain) SwiGLUGrad(dgate, dup, dy, gate, up kernels.Tensor) {
	dg, du, dout, g, u := data(dgate), data(dup), data(dy), data(gate), data(up)
	d.split(len(dg), 1, func(from, to int) {
		for i := from; i < to; i++ {
			x, y, grad := g[i], u[i], dout[i]
			e := exp(-x)
			s := 1 / (1 + e)
			rest := e * s // 1-σ without the cancellation
			if e > 1e30 {
				rest = 1
			}
			dg[i] = grad * y * s * (1 + float32(x*rest))
			du[i] = grad * x * s
		}
	})
}
