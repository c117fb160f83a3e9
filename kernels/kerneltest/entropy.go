package kerneltest

import (
	"fmt"
	"math"

	"github.com/seed-5afa5581/graft/kernels"
)

// checkCrossEntropy: losses, entropies, hits and the gradient in place.
func checkCrossEntropy(b *bench) {
	for _, spread := range []float64{1, 8, 500} {
		for _, rows := range []int{0, 1, 3, 17} {
			for _, vocabulary := range []int{1, 3, 17, 65, 300} {
				b.run(fmt.Sprintf("CrossEntropy of %d×%d, logits to %g", rows, vocabulary, 2*spread), func() {
					b.crossEntropy(b.mat(rows, vocabulary).scale(spread), b.mat(rows, 1), b.below(rows, vocabulary), kernels.CrossEntropy{})
				})
			}
		}
	}
	b.run("CrossEntropy of equal logits", func() { b.crossEntropy(zeros(2, 17), b.mat(2, 1), b.ints(0, 16), kernels.CrossEntropy{}) })
	b.run("CrossEntropy without weight", func() { b.crossEntropy(b.mat(3, 17), zeros(3, 1), b.ints(0, 16, 3), kernels.CrossEntropy{}) })
	b.run("CrossEntropy over a vocabulary", func() { b.crossEntropy(b.mat(2, 2049), b.mat(2, 1), b.ints(2048, 3), kernels.CrossEntropy{}) })
	for _, h := range []kernels.CrossEntropy{{Smoothing: 0.1}, {Penalty: 0.01}, {Smoothing: 0.3, Penalty: 0.2}} {
		for _, vocabulary := range []int{1, 3, 65, 300} {
			b.run(fmt.Sprintf("CrossEntropy of 5×%d, smoothing %g, penalty %g", vocabulary, h.Smoothing, h.Penalty), func() {
				b.crossEntropy(b.mat(5, vocabulary).scale(4), b.mat(5, 1), b.below(5, vocabulary), h)
			})
		}
	}
	b.sure()
	logits, weights, targets := b.mat(33, 65), b.mat(33, 1), b.rnd.Perm(33)
	b.alone("CrossEntropy", 33, func(from, to int) [][]float32 {
		l, stats, at := b.inout(kernels.Float32, logits.slice(from, to)), b.out(kernels.Float32, to-from, 3), make([]int32, to-from)
		for i := range at {
			at[i] = int32(targets[from+i])
		}
		b.dev.CrossEntropy(stats.Tensor, l.Tensor, b.in(kernels.Float32, weights.slice(from, to)).Tensor, b.ints(at...), kernels.CrossEntropy{Smoothing: 0.1, Penalty: 1e-3})
		return [][]float32{b.result(stats), b.result(l)}
	})
}

// crossEntropy compares one call. All its errors are relative: of the sum over
// the vocabulary, and of exponentials whose arguments reach from the largest
// logit to the smallest.
func (b *bench) crossEntropy(logits, weights mat, targets kernels.Ints, h kernels.CrossEntropy) {
	b.Helper()
	l, w, stats := b.inout(kernels.Float32, logits), b.in(kernels.Float32, weights), b.out(kernels.Float32, logits.rows, 3)
	b.dev.CrossEntropy(stats.Tensor, l.Tensor, w.Tensor, targets, h)
	loss, entropy, grad := crossEntropy(l.value, w.value, targets.Host, h)
	wantStats, sizeStats, sizeGrad := zeros(logits.rows, 3), zeros(logits.rows, 3), crossEntropySize(l.value, w.value, targets.Host, h)
	for i := range logits.rows {
		row, top, low := l.value.row(i), math.Inf(-1), math.Inf(1)
		for _, x := range row {
			top, low = math.Max(top, x), math.Min(low, x)
		}
		terms := float64(len(row)) + 16 + 2*(top-low)
		hit := 0.0
		if row[targets.Host[i]] == top {
			hit = 1
		}
		copy(wantStats.row(i), []float64{loss.v[i], entropy.v[i], hit})
		copy(sizeStats.row(i), []float64{loss.v[i] * terms, entropySize(row, top) * terms, 0})
		for j := range sizeGrad.row(i) {
			sizeGrad.row(i)[j] *= terms
		}
	}
	b.near("stats", stats, wantStats, sizeStats, bound{terms: 1})
	b.near("dlogits", l, grad, sizeGrad, bound{terms: 1})
}

// entropySize returns the size of the entropy as log Σ exp(x) - Σ p·x, from the
// largest logit on.
func entropySize(row []float64, top float64) float64 {
	rest := logSumExp(row, top)
	size := rest
	for _, x := range row {
		size += math.Exp(x-top-rest) * (top - x)
	}
	return size
}

// sure checks targets so far ahead that their probability is 1 in float32.
func (b *bench) sure() {
	b.Helper()
	for _, ahead := range []float64{17, 20, 40} {
		for _, vocabulary := range []int{2, 17, 1000} {
			b.run(fmt.Sprintf("CrossEntropy with the target %g nats ahead of %d", ahead, vocabulary), func() {
				logits := b.mat(1, vocabulary)
				logits.v[1] = ahead + 2
				l, w, stats := b.inout(kernels.Float32, logits), b.in(kernels.Float32, mat{1, 1, []float64{0.25}}), b.out(kernels.Float32, 1, 3)
				b.dev.CrossEntropy(stats.Tensor, l.Tensor, w.Tensor, b.ints(1), kernels.CrossEntropy{})
				want, _, grad := crossEntropy(l.value, w.value, []int32{1}, kernels.CrossEntropy{})
				if got := float64(b.result(stats)[0]); !(math.Abs(got-want.v[0]) <= 1e-3*want.v[0]) {
					b.fail("loss %g, want %g", got, want.v[0])
				}
				sum := 0.0
				for j, got := range b.result(l) {
					if sum += float64(got); !(math.Abs(float64(got)-grad.v[j]) <= 1e-3*math.Abs(grad.v[j])) {
						b.fail("dlogits[%d] = %g, want %g", j, got, grad.v[j])
						return
					}
				}
				if !(math.Abs(sum) <= 1e-3*math.Abs(grad.v[1])) {
					b.fail("dlogits add up to %g, beside %g at the target", sum, grad.v[1])
				}
			})
		}
	}
}
