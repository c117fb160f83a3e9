package kerneltest

import (
	"fmt"
	"math"

	"github.com/seed-5afa5581/graft/kernels"
)

// checkSumSquares: the gradients of a whole model go into one sum, so its error
// may not grow with their number: 16 roundings are allowed.
func checkSumSquares(b *bench) {
	for _, n := range []int{0, 1, 3, 17, 65, 4097, 100_003} {
		b.run(fmt.Sprintf("SumSquares of %d", n), func() {
			x, dst := b.in(kernels.Float32, b.mat(1, n)), b.out(kernels.Float32, 1, 1)
			b.dev.SumSquares(dst.Tensor, x.Tensor)
			want := mat{1, 1, []float64{dot(x.value.v, x.value.v)}}
			b.near("dst", dst, want, want, sum(12))
		})
	}
	b.run("SumSquares of a matrix", func() {
		x, dst := b.in(kernels.Float32, b.mat(33, 65)), b.out(kernels.Float32, 1, 1)
		b.dev.SumSquares(dst.Tensor, x.Tensor)
		want := mat{1, 1, []float64{dot(x.value.v, x.value.v)}}
		b.near("dst", dst, want, want, sum(12))
	})
}

// checkAdamW: several steps, each from what the last one left.
func checkAdamW(b *bench) {
	b.each("AdamW", func(rows, cols int) {
		b.steps(rows, cols, kernels.AdamW{LR: 2e-4, Beta1: 0.8, Beta2: 0.95, Eps: 1e-3, WeightDecay: 0.1, GradScale: 0.37})
	})
	b.run("AdamW without decay", func() {
		b.steps(3, 65, kernels.AdamW{LR: 1e-2, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, GradScale: 1})
	})
	b.run("AdamW late in a run", func() {
		v := b.inout(kernels.Float32, b.mat(3, 17).abs())
		b.adamW(b.inout(kernels.Float32, b.mat(3, 17)), b.inout(kernels.Float32, b.mat(3, 17)), v, b.in(kernels.Float32, b.mat(3, 17)),
			kernels.AdamW{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01, Step: 100_000, GradScale: 1})
	})
}

func (b *bench) steps(rows, cols int, h kernels.AdamW) {
	b.Helper()
	w, m, v := b.inout(kernels.Float32, b.mat(rows, cols)), b.inout(kernels.Float32, zeros(rows, cols)), b.inout(kernels.Float32, zeros(rows, cols))
	for h.Step = 1; h.Step <= 3; h.Step++ {
		b.adamW(w, m, v, b.in(kernels.Float32, b.uneven(rows, cols)), h)
	}
}

// adamW compares one step. The moments are sums of two; the step's error is
// that of the first moment's size, for the moment itself may cancel.
func (b *bench) adamW(w, m, v, g *operand, h kernels.AdamW) {
	b.Helper()
	b.dev.AdamW(w.Tensor, m.Tensor, v.Tensor, g.Tensor, h)
	wantW, wantM, wantV := adamW(w.value, m.value, v.value, g.value, h)
	_, sizeM, _ := adamW(w.value, m.value.abs(), v.value, g.value.abs(), h)
	sizeW := w.value.abs()
	for i := range sizeW.v {
		sizeW.v[i] += math.Abs(adamStep(sizeM.v[i], wantV.v[i], h))
	}
	b.near("w", w, wantW, sizeW, sum(12))
	b.near("m", m, wantM, sizeM, sum(2))
	b.near("v", v, wantV, wantV, sum(4))
	for _, o := range []*operand{w, m, v} {
		for i, x := range b.result(o) {
			o.value.v[i] = float64(x)
		}
	}
}
