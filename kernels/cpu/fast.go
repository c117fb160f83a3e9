package cpu

import (
	"math"

	"github.com/seed-5afa5581/graft/kernels"
)

// The operations that have assembly. Each falls back to plain Go.

// MatMul: y = alpha·x·Wᵀ.
func (d *Device) MatMul(y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	if d.simd == nil {
		d.plain.MatMul(y, x, w, alpha, acc)
		return
	}
	d.multiply(product{
		m: x.Rows, n: w.Rows, k: w.Cols, a: tensorOperand(x, false), b: matrixOperand(w, false),
		c: data(y), ldc: y.Cols, alpha: alpha, acc: acc,
	})
}

// MatMulGradInput: dx = alpha·dy·W.
func (d *Device) MatMulGradInput(dx, dy kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	if d.simd == nil {
		d.plain.MatMulGradInput(dx, dy, w, alpha, acc)
		return
	}
	d.multiply(product{
		m: dy.Rows, n: w.Cols, k: w.Rows, a: tensorOperand(dy, false), b: matrixOperand(w, true),
		c: data(dx), ldc: dx.Cols, alpha: alpha, acc: acc,
	})
}

// MatMulGradWeight: dw += alpha·dyᵀ·x, run by run.
func (d *Device) MatMulGradWeight(dw, dy, x kernels.Tensor, alpha float32, folds kernels.Ints) {
	if d.simd == nil {
		d.plain.MatMulGradWeight(dw, dy, x, alpha, folds)
		return
	}
	eachRun(folds, x.Rows, func(from, to int) {
		d.multiply(product{
			m: dw.Rows, n: dw.Cols, k: to - from, a: tensorOperand(dy.Slice(from, to), true), b: tensorOperand(x.Slice(from, to), true),
			c: data(dw), ldc: dw.Cols, alpha: alpha, acc: true,
		})
	})
}

// AddBias: y[t] += b.
func (d *Device) AddBias(y, b kernels.Tensor) {
	if d.simd == nil || y.Cols == 0 {
		d.plain.AddBias(y, b)
		return
	}
	out, bias, c := data(y), data(b), y.Cols
	d.split(y.Rows, c, func(from, to int) {
		for t := from; t < to; t++ {
			d.simd.axpy(c, &bias[0], &out[t*c], 1)
		}
	})
}

// RMSNorm: y = x·rstd·gain.
func (d *Device) RMSNorm(y, rstd, x, gain kernels.Tensor, eps float32) {
	if d.simd == nil || x.Cols == 0 {
		d.plain.RMSNorm(y, rstd, x, gain, eps)
		return
	}
	out, inv, in, g, c := data(y), data(rstd), data(x), data(gain), x.Cols
	d.split(x.Rows, c, func(from, to int) {
		for n := from; n < to; n++ {
			mean := float64(d.simd.dot(c, &in[n*c], &in[n*c])) / float64(c)
			inv[n] = float32(1 / math.Sqrt(mean+float64(eps)))
			d.simd.product(c, &in[n*c], &g[0], &out[n*c], inv[n])
		}
	})
}

// RMSNormGrad: dx = rstd·(dy·gain - x·rstd²·mean(dy·gain·x)).
func (d *Device) RMSNormGrad(dx, dgain, dy, x, rstd, gain kernels.Tensor, folds kernels.Ints, acc bool) {
	if d.simd == nil || x.Cols == 0 {
		d.plain.RMSNormGrad(dx, dgain, dy, x, rstd, gain, folds, acc)
		return
	}
	din, dout, in, inv, g, c := data(dx), data(dy), data(x), data(rstd), data(gain), x.Cols
	if !dgain.None() {
		d.gainGrad(data(dgain), dout, in, inv, x.Rows, c, folds)
	}
	d.split(x.Rows, c, func(from, to int) {
		for n := from; n < to; n++ {
			if !acc {
				clear(din[n*c : (n+1)*c]) // it may hold a NaN
			}
			k := d.simd.dot3(c, &dout[n*c], &g[0], &in[n*c]) / float32(c) * inv[n] * inv[n]
			d.simd.normGrad(c, &in[n*c], &dout[n*c], &g[0], &din[n*c], inv[n], k, 1)
		}
	})
}

// gainGrad: dgain += Σ dy·x·rstd, run by run.
func (d *Device) gainGrad(dgain, dy, x, rstd []float32, n, c int, folds kernels.Ints) {
	d.split(c, n, func(from, to int) {
		lent := d.borrow(to - from)
		defer d.giveBack(lent)
		sum := lent.f32
		eachRun(folds, n, func(first, end int) {
			clear(sum)
			for t := first; t < end; t++ {
				d.simd.addProduct(to-from, &x[t*c+from], &dy[t*c+from], &sum[0], rstd[t])
			}
			d.simd.axpy(to-from, &sum[0], &dgain[from], 1)
		})
	})
}

// RoPE rotates the pairs (i, i+R/2) of every head of every row.
func (d *Device) RoPE(x, table kernels.Tensor, positions kernels.Ints, heads int, inverse bool) {
	if d.simd == nil || table.Cols == 0 {
		d.plain.RoPE(x, table, positions, heads, inverse)
		return
	}
	v, angles, half, width, sign := data(x), data(table), table.Cols/2, x.Cols/heads, float32(1)
	if inverse {
		sign = -1
	}
	d.split(x.Rows, x.Cols, func(from, to int) {
		for t := from; t < to; t++ {
			row := angles[int(positions.Host[t])*table.Cols:]
			for h := range heads {
				pair := v[t*x.Cols+h*width:]
				d.simd.rotate(half, &pair[0], &pair[half], &row[0], &row[half], sign)
			}
		}
	})
}

