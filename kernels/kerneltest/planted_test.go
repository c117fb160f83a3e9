package kerneltest

import (
	"math"
	"slices"

	"github.com/seed-5afa5581/graft/kernels"
)

func plantMatMul(name string, call mul) fault {
	return fault{"MatMul", name, func(d kernels.Device) kernels.Device { return faultyMatMul{d, call} }}
}

func plantGradInput(name string, call mul) fault {
	return fault{"MatMulGradInput", name, func(d kernels.Device) kernels.Device { return faultyGradInput{d, call} }}
}

func plantGradWeight(name string, call func(dev kernels.Device, dw, dy, x kernels.Tensor, alpha float32, folds kernels.Ints)) fault {
	return fault{"MatMulGradWeight", name, func(d kernels.Device) kernels.Device { return faultyGradWeight{d, call} }}
}

func plantNorm(name string, call func(dev kernels.Device, y, rstd, x, gain kernels.Tensor, eps float32)) fault {
	return fault{"RMSNorm", name, func(d kernels.Device) kernels.Device { return faultyNorm{d, call} }}
}

func plantNormGrad(name string, call func(dev kernels.Device, dx, dgain, dy, x, rstd, gain kernels.Tensor, folds kernels.Ints, acc bool)) fault {
	return fault{"RMSNormGrad", name, func(d kernels.Device) kernels.Device { return faultyNormGrad{d, call} }}
}

func plantRoPE(name string, call func(dev kernels.Device, x, table kernels.Tensor, positions kernels.Ints, heads int, inverse bool)) fault {
	return fault{"RoPE", name, func(d kernels.Device) kernels.Device { return faultyRoPE{d, call} }}
}

func plantAttention(name string, call func(dev kernels.Device, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape)) fault {
	return fault{"Attention", name, func(d kernels.Device) kernels.Device { return faultyAttention{d, call} }}
}

func plantAttentionGrad(name string, call func(dev kernels.Device, o attentionOperands, h kernels.AttentionShape)) fault {
	return fault{"AttentionGrad", name, func(d kernels.Device) kernels.Device { return faultyAttentionGrad{d, call} }}
}

func plantSwiGLU(name string, call func(dev kernels.Device, y, gate, up kernels.Tensor)) fault {
	return fault{"SwiGLU", name, func(d kernels.Device) kernels.Device { return faultySwiGLU{d, call} }}
}

func plantEmbedGrad(name string, call func(dev kernels.Device, dw, dx kernels.Tensor, ids kernels.Ints)) fault {
	return fault{"EmbedGrad", name, func(d kernels.Device) kernels.Device { return faultyEmbedGrad{d, call} }}
}

func plantEntropy(name string, call func(dev kernels.Device, stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy)) fault {
	return fault{"CrossEntropy", name, func(d kernels.Device) kernels.Device { return faultyEntropy{d, call} }}
}

func plantDropout(name string, call func(dev kernels.Device, dst, src kernels.Tensor, p kernels.Dropout, acc bool)) fault {
	return fault{"Dropout", name, func(d kernels.Device) kernels.Device { return faultyDropout{d, call} }}
}

func plantAdamW(name string, call func(dev kernels.Device, w, m, v, g kernels.Tensor, h kernels.AdamW)) fault {
	return fault{"AdamW", name, func(d kernels.Device) kernels.Device { return faultyAdamW{d, call} }}
}

func plantBiasGrad(name string, folds func(kernels.Ints) kernels.Ints) fault {
	return fault{"AddBiasGrad", name, func(d kernels.Device) kernels.Device { return faultyBiasGrad{d, folds} }}
}

func oneRun(kernels.Ints) kernels.Ints { return hosted(0) }

// backwards calls add for each run, the last one first.
func backwards(folds kernels.Ints, rows int, add func(from, to int)) {
	to := rows
	for _, from := range slices.Backward(folds.Host) {
		add(int(from), to)
		to = int(from)
	}
}

