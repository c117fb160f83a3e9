package plan

import (
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cuda"
	"github.com/seed-5afa5581/graft/quant"
)

// A counter is a device that computes nothing and counts the bytes of what it
// is asked for.
type counter struct {
	machine Machine
	scales  quant.Config // of quantised weights
	bytes   int64        // allocated now
	idle    int64        // at the ends of the pages that allocations take
	weights map[kernels.Format]int64
	host    int64 // bytes of matrices that stay on the host
	scratch scratch
	// filled is called by Fill, with which the head begins: all that is kept for the
	// way back is there then.
	filled func()
}

func newCounter(m Machine, q *quant.Config) *counter {
	d := &counter{machine: m, weights: map[kernels.Format]int64{}, scratch: scratch{workers: m.Workers, most: map[int]int64{}}}
	if q != nil {
		d.scales = *q
	}
	return d
}

// allocation is what the counter hands out as memory.
type allocation struct{ bytes, idle int64 }

// size returns the bytes of an element.
func (d *counter) size(k kernels.Kind) int64 {
	if k == kernels.Activation {
		return d.machine.Activation
	}
	return 4
}

func (d *counter) Alloc(k kernels.Kind, n int) (kernels.Mem, error) {
	a := &allocation{bytes: int64(n) * d.size(k)}
	a.idle = d.rest(a.bytes)
	d.bytes, d.idle = d.bytes+a.bytes, d.idle+a.idle
	return a, nil
}

func (d *counter) Free(m kernels.Mem) {
	a := m.(*allocation)
	d.bytes, d.idle = d.bytes-a.bytes, d.idle-a.idle
}

// rest returns what an allocation of so many bytes leaves of its last page.
func (d *counter) rest(bytes int64) int64 {
	if d.machine.Paged {
		return 0
	}
	return int64(cuda.Allocated(int(bytes))) - bytes
}

// NewMatrix counts a weight with its scales.
func (d *counter) NewMatrix(w kernels.Weights) (kernels.Matrix, error) {
	m := kernels.Matrix{Rows: w.Rows, Cols: w.Cols, Format: w.Format, Lookup: w.Lookup, Mem: &allocation{}}
	n := w.Rows * w.Cols
	bytes := int64(w.Format.Bytes(n))
	if !d.machine.Paged && cuda.OnHost(w) {
		d.host += bytes
		return m, nil
	}
	d.weights[w.Format], d.idle = d.weights[w.Format]+bytes, d.idle+d.rest(bytes)
	if w.Format.Quantized() {
		scales := d.scaleBytes(w)
		d.weights[w.Format], d.idle = d.weights[w.Format]+scales, d.idle+d.rest(scales)
	}
	return m, nil
}

// scaleBytes returns the size of a weight's scales: a float32 a row or a block, or
// a byte a block with a float32 for every DynamicBlock of them; on a GPU with the
// values of 4-bit codes.
func (d *counter) scaleBytes(w kernels.Weights) int64 {
	if w.Format == kernels.Int8 {
		return int64(4 * w.Rows)
	}
	n, block := w.Rows*w.Cols, d.scales.Block
	if block == 0 {
		block = quant.DefaultBlock
	}
	scales, codes := (n+block-1)/block, 0
	if !d.scales.PlainScales {
		scales, codes = (scales+quant.DynamicBlock-1)/quant.DynamicBlock, scales
	}
	if d.machine.Paged {
		return int64(4*scales + codes)
	}
	return int64(cuda.ScaleBytes(scales, codes))
}

func (d *counter) Info() kernels.Info {
	return kernels.Info{Name: d.machine.Name, Detail: d.machine.Name, Workers: d.machine.Workers, Width: 1}
}

func (d *counter) Fill(kernels.Tensor, float32) {
	if d.filled != nil {
		d.filled()
	}
}

func (d *counter) MatMul(y, x kernels.Tensor, w kernels.Matrix, _ float32, _ bool) {
	d.scratch.product(x.Rows, w.Rows, w.Cols)
}

func (d *counter) MatMulGradInput(dx, dy kernels.Tensor, w kernels.Matrix, _ float32, _ bool) {
	d.scratch.product(dy.Rows, w.Cols, w.Rows)
}

func (d *counter) MatMulGradWeight(dw, dy, x kernels.Tensor, _ float32, _ kernels.Ints) {
	d.scratch.product(dw.Rows, dw.Cols, dy.Rows)
}

func (d *counter) Attention(_, _, q, k, _ kernels.Tensor, h kernels.AttentionShape) {
	d.scratch.strips(longest(h), 1)
}

func (d *counter) Embed(x kernels.Tensor, w kernels.Matrix, _ kernels.Ints) { d.Expand(x, w, 0) }

func (d *counter) Expand(x kernels.Tensor, w kernels.Matrix, _ int) {
	if w.Lookup {
		bytes, _ := cuda.GatherScratch(x.Rows, w.Format.Bytes(w.Cols))
		d.scratch.grow(bytes)
	}
}

func (d *counter) SumSquares(_, x kernels.Tensor) { d.scratch.grow(cuda.SumScratch(x.Len())) }

func (d *counter) AttentionGrad(_, _, _, _, _, _, q, k, _ kernels.Tensor, h kernels.AttentionShape) {
	d.scratch.grow(cuda.AttentionScratch(q.Rows, h.Heads))
	d.scratch.strips(longest(h), 2)
	d.scratch.heads(k.Rows, h)
}

// longest returns the most keys that a sequence has.
func longest(h kernels.AttentionShape) (n int) {
	for s := range h.KStarts.Host {
		n = max(n, int(h.KEnds.Host[s]-h.KStarts.Host[s]))
	}
	return n
}

func (d *counter) CrossEntropy(_, _, _ kernels.Tensor, _ kernels.Ints, _ kernels.CrossEntropy) {}

func (d *counter) Close() error                                                        { return nil }
func (d *counter) For(kernels.Format) kernels.Device                                   { return d }
func (d *counter) Sync() error                                                         { return nil }
func (d *counter) Read([]float32, kernels.Tensor)                                      {}
func (d *counter) Write(kernels.Tensor, []float32)                                     {}
func (d *counter) WriteInts(kernels.Ints)                                              {}
func (d *counter) AddBias(_, _ kernels.Tensor)                                         {}
func (d *counter) AddBiasGrad(_, _ kernels.Tensor, _ kernels.Ints)                     {}
func (d *counter) RMSNorm(_, _, _, _ kernels.Tensor, _ float32)                        {}
func (d *counter) RMSNormGrad(_, _, _, _, _, _ kernels.Tensor, _ kernels.Ints, _ bool) {}
func (d *counter) RoPE(_, _ kernels.Tensor, _ kernels.Ints, _ int, _ bool)             {}
func (d *counter) SwiGLU(_, _, _ kernels.Tensor)                                       {}
func (d *counter) SwiGLUGrad(_, _, _, _, _ kernels.Tensor)                             {}
func (d *counter) EmbedGrad(_, _ kernels.Tensor, _ kernels.Ints)                       {}
func (d *counter) TakeRows(_, _ kernels.Tensor, _ kernels.Ints)                        {}
func (d *counter) PutRows(_, _ kernels.Tensor, _ kernels.Ints)                         {}
func (d *counter) Copy(_, _ kernels.Tensor)                                            {}
func (d *counter) Dropout(_, _ kernels.Tensor, _ kernels.Dropout, _ bool)              {}
func (d *counter) AdamW(_, _, _, _ kernels.Tensor, _ kernels.AdamW)                    {}
