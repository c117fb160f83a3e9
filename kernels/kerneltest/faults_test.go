package kerneltest

import (
	"math"
	"slices"

	"github.com/seed-5afa5581/graft/kernels"
)

// A fault is a mistake that a device could make.
type fault struct {
	check, name string
	plant       func(dev kernels.Device) kernels.Device
}

// edit changes the elements of t on the host.
func edit(dev kernels.Device, t kernels.Tensor, change func(v []float32)) {
	v := make([]float32, t.Len())
	dev.Read(v, t)
	change(v)
	dev.Write(t, v)
}

func read(dev kernels.Device, t kernels.Tensor) []float32 {
	v := make([]float32, t.Len())
	dev.Read(v, t)
	return v
}

// copyOf returns a tensor like t on dev, with its elements.
func copyOf(dev kernels.Device, t kernels.Tensor) kernels.Tensor {
	mem, _ := dev.Alloc(t.Kind, t.Len())
	c := kernels.Tensor{Rows: t.Rows, Cols: t.Cols, Kind: t.Kind, Mem: mem}
	dev.Copy(c, t)
	return c
}

// hosted returns an Ints that the CPU device can read.
func hosted(v ...int32) kernels.Ints { return kernels.Ints{Host: v} }

// A mul is either of the two products with a matrix, replaced.
type mul func(dev kernels.Device, y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool)

type faultyMatMul struct {
	kernels.Device
	call mul
}

func (f faultyMatMul) MatMul(y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	f.call(f.Device, y, x, w, alpha, acc)
}

type faultyGradInput struct {
	kernels.Device
	call mul
}

func (f faultyGradInput) MatMulGradInput(dx, dy kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	f.call(f.Device, dx, dy, w, alpha, acc)
}

type faultyGradWeight struct {
	kernels.Device
	call func(dev kernels.Device, dw, dy, x kernels.Tensor, alpha float32, folds kernels.Ints)
}

func (f faultyGradWeight) MatMulGradWeight(dw, dy, x kernels.Tensor, alpha float32, folds kernels.Ints) {
	f.call(f.Device, dw, dy, x, alpha, folds)
}

type faultyBiasGrad struct {
	kernels.Device
	folds func(kernels.Ints) kernels.Ints
}

func (f faultyBiasGrad) AddBiasGrad(db, dy kernels.Tensor, folds kernels.Ints) {
	f.Device.AddBiasGrad(db, dy, f.folds(folds))
}

type faultyNorm struct {
	kernels.Device
	call func(dev kernels.Device, y, rstd, x, gain kernels.Tensor, eps float32)
}

func (f faultyNorm) RMSNorm(y, rstd, x, gain kernels.Tensor, eps float32) {
	f.call(f.Device, y, rstd, x, gain, eps)
}

type faultyNormGrad struct {
	kernels.Device
	call func(dev kernels.Device, dx, dgain, dy, x, rstd, gain kernels.Tensor, folds kernels.Ints, acc bool)
}

func (f faultyNormGrad) RMSNormGrad(dx, dgain, dy, x, rstd, gain kernels.Tensor, folds kernels.Ints, acc bool) {
	f.call(f.Device, dx, dgain, dy, x, rstd, gain, folds, acc)
}

type faultyRoPE struct {
	kernels.Device
	call func(dev kernels.Device, x, table kernels.Tensor, positions kernels.Ints, heads int, inverse bool)
}

func (f faultyRoPE) RoPE(x, table kernels.Tensor, positions kernels.Ints, heads int, inverse bool) {
	f.call(f.Device, x, table, positions, heads, inverse)
}

type faultyAttention struct {
	kernels.Device
	call func(dev kernels.Device, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape)
}

func (f faultyAttention) Attention(out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	f.call(f.Device, out, lse, q, k, v, h)
}

type attentionOperands struct{ dq, dk, dv, dout, out, lse, q, k, v kernels.Tensor }

func (o attentionOperands) grad(dev kernels.Device, h kernels.AttentionShape) {
	dev.AttentionGrad(o.dq, o.dk, o.dv, o.dout, o.out, o.lse, o.q, o.k, o.v, h)
}

type faultyAttentionGrad struct {
	kernels.Device
	call func(dev kernels.Device, o attentionOperands, h kernels.AttentionShape)
}

func (f faultyAttentionGrad) AttentionGrad(dq, dk, dv, dout, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	f.call(f.Device, attentionOperands{dq, dk, dv, dout, out, lse, q, k, v}, h)
}

