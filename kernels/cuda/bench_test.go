//go:build cuda

package cuda

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cuda/driver"
	"github.com/seed-5afa5581/graft/quant"
)

// A timing is a device and memory for what is timed. With -short everything is
// small, for an emulator.
type timing struct {
	*testing.B
	d     *Device
	arena *kernels.Arena
}

func timed(b *testing.B) timing {
	b.Helper()
	if err := driver.Start(); err != nil {
		b.Skip(err)
	}
	d, err := Open(Config{})
	if err != nil {
		b.Fatal(err)
	}
	arena := kernels.NewArena(d)
	b.Cleanup(func() {
		arena.Free()
		_ = d.Close()
	})
	return timing{b, d, arena}
}

// size returns n, or small under -short.
func (t timing) size(n, small int) int {
	if testing.Short() {
		return small
	}
	return n
}

// run times an operation that does so many multiplications and additions and
// moves so many bytes.
func (t timing) run(name string, flops, bytes float64, operation func()) {
	t.B.Run(name, func(b *testing.B) {
		operation()
		if err := t.d.Sync(); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer() // and no b.Loop, which stops before the GPU has done its work
		for range b.N {
			operation()
		}
		if err := t.d.Sync(); err != nil {
			b.Fatal(err)
		}
		seconds := b.Elapsed().Seconds() / float64(b.N)
		b.ReportMetric(flops/seconds/1e12, "TFLOP/s")
		b.ReportMetric(bytes/seconds/1e9, "GB/s")
	})
}

// weight returns a weight of zeros, which take as long as any.
func (t timing) weight(format kernels.Format, rows, cols int) kernels.Matrix {
	w := kernels.Weights{Rows: rows, Cols: cols, Format: format}
	n := rows * cols
	switch format {
	case kernels.NF4:
		s := quant.Scales{Codes: make([]uint8, n/64), Map: new([256]float32), Nested: make([]float32, (n/64+255)/256)}
		w.Quantized = &quant.Tensor{Type: quant.NF4, Block: 64, Shape: []int{rows, cols}, Packed: make([]byte, n/2), Scales: s}
	case kernels.Int8:
		w.Quantized = &quant.Tensor{Type: quant.Int8, Block: cols, Shape: []int{rows, cols}, Packed: make([]byte, n), Scales: quant.Scales{Plain: make([]float32, rows)}}
	default:
		w.Data = make([]byte, format.Bytes(n))
		binary.LittleEndian.PutUint16(w.Data, 1)
	}
	m, err := t.d.NewMatrix(w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { t.d.Free(m.Mem) })
	return m
}

func BenchmarkProducts(b *testing.B) {
	t := timed(b)
	for _, s := range [][2]int{{t.size(4096, 128), t.size(4096, 128)}, {t.size(14336, 192), t.size(4096, 128)}} {
		out, in := s[0], s[1]
		for _, format := range []kernels.Format{kernels.BF16, kernels.Int8, kernels.NF4} {
			w := t.weight(format, out, in)
			for _, rows := range []int{1, 16, t.size(512, 96), t.size(2048, 160)} {
				x, y := t.arena.Activation(rows, in), t.arena.Activation(rows, out)
				flops, bytes := 2*float64(rows)*float64(in)*float64(out), float64(format.Bytes(in*out)+2*rows*(in+out))
				name := fmt.Sprintf("%dx%d/%v/%d", out, in, format, rows)
				t.run("MatMul/"+name, flops, bytes, func() { t.d.MatMul(y, x, w, 1, false) })
				t.run("MatMulGradInput/"+name, flops, bytes, func() { t.d.MatMulGradInput(x, y, w, 1, false) })
			}
		}
	}
}

func BenchmarkAttention(b *testing.B) {
	t := timed(b)
	n := t.size(2048, 96)
	for _, width := range []int{64, 128} {
		heads, kv := t.size(4096, 256)/width, t.size(1024, 128)/width
		q, k, v, out := t.arena.Activation(n, heads*width), t.arena.Activation(n, kv*width), t.arena.Activation(n, kv*width), t.arena.Activation(n, heads*width)
		dq, dk, dv, lse := t.arena.Like(q), t.arena.Like(k), t.arena.Like(v), t.arena.Float32(n, heads)
		h := kernels.AttentionShape{Heads: heads, KVHeads: kv, Width: width, Scale: 0.1, QStarts: t.arena.Ints([]int32{0, int32(n)}),
			KStarts: t.arena.Ints([]int32{0}), KEnds: t.arena.Ints([]int32{int32(n)})}
		flops := 2 * float64(n) * float64(n) * float64(heads*width) // two products, half of them masked
		t.run(fmt.Sprintf("ahead/%d", width), flops, 0, func() { t.d.Attention(out, lse, q, k, v, h) })
		t.run(fmt.Sprintf("back/%d", width), 2.5*flops, 0, func() { t.d.AttentionGrad(dq, dk, dv, out, out, lse, q, k, v, h) })
	}
}

func BenchmarkRows(b *testing.B) {
	t := timed(b)
	rows, cols := t.size(2048, 32), t.size(4096, 128)
	n := float64(rows * cols)
	x, y, z := t.arena.Activation(rows, cols), t.arena.Activation(rows, cols), t.arena.Activation(rows, cols)
	stream, rstd, gain := t.arena.Float32(rows, cols), t.arena.Float32(rows, 1), t.arena.Float32(1, cols)
	t.run("RMSNorm", 0, 6*n, func() { t.d.RMSNorm(x, rstd, stream, gain, 1e-5) })
	t.run("SwiGLU", 0, 6*n, func() { t.d.SwiGLU(z, x, y) })
	t.run("SwiGLUGrad", 0, 10*n, func() { t.d.SwiGLUGrad(x, y, z, x, y) })
	t.run("Copy", 0, 6*n, func() { t.d.Copy(x, stream) })
	logits, stats, weights := t.arena.Float32(t.size(256, 8), t.size(128256, 500)), t.arena.Float32(t.size(256, 8), 3), t.arena.Float32(t.size(256, 8), 1)
	targets := t.arena.Ints(make([]int32, logits.Rows))
	t.run("CrossEntropy", 0, 8*float64(logits.Len()), func() { t.d.CrossEntropy(stats, logits, weights, targets, kernels.CrossEntropy{}) })
	w, m, v, g := t.arena.Float32(1, t.size(1<<24, 4096)), t.arena.Float32(1, t.size(1<<24, 4096)), t.arena.Float32(1, t.size(1<<24, 4096)), t.arena.Float32(1, t.size(1<<24, 4096))
	t.run("AdamW", 0, 28*float64(w.Len()), func() {
		t.d.AdamW(w, m, v, g, kernels.AdamW{LR: 1e-4, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Step: 1, GradScale: 1})
	})
}
