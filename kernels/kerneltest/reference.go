package kerneltest

import (
	"math"

	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
)

// The functions below are the definitions of kernels.Device in float64, one
// loop an index. They return what an operation writes, or adds where it adds.

// matMul returns alpha·x·Wᵀ.
func matMul(x, w mat, alpha float64) mat {
	y := zeros(x.rows, w.rows)
	for t := range x.rows {
		for o := range w.rows {
			y.set(t, o, alpha*dot(x.row(t), w.row(o)))
		}
	}
	return y
}

// matMulGradInput returns alpha·dy·W.
func matMulGradInput(dy, w mat, alpha float64) mat {
	dx := zeros(dy.rows, w.cols)
	for t := range dy.rows {
		for o := range w.rows {
			for i := range w.cols {
				dx.add(t, i, alpha*dy.at(t, o)*w.at(o, i))
			}
		}
	}
	return dx
}

// matMulGradWeight returns alpha·dyᵀ·x.
func matMulGradWeight(dy, x mat, alpha float64) mat {
	dw := zeros(dy.cols, x.cols)
	for t := range x.rows {
		for o := range dy.cols {
			for i := range x.cols {
				dw.add(o, i, alpha*dy.at(t, o)*x.at(t, i))
			}
		}
	}
	return dw
}

// addBias returns y[t] + b.
func addBias(y, b mat) mat {
	sum := zeros(y.rows, y.cols)
	for t := range y.rows {
		for c := range y.cols {
			sum.set(t, c, y.at(t, c)+b.at(0, c))
		}
	}
	return sum
}

// addBiasGrad returns Σ dy[t].
func addBiasGrad(dy mat) mat {
	db := zeros(1, dy.cols)
	for t := range dy.rows {
		for c := range dy.cols {
			db.add(0, c, dy.at(t, c))
		}
	}
	return db
}

// rmsNorm returns x·rstd·gain and rstd = 1/√(mean(x²)+eps).
func rmsNorm(x, gain mat, eps float64) (y, rstd mat) {
	y, rstd = zeros(x.rows, x.cols), zeros(x.rows, 1)
	for n := range x.rows {
		mean := dot(x.row(n), x.row(n)) / float64(x.cols)
		rstd.set(n, 0, 1/math.Sqrt(mean+eps))
		for c := range x.cols {
			y.set(n, c, x.at(n, c)*rstd.at(n, 0)*gain.at(0, c))
		}
	}
	return y, rstd
}

// rmsNormGrad returns rstd·(dy·gain - x·rstd²·mean(dy·gain·x)) and Σ dy·x·rstd.
func rmsNormGrad(dy, x, rstd, gain mat) (dx, dgain mat) {
	dx, dgain = zeros(x.rows, x.cols), zeros(1, x.cols)
	for n := range x.rows {
		r, mean := rstd.at(n, 0), 0.0
		for c := range x.cols {
			mean += dy.at(n, c) * gain.at(0, c) * x.at(n, c) / float64(x.cols)
		}
		for c := range x.cols {
			dx.set(n, c, r*(dy.at(n, c)*gain.at(0, c)-x.at(n, c)*r*r*mean))
			dgain.add(0, c, dy.at(n, c)*x.at(n, c)*r)
		}
	}
	return dx, dgain
}

// rmsNormGradSize returns the sizes of what rmsNormGrad adds up.
func rmsNormGradSize(dy, x, rstd, gain mat) (dx, dgain mat) {
	dx, dgain = rmsNormGrad(dy.abs(), x.abs(), rstd, gain.abs())
	for n := range x.rows { // the one difference becomes a sum
		for c := range x.cols {
			dx.set(n, c, 2*rstd.at(n, 0)*math.Abs(dy.at(n, c)*gain.at(0, c))-dx.at(n, c))
		}
	}
	return dx, dgain
}

// rope rotates the pairs (i, i+R/2) of each head by the cosines and sines of
// its position's row of table.
func rope(x, table mat, positions []int32, heads int, inverse bool) mat {
	y := mat{x.rows, x.cols, append([]float64(nil), x.v...)}
	width, half := x.cols/heads, table.cols/2
	for t := range x.rows {
		angles := table.row(int(positions[t]))
		for h := range heads {
			for i := range half {
				cos, sin := angles[i], angles[half+i]
				if inverse {
					sin = -sin
				}
				a, b := x.at(t, h*width+i), x.at(t, h*width+half+i)
				y.set(t, h*width+i, a*cos-b*sin)
				y.set(t, h*width+half+i, b*cos+a*sin)
			}
		}
	}
	return y
}

