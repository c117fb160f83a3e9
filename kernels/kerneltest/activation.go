package kerneltest

import (
	"math"

	"github.com/seed-5afa5581/graft/kernels"
)

// gates returns random gates, some far out on both sides.
func (b *bench) gates(rows, cols int) mat {
	gate := b.mat(rows, cols).scale(4)
	for i, x := range []float64{-100, 100, 0, -88.5, 20, -20, -30000, 30000} {
		if at := i * 7; at < len(gate.v) {
			gate.v[at] = x
		}
	}
	return gate
}

// expTerms is how many roundings an exponential may pass on: of its argument,
// as often as its argument is large, and a few of its own. Beyond 88 it has left
// float32.
func expTerms(x float64) float64 { return 12 + 4*math.Min(math.Abs(x), 88) }

// weigh returns |m| times the roundings that the exponentials of gate bring in.
func weigh(m, gate mat) mat {
	size := m.abs()
	for i, g := range gate.v {
		size.v[i] *= expTerms(g)
	}
	return size
}

// checkSwiGLU: y = silu(gate)·up, far out too.
func checkSwiGLU(b *bench) {
	b.each("SwiGLU", func(rows, cols int) {
		gate, up := b.in(kernels.Activation, b.gates(rows, cols)), b.in(kernels.Activation, b.mat(rows, cols))
		y := b.out(kernels.Activation, rows, cols)
		b.dev.SwiGLU(y.Tensor, gate.Tensor, up.Tensor)
		want := swiGLU(gate.value, up.value)
		b.near("y", y, want, weigh(want, gate.value), bound{terms: 1})
	})
	gate, up := b.mat(130, 70), b.mat(130, 70)
	b.alone("SwiGLU", 130, func(from, to int) [][]float32 {
		y := b.out(kernels.Activation, to-from, 70)
		b.dev.SwiGLU(y.Tensor, b.in(kernels.Activation, gate.slice(from, to)).Tensor, b.in(kernels.Activation, up.slice(from, to)).Tensor)
		return [][]float32{b.result(y)}
	})
}

// checkSwiGLUGrad: dgate and dup, apart or in place of gate and up.
func checkSwiGLUGrad(b *bench) {
	b.each("SwiGLUGrad", func(rows, cols int) {
		dy := b.in(kernels.Activation, b.mat(rows, cols))
		gate, up := b.in(kernels.Activation, b.gates(rows, cols)), b.in(kernels.Activation, b.mat(rows, cols))
		dgate, dup := b.out(kernels.Activation, rows, cols), b.out(kernels.Activation, rows, cols)
		b.dev.SwiGLUGrad(dgate.Tensor, dup.Tensor, dy.Tensor, gate.Tensor, up.Tensor)
		wantGate, wantUp := swiGLUGrad(dy.value, gate.value, up.value)
		b.near("dgate", dgate, wantGate, weigh(swiGLUGradSize(dy.value, gate.value, up.value), gate.value), bound{terms: 1})
		b.near("dup", dup, wantUp, weigh(wantUp, gate.value), bound{terms: 1})

		inGate, inUp := b.inout(kernels.Activation, gate.value), b.inout(kernels.Activation, up.value)
		b.dev.SwiGLUGrad(inGate.Tensor, inUp.Tensor, dy.Tensor, inGate.Tensor, inUp.Tensor)
		b.exact("dgate in place", inGate, b.result(dgate))
		b.exact("dup in place", inUp, b.result(dup))
	})
	dy, gate, up := b.mat(130, 70), b.mat(130, 70), b.mat(130, 70)
	b.alone("SwiGLUGrad", 130, func(from, to int) [][]float32 {
		dgate, dup := b.inout(kernels.Activation, gate.slice(from, to)), b.inout(kernels.Activation, up.slice(from, to))
		b.dev.SwiGLUGrad(dgate.Tensor, dup.Tensor, b.in(kernels.Activation, dy.slice(from, to)).Tensor, dgate.Tensor, dup.Tensor)
		return [][]float32{b.result(dgate), b.result(dup)}
	})
}

// swiGLUGradSize returns the sizes of what dgate adds up.
func swiGLUGradSize(dy, gate, up mat) mat {
	size := zeros(gate.rows, gate.cols)
	for i, g := range gate.v {
		size.v[i] = math.Abs(dy.v[i]*up.v[i]) * sigmoid(g) * (1 + math.Abs(g)*sigmoid(-g))
	}
	return size
}