// keyRow changes the first key row of the last sequence.
func keyRow(dev kernels.Device, t kernels.Tensor, h kernels.AttentionShape, change func(v []float32)) {
	if n := h.KStarts.Len(); n > 0 && h.KEnds.Host[n-1] > h.KStarts.Host[n-1] {
		row := int(h.KStarts.Host[n-1])
		edit(dev, t.Slice(row, row+1), change)
	}
}

type faultySwiGLU struct {
	kernels.Device
	call func(dev kernels.Device, y, gate, up kernels.Tensor)
}

func (f faultySwiGLU) SwiGLU(y, gate, up kernels.Tensor) { f.call(f.Device, y, gate, up) }

// notInPlace writes dgate and only then reads gate for dup.
type notInPlace struct{ kernels.Device }

func (f notInPlace) SwiGLUGrad(dgate, dup, dy, gate, up kernels.Tensor) {
	spare, keep := copyOf(f.Device, gate), copyOf(f.Device, up)
	f.Device.SwiGLUGrad(dgate, spare, dy, gate, keep)
	f.Device.SwiGLUGrad(spare, dup, dy, gate, up)
}

type faultyEmbedGrad struct {
	kernels.Device
	call func(dev kernels.Device, dw, dx kernels.Tensor, ids kernels.Ints)
}

func (f faultyEmbedGrad) EmbedGrad(dw, dx kernels.Tensor, ids kernels.Ints) {
	f.call(f.Device, dw, dx, ids)
}

type nextRow struct{ kernels.Device }

func (f nextRow) Embed(x kernels.Tensor, w kernels.Matrix, ids kernels.Ints) {
	v := slices.Clone(ids.Host)
	for i := range v {
		v[i] = (v[i] + 1) % int32(w.Rows)
	}
	f.Device.Embed(x, w, hosted(v...))
}

type faultyEntropy struct {
	kernels.Device
	call func(dev kernels.Device, stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy)
}

func (f faultyEntropy) CrossEntropy(stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy) {
	f.call(f.Device, stats, logits, weights, targets, h)
}

type othersCleared struct{ kernels.Device }

func (f othersCleared) PutRows(dst, src kernels.Tensor, rows kernels.Ints) {
	f.Fill(dst, 0)
	f.Device.PutRows(dst, src, rows)
}

type oneTooMany struct{ kernels.Device }

func (f oneTooMany) Copy(dst, src kernels.Tensor) {
	dst.Rows, src.Rows, dst.Cols, src.Cols = 1, 1, dst.Len()+1, src.Len()+1
	f.Device.Copy(dst, src)
}

type faultyDropout struct {
	kernels.Device
	call func(dev kernels.Device, dst, src kernels.Tensor, p kernels.Dropout, acc bool)
}

func (f faultyDropout) Dropout(dst, src kernels.Tensor, p kernels.Dropout, acc bool) {
	f.call(f.Device, dst, src, p, acc)
}

// tailLost sums whole vectors of eight only.
type tailLost struct{ kernels.Device }

func (f tailLost) SumSquares(dst, x kernels.Tensor) {
	f.Device.SumSquares(dst, kernels.Tensor{Rows: 1, Cols: x.Len() &^ 7, Kind: x.Kind, Mem: x.Mem, Off: x.Off})
}

// oneUlpOff gives other bits with other numbers of workers.
type oneUlpOff struct{ kernels.Device }

func (f oneUlpOff) SumSquares(dst, x kernels.Tensor) {
	f.Device.SumSquares(dst, x)
	edit(f.Device, dst, func(v []float32) {
		if f.Info().Workers > 1 {
			v[0] = math.Nextafter32(v[0], 2*v[0])
		}
	})
}

type faultyAdamW struct {
	kernels.Device
	call func(dev kernels.Device, w, m, v, g kernels.Tensor, h kernels.AdamW)
}

func (f faultyAdamW) AdamW(w, m, v, g kernels.Tensor, h kernels.AdamW) {
	f.call(f.Device, w, m, v, g, h)
}

// dirtyMemory hands out memory that is not all zero.
type dirtyMemory struct{ kernels.Device }

func (f dirtyMemory) Alloc(kind kernels.Kind, n int) (kernels.Mem, error) {
	mem, err := f.Device.Alloc(kind, n)
	if kind != kernels.Int32 && n > 0 {
		f.Fill(kernels.Tensor{Rows: 1, Cols: 1, Kind: kind, Mem: mem, Off: n - 1}, 1)
	}
	return mem, err
}
