package cpu

import (
	"math"

	"github.com/seed-5afa5581/graft/kernels"
)

// CrossEntropy works a row at a time in float64. The denominator is kept as 1 +
// rest, rest the sum over all but the largest logit, so that neither the loss
// log1p(rest) nor the gradient -rest/(1+rest) of a sure target rounds to 0.
func (d *plain) CrossEntropy(stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy) {
	st, l, w, v := data(stats), data(logits), data(weights), logits.Cols
	d.split(logits.Rows, v, func(from, to int) {
		for i := from; i < to; i++ {
			crossEntropy(st[3*i:3*i+3], l[i*v:(i+1)*v], int(targets.Host[i]), w[i], h)
		}
	})
}

func crossEntropy(stats, l []float32, target int, weight float32, h kernels.CrossEntropy) {
	best := 0
	for j, x := range l {
		if x > l[best] {
			best = j
		}
	}
	top := float64(l[best])
	var rest, weighted float64 // Σ exp(l-top) and Σ exp(l-top)·(l-top), without best
	for j, x := range l {
		if j == best {
			continue
		}
		if e := math.Exp(float64(x) - top); e != 0 {
			rest += e
			weighted += e * (float64(x) - top)
		}
	}
	z, logZ := 1+rest, math.Log1p(rest)
	atTarget := float64(l[target])
	stats[0] = float32(logZ + (top - atTarget))
	stats[1] = float32(logZ - weighted/z)
	stats[2] = 0
	if atTarget == top {
		stats[2] = 1
	}
	miss := math.Exp(atTarget-top)/z - 1 // p(target) - 1
	if target == best {
		miss = -rest / z
	}
	o := newObjective(h, len(l), top+logZ)
	for j, x := range l {
		l[j] = weight * float32(o.share*math.Exp(float64(x)-top)/z-o.even)
	}
	l[target] = weight * float32(o.atTarget(miss))
}

// An objective is the gradient of a row's objective, put as p·share - even
// where the target is not.
type objective struct{ share, even, smoothing float64 }

func newObjective(h kernels.CrossEntropy, vocabulary int, logZ float64) objective {
	s := float64(h.Smoothing)
	return objective{share: 1 + 2*float64(h.Penalty)*logZ, even: s / float64(vocabulary), smoothing: s}
}

// atTarget returns the gradient at the target, p·share - (1-smoothing) - even,
// from miss = p - 1.
func (o objective) atTarget(miss float64) float64 {
	return miss + (o.share-1)*(1+miss) + o.smoothing - o.even
}