// ropeSize returns the sizes of what rope adds up.
func ropeSize(x, table mat, positions []int32, heads int) mat {
	ahead, back := rope(x.abs(), table.abs(), positions, heads, false), rope(x.abs(), table.abs(), positions, heads, true)
	for i := range ahead.v { // one of the two has the sum, the other the difference
		ahead.v[i] = math.Max(ahead.v[i], back.v[i])
	}
	return ahead
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// swiGLU returns silu(gate)·up.
func swiGLU(gate, up mat) mat {
	y := zeros(gate.rows, gate.cols)
	for i, g := range gate.v {
		y.v[i] = g * sigmoid(g) * up.v[i]
	}
	return y
}

// swiGLUGrad returns dy·up·σ·(1 + gate·(1-σ)) and dy·silu(gate).
func swiGLUGrad(dy, gate, up mat) (dgate, dup mat) {
	dgate, dup = zeros(gate.rows, gate.cols), zeros(gate.rows, gate.cols)
	for i, g := range gate.v {
		dgate.v[i] = dy.v[i] * up.v[i] * sigmoid(g) * (1 + g*sigmoid(-g))
		dup.v[i] = dy.v[i] * g * sigmoid(g)
	}
	return dgate, dup
}

// embedGrad returns the sums of the rows of dx that have the same id.
func embedGrad(dx mat, ids []int32, vocabulary int) mat {
	dw := zeros(vocabulary, dx.cols)
	for t, id := range ids {
		for c := range dx.cols {
			dw.add(int(id), c, dx.at(t, c))
		}
	}
	return dw
}

// crossEntropy returns each row's loss -log p(target), its entropy -Σ p·log p,
// and the gradient weight·(p·(1 + 2·Penalty·log Z) - (1-Smoothing)·onehot(target) -
// Smoothing/V).
func crossEntropy(logits, weights mat, targets []int32, h kernels.CrossEntropy) (loss, entropy, grad mat) {
	n := logits.rows
	loss, entropy, grad = zeros(n, 1), zeros(n, 1), zeros(n, logits.cols)
	smoothing, penalty := float64(h.Smoothing), float64(h.Penalty)
	for i := range n {
		target, norm := int(targets[i]), logZ(logits.row(i))
		for j := range logits.cols {
			logP := -logSumExp(logits.row(i), logits.at(i, j))
			p := math.Exp(logP)
			entropy.add(i, 0, -p*logP)
			d := p
			if j == target {
				loss.set(i, 0, -logP)
				d = math.Expm1(logP) + smoothing
			}
			grad.set(i, j, weights.at(i, 0)*(d+2*penalty*norm*p-smoothing/float64(logits.cols)))
		}
	}
	return loss, entropy, grad
}

// crossEntropySize returns the sizes of what the gradient of crossEntropy adds up.
func crossEntropySize(logits, weights mat, targets []int32, h kernels.CrossEntropy) mat {
	_, _, size := crossEntropy(logits, weights, targets, kernels.CrossEntropy{})
	size = size.abs()
	for i := range logits.rows {
		weight, norm := math.Abs(weights.at(i, 0)), logZ(logits.row(i))
		for j := range logits.cols {
			p := math.Exp(-logSumExp(logits.row(i), logits.at(i, j)))
			size.add(i, j, weight*(2*float64(h.Penalty)*math.Abs(norm)*p+float64(h.Smoothing)/float64(logits.cols)))
		}
		size.add(i, int(targets[i]), weight*float64(h.Smoothing))
	}
	return size
}

// logZ returns log Σ exp(x).
func logZ(x []float64) float64 { return x[0] + logSumExp(x, x[0]) }

// logSumExp returns log Σ exp(x - origin), right to the last bits even where it
// is nearly 0.
func logSumExp(x []float64, origin float64) float64 {
	top, others, skipped := origin, 0.0, false
	for _, v := range x {
		top = math.Max(top, v)
	}
	for _, v := range x {
		if v == top && !skipped {
			skipped = true
			continue
		}
		others += math.Exp(v - top)
	}
	return top - origin + math.Log1p(others)
}

// dropoutMask returns 1 where an element is kept and 0 where it is dropped.
func dropoutMask(d kernels.Dropout, cols int) mat {
	mask := zeros(d.Samples.Len(), cols)
	for t := range mask.rows {
		for c := range cols {
			counter := [4]uint32{uint32(c / 4), uint32(d.Positions.Host[t]), uint32(d.Samples.Host[t]), d.Step}
			word := random.Block(counter, random.Key(d.Seed, random.Dropout+d.Site))[c%4]
			if float64(word) >= float64(d.Rate)*(1<<32) {
				mask.set(t, c, 1)
			}
		}
	}
	return mask
}

// adamW returns weights, means and squares after one step.
func adamW(w, m, v, g mat, h kernels.AdamW) (w1, m1, v1 mat) {
	w1, m1, v1 = zeros(w.rows, w.cols), zeros(w.rows, w.cols), zeros(w.rows, w.cols)
	for i := range w.v {
		grad := g.v[i] * h.GradScale
		m1.v[i] = h.Beta1*m.v[i] + (1-h.Beta1)*grad
		v1.v[i] = h.Beta2*v.v[i] + (1-h.Beta2)*grad*grad
		w1.v[i] = w.v[i] - h.LR*h.WeightDecay*w.v[i] - adamStep(m1.v[i], v1.v[i], h)
	}
	return w1, m1, v1
}

// adamStep returns LR/(1-β1ᵗ) · m / (√v/√(1-β2ᵗ) + Eps).
func adamStep(m, v float64, h kernels.AdamW) float64 {
	mean := m / (1 - math.Pow(h.Beta1, float64(h.Step)))
	return h.LR * mean / (math.Sqrt(v)/math.Sqrt(1-math.Pow(h.Beta2, float64(h.Step))) + h.Eps)
}
