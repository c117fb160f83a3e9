package kerneltest

import (
	"math"
	"sync"

	"github.com/seed-5afa5581/graft/kernels"
)

// checkInfo: a device says what it is.
func checkInfo(b *bench) {
	b.run("Info", func() {
		i := b.dev.Info()
		if i.Name == "" || i.Detail == "" || i.Workers < 1 || i.Width < 1 {
			b.fail("%+v leaves something out", i)
		}
		if !(i.Epsilon >= unit && i.Epsilon <= 1.0/64) {
			b.fail("Epsilon %g is that of no activation", i.Epsilon)
		}
	})
}

// special are numbers that every float32 must survive as.
var special = []float32{0, float32(math.Copysign(0, -1)), 1, -1.5, 1 + 1.0/(1<<23), math.MaxFloat32, -0x1p-126,
	float32(math.Inf(1)), float32(math.Inf(-1)), nan, 16777217}

// checkMemory: memory is zeroed, keeps what is written and lets it be read.
func checkMemory(b *bench) {
	b.run("Alloc", func() {
		for _, kind := range kinds {
			t := kernels.Tensor{Rows: 3, Cols: 17, Kind: kind, Mem: b.alloc(kind, 51)}
			got := make([]float32, 51)
			got[0] = 1
			b.dev.Read(got, t)
			b.equal("fresh memory", got, make([]float32, 51))
		}
	})
	b.run("Write special numbers", func() {
		t := b.out(kernels.Float32, 1, len(special))
		b.dev.Write(t.Tensor, special)
		b.exact("float32", t, special)
	})
	b.eachKind("Write", func(kind kernels.Kind, rows, cols int) {
		t, m := b.out(kind, rows, cols), b.mat(rows, cols)
		b.dev.Write(t.Tensor, float32s(m))
		if kind == kernels.Float32 {
			b.exact("t", t, float32s(m))
		} else {
			b.near("t", t, m, m, bound{})
		}
	})
	for _, s := range b.storages[1:] {
		if s.quantize != nil {
			continue
		}
		b.run("NewMatrix of unaligned "+s.name, func() {
			data := append([]byte{0}, s.encode(b.mat(3, 17).v)...)[1:]
			w, err := b.dev.NewMatrix(kernels.Weights{Rows: 3, Cols: 17, Format: s.format, Data: data})
			if err != nil {
				b.fail("%v", err)
				return
			}
			b.mems = append(b.mems, w.Mem)
			dst := b.out(kernels.Float32, 3, 17)
			b.dev.Expand(dst.Tensor, w, 0)
			b.exact("dst", dst, float32s(mat{3, 17, s.decode(data)}))
		})
	}
}

// checkInts: slices of an Ints, and an Ints written anew.
func checkInts(b *bench) {
	b.run("Ints", func() {
		src, rows := b.in(kernels.Float32, b.mat(9, 3)), b.ints(8, 1, 7, 2, 6)
		for range 2 {
			dst := b.out(kernels.Float32, 3, 3)
			b.dev.TakeRows(dst.Tensor, src.Tensor, rows.Slice(1, 4))
			b.exact("dst", dst, float32s(src.value.take(rows.Host[1:4])))
			for i := range rows.Host {
				rows.Host[i] = int32(i)
			}
			b.dev.WriteInts(rows)
		}
	})
}

