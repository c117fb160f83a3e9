//go:build cuda

package cuda

import (
	"math"
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/kerneltest"
)

// realigned is the device with the operands of attention moved to where the
// kernels on tensor cores take them: the suite's own lie at odd offsets.
type realigned struct{ *Device }

func (d realigned) For(kernels.Format) kernels.Device { return d }

// moved copies operands into an arena and calls run with the copies. The first
// results of them are copied back.
func (d realigned) moved(results int, operands []kernels.Tensor, run func(ts []kernels.Tensor)) {
	arena := kernels.NewArena(d.Device)
	defer arena.Free()
	copies := make([]kernels.Tensor, len(operands))
	for i, t := range operands {
		copies[i] = arena.Like(t)
		d.Copy(copies[i], t)
	}
	run(copies)
	for i := range results {
		d.Copy(operands[i], copies[i])
	}
}

func (d realigned) Attention(out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	d.moved(2, []kernels.Tensor{out, lse, q, k, v}, func(t []kernels.Tensor) { d.Device.Attention(t[0], t[1], t[2], t[3], t[4], h) })
}

func (d realigned) AttentionGrad(dq, dk, dv, dout, out, lse, q, k, v kernels.Tensor, h kernels.AttentionShape) {
	d.moved(3, []kernels.Tensor{dq, dk, dv, dout, out, lse, q, k, v}, func(t []kernels.Tensor) {
		d.Device.AttentionGrad(t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], h)
	})
}

func TestSuiteAligned(t *testing.T) {
	kerneltest.Run(t, kernels.Checked(realigned{open(t, Config{Blocking: true})}))
}

// distance returns how far a is from b, beside the length of b.
func distance(a, b []float32) float64 {
	var d, n float64
	for i := range a {
		d += float64(a[i]-b[i]) * float64(a[i]-b[i])
		n += float64(b[i]) * float64(b[i])
	}
	return math.Sqrt(d / n)
}

// ints returns v in the device's memory.
func ints(t *testing.T, d *Device, v ...int32) kernels.Ints {
	t.Helper()
	mem, err := d.Alloc(kernels.Int32, len(v))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Free(mem) })
	i := kernels.Ints{Host: v, Mem: mem}
	d.WriteInts(i)
	return i
}

// The kernels on tensor cores, for both widths that they are made for and for
// widths between, agree with those for any operands as closely as probabilities
// in bfloat16 let them: half a hundredth of the length. An operand off its
// alignment forces the others.
func TestFlashAgrees(t *testing.T) {
	d := open(t, Config{Blocking: true})
	for _, c := range []struct{ heads, kvHeads, width, window int }{{1, 1, 128, 0}, {2, 1, 72, 0}, {2, 1, 120, 50}, {2, 2, 64, 20}} {
		starts := ints(t, d, 0, 70, 71, 90)
		h := kernels.AttentionShape{Heads: c.heads, KVHeads: c.kvHeads, Width: c.width, Window: c.window, Scale: 0.3, QStarts: starts,
			KStarts: ints(t, d, 0, 70, 72), KEnds: ints(t, d, 70, 71, 140)}
		run := func(off int) [][]float32 { return d.attendBoth(t, h, 140, off) }
		want, got := run(1), run(0)
		for i, name := range []string{"out", "lse", "dq", "dk", "dv"} {
			if far := distance(got[i], want[i]); !(far < 0.005) || far == 0 {
				t.Errorf("%+v: %s is off by %g of its length", c, name, far)
			}
		}
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
}

// attendBoth runs attention ahead and back on tensors that start so many
// elements into their memory, and returns the results.
func (d *Device) attendBoth(t *testing.T, h kernels.AttentionShape, keys, off int) [][]float32 {
	t.Helper()
	n := int(h.QStarts.Host[h.QStarts.Len()-1])
	of := func(rows, heads int, id uint64) kernels.Tensor {
		return placed(t, d, kernels.Activation, rows, heads*h.Width, off, uniform(rows*heads*h.Width, id))
	}
	q, k, v, dout := of(n, h.Heads, 1), of(keys, h.KVHeads, 2), of(keys, h.KVHeads, 3), of(n, h.Heads, 4)
	out, dq, dk, dv := of(n, h.Heads, 5), of(n, h.Heads, 6), of(keys, h.KVHeads, 7), of(keys, h.KVHeads, 7)
	lse := placed(t, d, kernels.Float32, n, h.Heads, 0, make([]float32, n*h.Heads))
	if _, ok := fits(h, out, q, k, v, dq, dk, dv, dout); ok != (off == 0) {
		t.Fatalf("tensor cores take operands at %d: %v", off, ok)
	}
	d.Attention(out, lse, q, k, v, h)
	d.AttentionGrad(dq, dk, dv, dout, out, lse, q, k, v, h)
	var results [][]float32
	for _, x := range []kernels.Tensor{out, lse, dq, dk, dv} {
		results = append(results, contents(d, x))
	}
	return results
}
