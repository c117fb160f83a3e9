package kernels

// Checked returns dev with every operation's shapes checked before it runs: a
// misfit panics with a constant message that names the operation. Open
// returns devices checked.
func Checked(dev Device) Device {
	if c, ok := dev.(checked); ok {
		return c
	}
	return checked{dev}
}

type checked struct{ Device }

// must panics with message unless ok.
func must(ok bool, message string) {
	if !ok {
		panic(message)
	}
}

func shape(t Tensor, rows, cols int) bool { return t.Rows == rows && t.Cols == cols && !t.None() }
func same(a, b Tensor) bool               { return shape(a, b.Rows, b.Cols) }
func isFloat32(t Tensor) bool             { return t.Kind == Float32 && !t.None() }

// vector reports whether t is [1, cols] in float32.
func vector(t Tensor, cols int) bool { return isFloat32(t) && shape(t, 1, cols) }

// runs reports whether folds names runs of rows: from 0 on, ascending.
func runs(folds Ints, rows int) bool {
	if rows == 0 {
		return true
	}
	if folds.Len() == 0 || folds.Host[0] != 0 {
		return false
	}
	return ascending(folds.Host) && int(folds.Host[folds.Len()-1]) <= rows
}

func ascending(v []int32) bool {
	for i := 1; i < len(v); i++ {
		if v[i] < v[i-1] {
			return false
		}
	}
	return true
}

// within reports whether every element of v lies in [0, n).
func within(v Ints, n int) bool {
	for _, x := range v.Host {
		if x < 0 || int(x) >= n {
			return false
		}
	}
	return true
}

func (d checked) For(base Format) Device { return checked{d.Device.For(base)} }

func (d checked) Read(dst []float32, src Tensor) {
	must(len(dst) == src.Len(), "kernels: Read: length of dst")
	d.Device.Read(dst, src)
}

func (d checked) Write(dst Tensor, src []float32) {
	must(len(src) == dst.Len(), "kernels: Write: length of src")
	d.Device.Write(dst, src)
}

func (d checked) NewMatrix(w Weights) (Matrix, error) {
	must(w.Rows >= 0 && w.Cols >= 0, "kernels: NewMatrix: length of data")
	if w.Format.Quantized() {
		must(w.Quantized != nil && w.Quantized.Len() == w.Rows*w.Cols && QuantizedAs(w.Quantized.Type) == w.Format, "kernels: NewMatrix: quantised tensor")
	} else {
		must(len(w.Data) == w.Format.Bytes(w.Rows*w.Cols), "kernels: NewMatrix: length of data")
	}
	m, err := d.Device.NewMatrix(w)
	m.Lookup = w.Lookup
	return m, err
}

func (d checked) MatMul(y, x Tensor, w Matrix, alpha float32, acc bool) {
	must(!w.Lookup, "kernels: MatMul: matrix for lookups")
	must(!w.None() && shape(x, x.Rows, w.Cols) && shape(y, x.Rows, w.Rows), "kernels: MatMul: shapes")
	d.Device.MatMul(y, x, w, alpha, acc)
}

func (d checked) MatMulGradInput(dx, dy Tensor, w Matrix, alpha float32, acc bool) {
	must(!w.Lookup, "kernels: MatMulGradInput: matrix for lookups")
	must(!w.None() && shape(dy, dy.Rows, w.Rows) && shape(dx, dy.Rows, w.Cols), "kernels: MatMulGradInput: shapes")
	d.Device.MatMulGradInput(dx, dy, w, alpha, acc)
}

func (d checked) MatMulGradWeight(dw, dy, x Tensor, alpha float32, folds Ints) {
	must(isFloat32(dw) && shape(dw, dy.Cols, x.Cols) && dy.Rows == x.Rows, "kernels: MatMulGradWeight: shapes")
	must(runs(folds, x.Rows), "kernels: MatMulGradWeight: folds")
	d.Device.MatMulGradWeight(dw, dy, x, alpha, folds)
}

func (d checked) AddBias(y, b Tensor) {
	must(vector(b, y.Cols), "kernels: AddBias: shapes")
	d.Device.AddBias(y, b)
}

func (d checked) AddBiasGrad(db, dy Tensor, folds Ints) {
	must(vector(db, dy.Cols), "kernels: AddBiasGrad: shapes")
	must(runs(folds, dy.Rows), "kernels: AddBiasGrad: folds")
	d.Device.AddBiasGrad(db, dy, folds)
}

func (d checked) RMSNorm(y, rstd, x, gain Tensor, eps float32) {
	must(same(y, x) && isFloat32(rstd) && shape(rstd, x.Rows, 1) && vector(gain, x.Cols), "kernels: RMSNorm: shapes")
	d.Device.RMSNorm(y, rstd, x, gain, eps)
}

func (d checked) RMSNormGrad(dx, dgain, dy, x, rstd, gain Tensor, folds Ints, acc bool) {
	must(same(dx, x) && same(dy, x) && isFloat32(rstd) && shape(rstd, x.Rows, 1) && vector(gain, x.Cols), "kernels: RMSNormGrad: shapes")
	must(dgain.None() || vector(dgain, x.Cols) && runs(folds, x.Rows), "kernels: RMSNormGrad: dgain")
	d.Device.RMSNormGrad(dx, dgain, dy, x, rstd, gain, folds, acc)
}

func (d checked) RoPE(x, table Tensor, positions Ints, heads int, inverse bool) {
	must(heads > 0 && x.Cols%heads == 0 && positions.Len() == x.Rows, "kernels: RoPE: shapes")
	must(isFloat32(table) && table.Cols%2 == 0 && table.Cols <= x.Cols/heads && within(positions, table.Rows), "kernels: RoPE: table")
	d.Device.RoPE(x, table, positions, heads, inverse)
}