// checkNotANumber: what is no number any more must show downstream, and only in
// the rows that it touches, so that training can stop and say where.
func checkNotANumber(b *bench) {
	poisoned := func(rows, cols int) mat {
		m := b.mat(rows, cols)
		m.set(1, cols-1, math.NaN())
		return m
	}
	shown := func(what string, o *operand) {
		b.Helper()
		got, cols := b.result(o), o.Cols
		for r := range o.Rows {
			bad := false
			for _, x := range got[r*cols : (r+1)*cols] {
				bad = bad || x != x
			}
			if bad != (r == 1) {
				b.fail("%s: row %d has NaN: %v", what, r, bad)
			}
		}
	}
	b.run("NaN in rows", func() {
		x, ones := b.in(kernels.Activation, poisoned(3, 17)), b.in(kernels.Float32, b.mat(1, 17))
		w, _ := b.matrix(storages[0], b.mat(5, 17))
		y, norm, rstd, silu := b.out(kernels.Float32, 3, 5), b.out(kernels.Float32, 3, 17), b.out(kernels.Float32, 3, 1), b.out(kernels.Activation, 3, 17)
		b.dev.MatMul(y.Tensor, x.Tensor, w, 1, false)
		b.dev.RMSNorm(norm.Tensor, rstd.Tensor, x.Tensor, ones.Tensor, 1e-5)
		b.dev.SwiGLU(silu.Tensor, x.Tensor, x.Tensor)
		shown("MatMul", y)
		shown("RMSNorm", norm)
		shown("RMSNorm's rstd", rstd)
		shown("SwiGLU", silu)
	})
	b.run("NaN in logits", func() {
		logits, stats := b.inout(kernels.Float32, poisoned(3, 17)), b.out(kernels.Float32, 3, 3)
		b.dev.CrossEntropy(stats.Tensor, logits.Tensor, b.in(kernels.Float32, b.mat(3, 1)).Tensor, b.ints(0, 1, 2), kernels.CrossEntropy{})
		shown("loss", stats)
		shown("dlogits", logits)
	})
	b.run("NaN in queries", func() {
		a := attention{heads: 1, kvHeads: 1, width: 17, scale: 1, spans: []span{{0, 3, 0, 3}}}
		shown("Attention", b.attendTo(a, poisoned(3, 17), b.mat(3, 17)))
	})
	b.run("NaN in gradients", func() {
		g, norm := b.in(kernels.Float32, poisoned(3, 17)), b.out(kernels.Float32, 1, 1)
		w, m, v := b.inout(kernels.Float32, b.mat(3, 17)), b.inout(kernels.Float32, b.mat(3, 17)), b.inout(kernels.Float32, b.mat(3, 17).abs())
		b.dev.SumSquares(norm.Tensor, g.Tensor)
		b.dev.AdamW(w.Tensor, m.Tensor, v.Tensor, g.Tensor, kernels.AdamW{LR: 0.1, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Step: 1, GradScale: 1})
		if got := b.result(norm)[0]; got == got {
			b.fail("SumSquares of NaN is %g", got)
		}
		shown("AdamW", w)
		shown("AdamW's m", m)
		shown("AdamW's v", v)
	})
}

func (b *bench) attendTo(a attention, q, k mat) *operand {
	b.Helper()
	keys := b.in(kernels.Activation, k)
	out, lse := b.out(kernels.Activation, q.rows, q.cols), b.out(kernels.Float32, q.rows, a.heads)
	b.dev.Attention(out.Tensor, lse.Tensor, b.in(kernels.Activation, q).Tensor, keys.Tensor, keys.Tensor, b.shape(a))
	b.result(lse)
	return out
}

// checkConcurrent: several goroutines, each with its own tensors, get what each
// gets alone.
func checkConcurrent(b *bench) {
	b.run("Concurrent", func() {
		const n = 6
		x, alone, beside := make([]mat, n), make([][]float32, n), make([][]float32, n)
		w, _ := b.matrix(storages[2], b.mat(34, 34))
		for i := range n {
			x[i] = b.mat(40, 34)
			alone[i] = layer(b.dev, x[i], w)
		}
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { beside[i] = layer(b.dev, x[i], w) })
		}
		wg.Wait()
		for i := range n {
			b.equal("beside others", beside[i], alone[i])
		}
	})
}

// layer runs a few operations that may need scratch memory, ahead and back.
func layer(dev kernels.Device, m mat, w kernels.Matrix) []float32 {
	arena := kernels.NewArena(dev)
	defer arena.Free()
	act := func() kernels.Tensor { return arena.Activation(m.rows, m.cols) }
	x, qkv, out, y, dq, dk, dv := act(), act(), act(), act(), act(), act(), act()
	lse, dw, gain := arena.Float32(m.rows, 2), arena.Float32(m.cols, m.cols), arena.Float32(1, m.cols)
	rstd, dgain, norm := arena.Float32(m.rows, 1), arena.Float32(1, m.cols), arena.Float32(1, 1)
	starts, ends, folds := arena.Ints([]int32{0, 23, 40}), arena.Ints([]int32{23, 40}), arena.Ints([]int32{0, 23})
	shape := kernels.AttentionShape{Heads: 2, KVHeads: 2, Width: 17, Scale: 0.2, QStarts: starts, KStarts: starts.Slice(0, 2), KEnds: ends}
	dev.Write(x, float32s(m))
	dev.Fill(gain, 1.5)
	dev.Fill(dw, 0)
	dev.Fill(dgain, 0)
	dev.MatMul(qkv, x, w, 0.1, false)
	dev.Attention(out, lse, qkv, qkv, qkv, shape)
	dev.RMSNorm(y, rstd, out, gain, 1e-5)
	dev.AttentionGrad(dq, dk, dv, y, out, lse, qkv, qkv, qkv, shape)
	dev.RMSNormGrad(dq, dgain, dk, out, rstd, gain, folds, true)
	dev.MatMulGradInput(dq, dv, w, 0.1, true)
	dev.MatMulGradWeight(dw, dq, out, 1, folds)
	dev.SumSquares(norm, dw)
	var result []float32
	for _, t := range []kernels.Tensor{dq, dw, dgain, norm} {
		v := make([]float32, t.Len())
		dev.Read(v, t)
		result = append(result, v...)
	}
	return result
}
