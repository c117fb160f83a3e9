package kerneltest

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/seed-5afa5581/graft/kernels"
)

// NewOpaque returns a device that computes with inner and keeps its memory to
// itself, as a GPU does:
//
//   - nothing outside can look into its Mem;
//   - activations are bfloat16, rounded to nearest even when they are stored;
//   - an operation reads an Ints from what WriteInts copied, and panics if that
//     is not what Host says;
//   - what was freed cannot be used.
//
// It is slow. Close closes inner.
func NewOpaque(inner kernels.Device) kernels.Device { return &opaque{inner: inner} }

type opaque struct {
	inner kernels.Device
	mu    sync.Mutex
	idle  []*kernels.Arena // of inner, for the operands of one operation
}

// chip is a piece of an opaque device's memory: one of the three is there.
type chip struct {
	bf16   []uint16
	f32    []float32
	ints   []int32
	matrix *kernels.Matrix // a weight, on the inner device
}

func (o *opaque) Info() kernels.Info {
	i := o.inner.Info()
	return kernels.Info{Name: "opaque", Detail: "bfloat16 on " + i.Name, Workers: i.Workers, Epsilon: 1.0 / (1 << 8), Width: 8}
}

// For returns the device itself: its activations are bfloat16 for every base.
func (o *opaque) For(kernels.Format) kernels.Device { return o }

func (o *opaque) Close() error {
	for _, a := range o.idle {
		a.Free()
	}
	o.idle = nil
	return o.inner.Close()
}

func (o *opaque) Sync() error { return o.inner.Sync() }

func (o *opaque) Alloc(kind kernels.Kind, n int) (kernels.Mem, error) {
	switch kind {
	case kernels.Activation:
		return &chip{bf16: make([]uint16, n)}, nil
	case kernels.Float32:
		return &chip{f32: make([]float32, n)}, nil
	}
	return &chip{ints: make([]int32, n)}, nil
}

// Free leaves nothing behind, so that what uses the memory afterwards panics.
func (o *opaque) Free(m kernels.Mem) {
	c := m.(*chip)
	if c.matrix != nil {
		o.inner.Free(c.matrix.Mem)
	}
	*c = chip{}
}

func (o *opaque) NewMatrix(w kernels.Weights) (kernels.Matrix, error) {
	m, err := o.inner.NewMatrix(w)
	if err != nil {
		return kernels.Matrix{}, fmt.Errorf("kerneltest: opaque: %w", err)
	}
	hidden := m
	m.Mem, m.Off = &chip{matrix: &hidden}, 0
	return m, nil
}

func (o *opaque) Read(dst []float32, src kernels.Tensor) {
	c := src.Mem.(*chip)
	if src.Kind == kernels.Float32 {
		copy(dst, c.f32[src.Off:src.Off+src.Len()])
		return
	}
	for i, v := range c.bf16[src.Off : src.Off+src.Len()] {
		dst[i] = math.Float32frombits(uint32(v) << 16)
	}
}

func (o *opaque) Write(dst kernels.Tensor, src []float32) {
	c := dst.Mem.(*chip)
	if dst.Kind == kernels.Float32 {
		copy(c.f32[dst.Off:dst.Off+dst.Len()], src)
		return
	}
	bf16 := c.bf16[dst.Off : dst.Off+dst.Len()]
	for i, v := range src {
		bf16[i] = bfloat16(v)
	}
}

// bfloat16 rounds to the nearest upper half of a float32, to the even one of
// two; a NaN stays one.
func bfloat16(x float32) uint16 {
	bits := math.Float32bits(x)
	if x != x {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

func (o *opaque) WriteInts(v kernels.Ints) {
	if v.Len() > 0 {
		copy(v.Mem.(*chip).ints[v.Off:v.Off+v.Len()], v.Host)
	}
}

// A launch is one operation: its operands are copied to the inner device, and
// the results back when it is done.
type launch struct {
	*opaque
	arena   *kernels.Arena
	results []result
}

type result struct{ outer, inner kernels.Tensor }

func (o *opaque) launch() *launch {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.idle); n > 0 {
		a := o.idle[n-1]
		o.idle = o.idle[:n-1]
		return &launch{opaque: o, arena: a}
	}
	return &launch{opaque: o, arena: kernels.NewArena(o.inner)}
}

// done stores the results.
func (l *launch) done() {
	for _, r := range l.results {
		v := make([]float32, r.inner.Len())
		l.inner.Read(v, r.inner)
		l.Write(r.outer, v)
	}
	l.arena.Reset()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = append(l.idle, l.arena)
}

// in returns a copy of t on the inner device.
func (l *launch) in(t kernels.Tensor) kernels.Tensor {
	if t.None() {
		return t
	}
	v, inner := make([]float32, t.Len()), l.arena.Like(t)
	l.Read(v, t)
	l.inner.Write(inner, v)
	return inner
}

// out returns a copy of t that is stored back in the end.
func (l *launch) out(t kernels.Tensor) kernels.Tensor {
	inner := l.in(t)
	if !t.None() {
		l.results = append(l.results, result{t, inner})
	}
	return inner
}

// ints returns v as the device's memory has it.
func (l *launch) ints(v kernels.Ints) kernels.Ints {
	if v.Len() == 0 {
		return l.arena.Ints(nil)
	}
	c, ok := v.Mem.(*chip)
	if !ok || !slices.Equal(c.ints[v.Off:v.Off+v.Len()], v.Host) {
		panic("kerneltest: opaque: an Ints differs from what WriteInts copied")
	}
	return l.arena.Ints(c.ints[v.Off : v.Off+v.Len()])
}

// matrix returns w on the inner device.
func (l *launch) matrix(w kernels.Matrix) kernels.Matrix {
	if m := w.Mem.(*chip).matrix; m != nil {
		return *m
	}
	return l.in(kernels.Tensor{Rows: w.Rows, Cols: w.Cols, Kind: kernels.Float32, Mem: w.Mem, Off: w.Off}).Matrix()
}

func (l *launch) shape(h kernels.AttentionShape) kernels.AttentionShape {
	h.QStarts, h.KStarts, h.KEnds = l.ints(h.QStarts), l.ints(h.KStarts), l.ints(h.KEnds)
	return h
}