// checkHeads checks q, k and v against h.
func checkHeads(q, k, v Tensor, h AttentionShape) {
	must(h.Heads > 0 && h.KVHeads > 0 && h.Heads%h.KVHeads == 0, "kernels: Attention: heads")
	must(shape(q, q.Rows, h.Heads*h.Width) && shape(k, k.Rows, h.KVHeads*h.Width) && same(v, k), "kernels: Attention: shapes")
	n := h.KStarts.Len()
	must(h.QStarts.Len() == n+1 && h.KEnds.Len() == n && ascending(h.QStarts.Host), "kernels: Attention: starts")
	must(h.QStarts.Host[0] == 0 && int(h.QStarts.Host[n]) == q.Rows, "kernels: Attention: query starts")
	for s := range n {
		queries, keys := h.QStarts.Host[s+1]-h.QStarts.Host[s], h.KEnds.Host[s]-h.KStarts.Host[s]
		must(h.KStarts.Host[s] >= 0 && int(h.KEnds.Host[s]) <= k.Rows && keys >= queries, "kernels: Attention: key ranges")
	}
}

func (d checked) Attention(out, lse, q, k, v Tensor, h AttentionShape) {
	checkHeads(q, k, v, h)
	must(same(out, q) && isFloat32(lse) && shape(lse, q.Rows, h.Heads), "kernels: Attention: outputs")
	d.Device.Attention(out, lse, q, k, v, h)
}

func (d checked) AttentionGrad(dq, dk, dv, dout, out, lse, q, k, v Tensor, h AttentionShape) {
	checkHeads(q, k, v, h)
	must(same(out, q) && same(dout, q) && isFloat32(lse) && shape(lse, q.Rows, h.Heads), "kernels: AttentionGrad: inputs")
	must(same(dq, q) && same(dk, k) && same(dv, v), "kernels: AttentionGrad: outputs")
	d.Device.AttentionGrad(dq, dk, dv, dout, out, lse, q, k, v, h)
}

func (d checked) SwiGLU(y, gate, up Tensor) {
	must(same(y, gate) && same(up, gate), "kernels: SwiGLU: shapes")
	d.Device.SwiGLU(y, gate, up)
}

func (d checked) SwiGLUGrad(dgate, dup, dy, gate, up Tensor) {
	must(same(dgate, gate) && same(dup, gate) && same(dy, gate) && same(up, gate), "kernels: SwiGLUGrad: shapes")
	d.Device.SwiGLUGrad(dgate, dup, dy, gate, up)
}

func (d checked) Embed(x Tensor, w Matrix, ids Ints) {
	must(!w.None() && shape(x, ids.Len(), w.Cols) && within(ids, w.Rows), "kernels: Embed: shapes")
	d.Device.Embed(x, w, ids)
}

func (d checked) EmbedGrad(dw, dx Tensor, ids Ints) {
	must(isFloat32(dw) && shape(dx, ids.Len(), dw.Cols) && within(ids, dw.Rows), "kernels: EmbedGrad: shapes")
	d.Device.EmbedGrad(dw, dx, ids)
}

func (d checked) CrossEntropy(stats, logits, weights Tensor, targets Ints, h CrossEntropy) {
	n := logits.Rows
	must(isFloat32(logits) && isFloat32(stats) && shape(stats, n, 3) && isFloat32(weights) && shape(weights, n, 1), "kernels: CrossEntropy: shapes")
	must(targets.Len() == n && within(targets, logits.Cols), "kernels: CrossEntropy: targets")
	must(h.Smoothing >= 0 && h.Smoothing < 1 && h.Penalty >= 0, "kernels: CrossEntropy: smoothing or penalty")
	d.Device.CrossEntropy(stats, logits, weights, targets, h)
}

func (d checked) TakeRows(dst, src Tensor, rows Ints) {
	must(shape(dst, rows.Len(), src.Cols) && within(rows, src.Rows), "kernels: TakeRows: shapes")
	d.Device.TakeRows(dst, src, rows)
}

func (d checked) PutRows(dst, src Tensor, rows Ints) {
	must(shape(src, rows.Len(), dst.Cols) && within(rows, dst.Rows), "kernels: PutRows: shapes")
	d.Device.PutRows(dst, src, rows)
}

func (d checked) Copy(dst, src Tensor) {
	must(same(dst, src), "kernels: Copy: shapes")
	d.Device.Copy(dst, src)
}

func (d checked) Expand(dst Tensor, w Matrix, row int) {
	must(isFloat32(dst) && dst.Cols == w.Cols && row >= 0 && row+dst.Rows <= w.Rows, "kernels: Expand: shapes")
	d.Device.Expand(dst, w, row)
}

func (d checked) Dropout(dst, src Tensor, p Dropout, acc bool) {
	must(same(dst, src) && p.Samples.Len() == src.Rows && p.Positions.Len() == src.Rows, "kernels: Dropout: shapes")
	must(p.Rate >= 0 && p.Rate < 1, "kernels: Dropout: rate")
	d.Device.Dropout(dst, src, p, acc)
}

func (d checked) SumSquares(dst, x Tensor) {
	must(isFloat32(dst) && shape(dst, 1, 1) && isFloat32(x), "kernels: SumSquares: shapes")
	d.Device.SumSquares(dst, x)
}

func (d checked) AdamW(w, m, v, g Tensor, h AdamW) {
	must(isFloat32(w) && isFloat32(m) && isFloat32(v) && isFloat32(g) && same(m, w) && same(v, w) && same(g, w), "kernels: AdamW: shapes")
	must(h.Step > 0, "kernels: AdamW: step")
	d.Device.AdamW(w, m, v, g, h)
}
