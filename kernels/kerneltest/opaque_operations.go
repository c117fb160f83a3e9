package kerneltest

import "github.com/seed-5afa5581/graft/kernels"

// The operations: each is the inner device's, on copies.

func (o *opaque) MatMul(y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	l := o.launch()
	defer l.done()
	o.inner.MatMul(l.out(y), l.in(x), l.matrix(w), alpha, acc)
}

func (o *opaque) MatMulGradInput(dx, dy kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	l := o.launch()
	defer l.done()
	o.inner.MatMulGradInput(l.out(dx), l.in(dy), l.matrix(w), alpha, acc)
}

func (o *opaque) MatMulGradWeight(dw, dy, x kernels.Tensor, alpha float32, folds kernels.Ints) {
	l := o.launch()
	defer l.done()
	o.inner.MatMulGradWeight(l.out(dw), l.in(dy), l.in(x), alpha, l.ints(folds))
}

func (o *opaque) AddBias(y, b kernels.Tensor) {
	l := o.launch()
	defer l.done()
	o.inner.AddBias(l.out(y), l.in(b))
}

func (o *opaque) AddBiasGrad(db, dy kernels.Tensor, folds kernels.Ints) {
	l := o.launch()
	defer l.done()
	o.inner.AddBiasGrad(l.out(db), l.in(dy), l.ints(folds))
}

func (o *opaque) RMSNorm(y, rstd, x, gain kernels.Tensor, eps float32) {
	l := o.launch()
	defer l.done()
	o.inner.RMSNorm(l.out(y), l.out(rstd), l.in(x), l.in(gain), eps)
}

func (o *opaque) RMSNormGrad(dx, dgain, dy, x, rstd, gain kernels.Tensor, folds kernels.Ints, acc bool) {
	l := o.launch()
	defer l.done()
	o.inner.RMSNormGrad(l.out(dx), l.out(dgain), l.in(dy), l.in(x), l.in(rstd), l.in(gain), l.ints(folds), acc)
}

func (o *opaque) RoPE(x, table kernels.Tensor, positions kernels.Ints, heads int, inverse bool) {
	l := o.launch()
	defer l.done()
	o.inner.RoPE(l.out(x), l.in(table), l.ints(positions), heads, inverse)
}

func (o *opaque) Attention(out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	l := o.launch()
	defer l.done()
	o.inner.Attention(l.out(out), l.out(lse), l.in(q), l.in(k), l.in(v), l.shape(h))
}

func (o *opaque) AttentionGrad(dq, dk, dv, dout, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	l := o.launch()
	defer l.done()
	o.inner.AttentionGrad(l.out(dq), l.out(dk), l.out(dv), l.in(dout), l.in(out), l.in(lse), l.in(q), l.in(k), l.in(v), l.shape(h))
}

func (o *opaque) SwiGLU(y, gate, up kernels.Tensor) {
	l := o.launch()
	defer l.done()
	o.inner.SwiGLU(l.out(y), l.in(gate), l.in(up))
}

func (o *opaque) SwiGLUGrad(dgate, dup, dy, gate, up kernels.Tensor) {
	l := o.launch()
	defer l.done()
	o.inner.SwiGLUGrad(l.out(dgate), l.out(dup), l.in(dy), l.in(gate), l.in(up))
}

func (o *opaque) Embed(x kernels.Tensor, w kernels.Matrix, ids kernels.Ints) {
	l := o.launch()
	defer l.done()
	o.inner.Embed(l.out(x), l.matrix(w), l.ints(ids))
}

func (o *opaque) EmbedGrad(dw, dx kernels.Tensor, ids kernels.Ints) {
	l := o.launch()
	defer l.done()
	o.inner.EmbedGrad(l.out(dw), l.in(dx), l.ints(ids))
}

func (o *opaque) CrossEntropy(stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy) {
	l := o.launch()
	defer l.done()
	o.inner.CrossEntropy(l.out(stats), l.out(logits), l.in(weights), l.ints(targets), h)
}

func (o *opaque) TakeRows(dst, src kernels.Tensor, rows kernels.Ints) {
	l := o.launch()
	defer l.done()
	o.inner.TakeRows(l.out(dst), l.in(src), l.ints(rows))
}

func (o *opaque) PutRows(dst, src kernels.Tensor, rows kernels.Ints) {
	l := o.launch()
	defer l.done()
	o.inner.PutRows(l.out(dst), l.in(src), l.ints(rows))
}

func (o *opaque) Copy(dst, src kernels.Tensor) {
	l := o.launch()
	defer l.done()
	o.inner.Copy(l.out(dst), l.in(src))
}

func (o *opaque) Fill(dst kernels.Tensor, value float32) {
	l := o.launch()
	defer l.done()
	o.inner.Fill(l.out(dst), value)
}

func (o *opaque) Expand(dst kernels.Tensor, w kernels.Matrix, row int) {
	l := o.launch()
	defer l.done()
	o.inner.Expand(l.out(dst), l.matrix(w), row)
}

func (o *opaque) Dropout(dst, src kernels.Tensor, p kernels.Dropout, acc bool) {
	l := o.launch()
	defer l.done()
	p.Samples, p.Positions = l.ints(p.Samples), l.ints(p.Positions)
	o.inner.Dropout(l.out(dst), l.in(src), p, acc)
}

func (o *opaque) SumSquares(dst, x kernels.Tensor) {
	l := o.launch()
	defer l.done()
	o.inner.SumSquares(l.out(dst), l.in(x))
}

func (o *opaque) AdamW(w, m, v, g kernels.Tensor, h kernels.AdamW) {
	l := o.launch()
	defer l.done()
	o.inner.AdamW(l.out(w), l.out(m), l.out(v), l.in(g), h)
}