var faults = []fault{
	plantMatMul("alpha is ignored", func(d kernels.Device, y, x kernels.Tensor, w kernels.Matrix, _ float32, acc bool) {
		d.MatMul(y, x, w, 1, acc)
	}),
	plantMatMul("acc is ignored", func(d kernels.Device, y, x kernels.Tensor, w kernels.Matrix, alpha float32, _ bool) {
		d.MatMul(y, x, w, alpha, false)
	}),
	plantMatMul("acc is always on", func(d kernels.Device, y, x kernels.Tensor, w kernels.Matrix, alpha float32, _ bool) {
		d.MatMul(y, x, w, alpha, true)
	}),
	plantMatMul("the last row is missing", func(d kernels.Device, y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
		n := max(0, y.Rows-1)
		d.MatMul(y.Slice(0, n), x.Slice(0, n), w, alpha, acc)
	}),
	plantMatMul("an element of a large result is not written", func(d kernels.Device, y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
		before := read(d, y)
		d.MatMul(y, x, w, alpha, acc)
		edit(d, y, func(v []float32) {
			if at := 129*y.Cols + 69; at < len(v) {
				v[at] = before[at]
			}
		})
	}),
	plantMatMul("a row depends on the number of rows", func(d kernels.Device, y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
		d.MatMul(y, x, w, alpha, acc)
		edit(d, y, func(v []float32) {
			if y.Rows == 1 {
				v[0] = math.Nextafter32(v[0], 2*v[0])
			}
		})
	}),
	plantMatMul("memory behind the result is written", func(d kernels.Device, y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
		d.MatMul(y, x, w, alpha, acc)
		y.Off += y.Len()
		y.Rows = 1
		d.Fill(y, 0)
	}),
	plantMatMul("an input is scratch memory", func(d kernels.Device, y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
		d.MatMul(y, x, w, alpha, acc)
		d.Fill(x, 0)
	}),
	plantGradInput("alpha is ignored", func(d kernels.Device, dx, dy kernels.Tensor, w kernels.Matrix, _ float32, acc bool) {
		d.MatMulGradInput(dx, dy, w, 1, acc)
	}),
	plantGradInput("acc is ignored", func(d kernels.Device, dx, dy kernels.Tensor, w kernels.Matrix, alpha float32, _ bool) {
		d.MatMulGradInput(dx, dy, w, alpha, false)
	}),
	plantGradInput("a row depends on the number of rows", func(d kernels.Device, dx, dy kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
		d.MatMulGradInput(dx, dy, w, alpha, acc)
		edit(d, dx, func(v []float32) {
			if dx.Rows > 100 {
				v[0] = math.Nextafter32(v[0], 2*v[0])
			}
		})
	}),
	plantGradWeight("folds are ignored", func(d kernels.Device, dw, dy, x kernels.Tensor, alpha float32, folds kernels.Ints) {
		d.MatMulGradWeight(dw, dy, x, alpha, oneRun(folds))
	}),
	plantGradWeight("folds run backwards", func(d kernels.Device, dw, dy, x kernels.Tensor, alpha float32, folds kernels.Ints) {
		backwards(folds, x.Rows, func(from, to int) {
			d.MatMulGradWeight(dw, dy.Slice(from, to), x.Slice(from, to), alpha, hosted(0))
		})
	}),
	plantGradWeight("dw is written, not added to", func(d kernels.Device, dw, dy, x kernels.Tensor, alpha float32, folds kernels.Ints) {
		d.Fill(dw, 0)
		d.MatMulGradWeight(dw, dy, x, alpha, folds)
	}),
	plantGradWeight("the last token is missing", func(d kernels.Device, dw, dy, x kernels.Tensor, alpha float32, folds kernels.Ints) {
		if n := x.Rows - 1; n >= 0 && int(folds.Host[folds.Len()-1]) <= n {
			dy, x = dy.Slice(0, n), x.Slice(0, n)
		}
		d.MatMulGradWeight(dw, dy, x, alpha, folds)
	}),
	plantBiasGrad("folds are ignored", oneRun),
	plantNorm("eps is ignored", func(d kernels.Device, y, rstd, x, gain kernels.Tensor, _ float32) { d.RMSNorm(y, rstd, x, gain, 1e-30) }),
	plantNorm("eps is a constant", func(d kernels.Device, y, rstd, x, gain kernels.Tensor, _ float32) { d.RMSNorm(y, rstd, x, gain, 1e-6) }),
	plantNorm("rstd is not written", func(d kernels.Device, y, rstd, x, gain kernels.Tensor, eps float32) {
		d.RMSNorm(y, copyOf(d, rstd), x, gain, eps)
	}),
	plantNormGrad("acc is ignored", func(d kernels.Device, dx, dgain, dy, x, rstd, gain kernels.Tensor, folds kernels.Ints, _ bool) {
		d.RMSNormGrad(dx, dgain, dy, x, rstd, gain, folds, false)
	}),
	plantNormGrad("dgain's folds are ignored", func(d kernels.Device, dx, dgain, dy, x, rstd, gain kernels.Tensor, folds kernels.Ints, acc bool) {
		d.RMSNormGrad(dx, dgain, dy, x, rstd, gain, oneRun(folds), acc)
	}),
	plantNormGrad("the gain is left out of dx", func(d kernels.Device, dx, dgain, dy, x, rstd, gain kernels.Tensor, folds kernels.Ints, acc bool) {
		ones := copyOf(d, gain)
		d.Fill(ones, 1)
		d.RMSNormGrad(dx, dgain, dy, x, rstd, ones, folds, acc)
	}),
	plantRoPE("inverse is ignored", func(d kernels.Device, x, table kernels.Tensor, positions kernels.Ints, heads int, _ bool) {
		d.RoPE(x, table, positions, heads, false)
	}),
	plantRoPE("positions count from the first row", func(d kernels.Device, x, table kernels.Tensor, positions kernels.Ints, heads int, inverse bool) {
		v := make([]int32, positions.Len())
		for i := range v {
			v[i] = int32(i % table.Rows)
		}
		d.RoPE(x, table, hosted(v...), heads, inverse)
	}),
	plantAttention("the window is one longer", func(d kernels.Device, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
		if h.Window > 0 {
			h.Window++
		}
		d.Attention(out, lse, q, k, v, h)
	}),
	plantAttention("the window is ignored", func(d kernels.Device, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
		h.Window = 0
		d.Attention(out, lse, q, k, v, h)
	}),
	plantAttention("query heads take turns at the key heads", func(d kernels.Device, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
		q2, out2, lse2 := copyOf(d, q), copyOf(d, out), copyOf(d, lse)
		d.Write(q2, turns(read(d, q), h, h.Width, false))
		d.Attention(out2, lse2, q2, k, v, h)
		d.Write(out, turns(read(d, out2), h, h.Width, true))
		d.Write(lse, turns(read(d, lse2), h, 1, true))
	}),
	plantAttention("the first key of a sequence is missed", func(d kernels.Device, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
		starts := slices.Clone(h.KStarts.Host)
		for s := range starts {
			if h.KEnds.Host[s]-starts[s] > h.QStarts.Host[s+1]-h.QStarts.Host[s] {
				starts[s]++
			}
		}
		h.KStarts = hosted(starts...)
		d.Attention(out, lse, q, k, v, h)
	}),
	plantAttention("the scale is the usual one", func(d kernels.Device, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
		h.Scale = float32(1 / math.Sqrt(float64(h.Width)))
		d.Attention(out, lse, q, k, v, h)
	}),
	plantAttention("lse is of base 2", func(d kernels.Device, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
		d.Attention(out, lse, q, k, v, h)
		edit(d, lse, func(v []float32) {
			for i := range v {
				v[i] *= math.Log2E
			}
		})
	}),
	plantAttention("a sequence in a batch rounds otherwise", func(d kernels.Device, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
		d.Attention(out, lse, q, k, v, h)
		edit(d, out, func(v []float32) {
			if h.KStarts.Len() > 1 {
				v[len(v)-1] = math.Nextafter32(v[len(v)-1], 0)
			}
		})
	}),
	plantAttention("a continued sequence rounds otherwise", func(d kernels.Device, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
		d.Attention(out, lse, q, k, v, h)
		edit(d, out, func(v []float32) {
			if q.Rows < k.Rows && len(v) > 0 {
				v[0] = math.Nextafter32(v[0], 0)
			}
		})
	}),
	plantAttentionGrad("the window is one shorter", func(d kernels.Device, o attentionOperands, h kernels.AttentionShape) {
		if h.Window > 1 {
			h.Window--
		}
		o.grad(d, h)
	}),
	plantAttentionGrad("rows of nobody are cleared", func(d kernels.Device, o attentionOperands, h kernels.AttentionShape) {
		d.Fill(o.dk, 0)
		o.grad(d, h)
	}),
	plantAttentionGrad("dv is added to", func(d kernels.Device, o attentionOperands, h kernels.AttentionShape) {
		before := read(d, o.dv)
		o.grad(d, h)
		edit(d, o.dv, func(v []float32) {
			for i := range v {
				v[i] += before[i]
			}
		})
	}),
	plantAttentionGrad("a row of dk is of another sequence", func(d kernels.Device, o attentionOperands, h kernels.AttentionShape) {
		o.grad(d, h)
		first := make([]float32, o.dk.Cols)
		if h.KStarts.Len() > 1 {
			d.Read(first, o.dk.Slice(int(h.KStarts.Host[0]), int(h.KStarts.Host[0])+1))
			keyRow(d, o.dk, h, func(v []float32) { copy(v, first) })
		}
	}),
	plantAttentionGrad("keys that nobody sees are skipped", func(d kernels.Device, o attentionOperands, h kernels.AttentionShape) {
		before := read(d, o.dv)
		o.grad(d, h)
		edit(d, o.dv, func(v []float32) {
			for i := range v {
				if v[i] == 0 {
					v[i] = before[i]
				}
			}
		})
	}),
	plantAttentionGrad("dk is unscaled", func(d kernels.Device, o attentionOperands, h kernels.AttentionShape) {
		o.grad(d, h)
		keyRow(d, o.dk, h, func(v []float32) {
			for i := range v {
				v[i] /= h.Scale
			}
		})
	}),
	plantSwiGLU("up is the gate", func(d kernels.Device, y, gate, up kernels.Tensor) { d.SwiGLU(y, up, gate) }),
	plantSwiGLU("large gates overflow", func(d kernels.Device, y, gate, up kernels.Tensor) {
		d.SwiGLU(y, gate, up)
		g := read(d, gate)
		edit(d, y, func(v []float32) {
			for i := range v {
				if g[i] < -88 {
					v[i] = nan
				}
			}
		})
	}),
	{"SwiGLUGrad", "not in place", func(d kernels.Device) kernels.Device { return notInPlace{d} }},
	{"Embed", "the next row", func(d kernels.Device) kernels.Device { return nextRow{d} }},
	plantEmbedGrad("tokens run backwards", func(d kernels.Device, dw, dx kernels.Tensor, ids kernels.Ints) {
		backwards(hosted(iota32(ids.Len())...), ids.Len(), func(from, to int) { d.EmbedGrad(dw, dx.Slice(from, to), ids.Slice(from, to)) })
	}),
	plantEntropy("the gradient of a sure target collapses", func(d kernels.Device, stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy) {
		d.CrossEntropy(stats, logits, weights, targets, h)
		w := read(d, weights)
		edit(d, logits, func(v []float32) {
			for i, target := range targets.Host {
				at := i*logits.Cols + int(target)
				v[at] = w[i] * ((v[at]/w[i] + 1) - 1)
			}
		})
	}),
	plantEntropy("the loss of a sure target collapses", func(d kernels.Device, stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy) {
		d.CrossEntropy(stats, logits, weights, targets, h)
		edit(d, stats, func(v []float32) {
			for i := 0; i < len(v); i += 3 {
				v[i] = (v[i] + 1) - 1
			}
		})
	}),
	plantEntropy("the entropy is in bits", func(d kernels.Device, stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy) {
		d.CrossEntropy(stats, logits, weights, targets, h)
		edit(d, stats, func(v []float32) {
			for i := 1; i < len(v); i += 3 {
				v[i] *= math.Log2E
			}
		})
	}),
	plantEntropy("every target hits", func(d kernels.Device, stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy) {
		d.CrossEntropy(stats, logits, weights, targets, h)
		edit(d, stats, func(v []float32) {
			for i := 2; i < len(v); i += 3 {
				v[i] = 1
			}
		})
	}),
	plantEntropy("weights are ignored", func(d kernels.Device, stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy) {
		ones := copyOf(d, weights)
		d.Fill(ones, 1)
		d.CrossEntropy(stats, logits, ones, targets, h)
	}),
	plantEntropy("smoothing is ignored", func(d kernels.Device, stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy) {
		d.CrossEntropy(stats, logits, weights, targets, kernels.CrossEntropy{Penalty: h.Penalty})
	}),
	plantEntropy("the penalty is ignored", func(d kernels.Device, stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy) {
		d.CrossEntropy(stats, logits, weights, targets, kernels.CrossEntropy{Smoothing: h.Smoothing})
	}),
	{"PutRows", "the other rows are cleared", func(d kernels.Device) kernels.Device { return othersCleared{d} }},
	{"Copy", "one element too many", func(d kernels.Device) kernels.Device { return oneTooMany{d} }},
	plantDropout("nothing is scaled", func(d kernels.Device, dst, src kernels.Tensor, p kernels.Dropout, acc bool) {
		scaled := copyOf(d, src)
		edit(d, scaled, func(v []float32) {
			for i := range v {
				v[i] *= 1 - p.Rate
			}
		})
		d.Dropout(dst, scaled, p, acc)
	}),
	plantDropout("the mask depends on the row in the batch", func(d kernels.Device, dst, src kernels.Tensor, p kernels.Dropout, acc bool) {
		p.Positions = hosted(iota32(src.Rows)...)
		d.Dropout(dst, src, p, acc)
	}),
	plantDropout("acc is ignored", func(d kernels.Device, dst, src kernels.Tensor, p kernels.Dropout, _ bool) {
		d.Dropout(dst, src, p, false)
	}),
	plantDropout("every site has the same mask", func(d kernels.Device, dst, src kernels.Tensor, p kernels.Dropout, acc bool) {
		p.Site = 0
		d.Dropout(dst, src, p, acc)
	}),
	plantDropout("every step has the same mask", func(d kernels.Device, dst, src kernels.Tensor, p kernels.Dropout, acc bool) {
		p.Step = 0
		d.Dropout(dst, src, p, acc)
	}),
	{"SumSquares", "the tail is lost", func(d kernels.Device) kernels.Device { return tailLost{d} }},
	plantAdamW("eps is ignored", func(d kernels.Device, w, m, v, g kernels.Tensor, h kernels.AdamW) {
		h.Eps = 1e-8
		d.AdamW(w, m, v, g, h)
	}),
	plantAdamW("no bias correction", func(d kernels.Device, w, m, v, g kernels.Tensor, h kernels.AdamW) {
		h.Step = 1 << 30
		d.AdamW(w, m, v, g, h)
	}),
	plantAdamW("no decay", func(d kernels.Device, w, m, v, g kernels.Tensor, h kernels.AdamW) {
		h.WeightDecay = 0
		d.AdamW(w, m, v, g, h)
	}),
	plantAdamW("no clipping", func(d kernels.Device, w, m, v, g kernels.Tensor, h kernels.AdamW) {
		h.GradScale = 1
		d.AdamW(w, m, v, g, h)
	}),
	plantAdamW("1-Beta2 in float32", func(d kernels.Device, w, m, v, g kernels.Tensor, h kernels.AdamW) {
		h.Beta2 = float64(float32(h.Beta2))
		d.AdamW(w, m, v, g, h)
	}),
	{"NotANumber", "zeros are skipped in products", func(d kernels.Device) kernels.Device {
		return faultyMatMul{d, func(d kernels.Device, y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
			d.MatMul(y, x, w, alpha, acc)
			edit(d, y, func(v []float32) {
				for i := range v {
					if v[i] != v[i] {
						v[i] = 0
					}
				}
			})
		}}
	}},
	{"Memory", "fresh memory is dirty", func(d kernels.Device) kernels.Device { return dirtyMemory{d} }},
}

// turns moves query head h, of so many features, to where its key head is h
// modulo the number of key heads; or back.
func turns(v []float32, h kernels.AttentionShape, width int, back bool) []float32 {
	moved, group := make([]float32, len(v)), h.Heads/h.KVHeads
	for i := range v {
		row, head, at := i/(h.Heads*width), i/width%h.Heads, i%width
		to := (row*h.Heads+head%h.KVHeads*group+head/h.KVHeads)*width + at
		if back {
			moved[i] = v[to]
		} else {
			moved[to] = v[i]
		}
	}
	return moved
}

func iota32(n int) []int32 {
	v := make([]int32, n)
	for i := range v {
		v[i] = int32(i)
	}
	return v
}
