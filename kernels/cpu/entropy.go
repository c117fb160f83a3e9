package cpu

import (
	"math"

	"github.com/seed-5afa5581/graft/kernels"
)

// CrossEntropy works a row at a time in float64. The denominator is kept as 1 +
// rest, rest the sum over all but the largest logit, so that neither the loss
// log1p(rest) nor the gradient -rest/(1+rest) of a sure target rounds to 0.
func (d *plain) CrossEntropy(stats, logits, weights kernels.Tensor, targets kernels.Ints) {
	st, l, w, v := data(stats), data(logits), data(weights), logits.Cols
	d.split(logits.Rows, v, func(from, to int) {
		for i := from; i < to; i++ {
			crossEntropy(st[3*i:3*i+3], l[i*v:(i+1)*v], int(targets.Host[i]), w[i])
		}
	})
}

func crossEntropy(stats, l []float32, target int, weight float32) {
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
	for j, x := range l {
		l[j] = weight * float32(math.Exp(float64(x)-top)/z)
	}
	if target == best {
		l[target] = weight * float32(-rest/z)
	} else {
		l[target] = weight * float32(math.Exp(atTarget-top)/z-1)
	}
}