// SwiGLU: y = gate·σ(gate)·up.
func (d *Device) SwiGLU(y, gate, up kernels.Tensor) {
	if d.simd == nil {
		d.plain.SwiGLU(y, gate, up)
		return
	}
	out, g, u := data(y), data(gate), data(up)
	d.split(len(out), 1, func(from, to int) { d.simd.silu(to-from, &g[from], &u[from], &out[from]) })
}

// SwiGLUGrad: dgate = dy·up·σ·(1 + gate·(1-σ)), dup = dy·gate·σ.
func (d *Device) SwiGLUGrad(dgate, dup, dy, gate, up kernels.Tensor) {
	if d.simd == nil {
		d.plain.SwiGLUGrad(dgate, dup, dy, gate, up)
		return
	}
	dg, du, dout, g, u := data(dgate), data(dup), data(dy), data(gate), data(up)
	d.split(len(dg), 1, func(from, to int) {
		d.simd.siluGrad(to-from, &g[from], &u[from], &dout[from], &dg[from], &du[from])
	})
}

// CrossEntropy keeps the denominator as 1 + rest, as the plain one does: the
// largest logit is taken out before the exponentials are summed.
func (d *Device) CrossEntropy(stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy) {
	if d.simd == nil || logits.Cols == 0 {
		d.plain.CrossEntropy(stats, logits, weights, targets, h)
		return
	}
	st, l, w, v := data(stats), data(logits), data(weights), logits.Cols
	d.split(logits.Rows, v, func(from, to int) {
		for i := from; i < to; i++ {
			d.crossEntropy(st[3*i:3*i+3], l[i*v:(i+1)*v], int(targets.Host[i]), w[i], h)
		}
	})
}

func (d *Device) crossEntropy(stats, l []float32, target int, weight float32, h kernels.CrossEntropy) {
	n := len(l)
	top := d.simd.largest(n, &l[0])
	best := target
	if l[target] != top {
		best = index(l, top)
	}
	if best < 0 { // a NaN
		crossEntropy(stats, l, target, weight, h)
		return
	}
	behind := float64(top) - float64(l[target])
	l[best] = float32(math.Inf(-1))
	d.simd.expSums(n, &l[0], &l[0], &stats[0], top)
	rest, weighted := float64(stats[0]), float64(stats[1])
	z, logZ := 1+rest, math.Log1p(rest)
	stats[0], stats[1], stats[2] = float32(logZ+behind), float32(logZ-weighted/z), 0
	if behind == 0 {
		stats[2] = 1
	}
	miss := math.Exp(-behind)/z - 1
	if target == best {
		miss = -rest / z
	}
	o := newObjective(h, n, float64(top)+logZ)
	d.simd.scale(n, &l[0], &l[0], float32(float64(weight)*o.share/z))
	l[best] = float32(float64(weight) * o.share / z)
	if even := weight * float32(o.even); even != 0 {
		for j := range l {
			l[j] -= even
		}
	}
	l[target] = weight * float32(o.atTarget(miss))
}

func index(v []float32, x float32) int {
	for i, y := range v {
		if x == y {
			return i
		}
	}
	return -1
}

// EmbedGrad: dw[ids[t]] += dx[t], in token order: a task owns columns.
func (d *Device) EmbedGrad(dw, dx kernels.Tensor, ids kernels.Ints) {
	if d.simd == nil {
		d.plain.EmbedGrad(dw, dx, ids)
		return
	}
	sum, grad, c := data(dw), data(dx), dx.Cols
	d.split(c, dx.Rows, func(from, to int) {
		for t, id := range ids.Host {
			d.simd.axpy(to-from, &grad[t*c+from], &sum[int(id)*c+from], 1)
		}
	})
}

// SumSquares: dst = Σ x², in fixed chunks whose sums are added in float64.
func (d *Device) SumSquares(dst, x kernels.Tensor) {
	if d.simd == nil {
		d.plain.SumSquares(dst, x)
		return
	}
	v := data(x)
	n := ceil(len(v), sumChunk)
	lent := d.borrow(n)
	defer d.giveBack(lent)
	sums := lent.f32
	d.do(n, each(func(i int) {
		chunk := v[i*sumChunk : min(len(v), (i+1)*sumChunk)]
		sums[i] = d.simd.dot(len(chunk), &chunk[0], &chunk[0])
	}))
	var sum float64
	for _, s := range sums {
		sum += float64(s)
	}
	data(dst)[0] = float32(sum)
}

// AdamW computes an element's step in float32.
func (d *Device) AdamW(w, m, v, g kernels.Tensor, h kernels.AdamW) {
	if d.simd == nil {
		d.plain.AdamW(w, m, v, g, h)
		return
	}
	weight, mean, square, grad := data(w), data(m), data(v), data(g)
	t := float64(h.Step)
	c := [9]float32{
		float32(h.GradScale), float32(h.Beta1), float32(1 - h.Beta1), float32(h.Beta2), float32(1 - h.Beta2),
		float32(1 / math.Sqrt(1-math.Pow(h.Beta2, t))), float32(h.Eps), float32(h.LR / (1 - math.Pow(h.Beta1, t))), float32(1 - h.LR*h.WeightDecay),
	}
	d.split(len(weight), 1, func(from, to int) {
		d.simd.adamw(to-from, &weight[from], &mean[from], &square[from], &grad[from], &c[0])
	})
}
