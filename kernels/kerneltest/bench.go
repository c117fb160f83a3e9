package kerneltest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
)

// A reporter hears of failures. It is a testing.T, or where the suite itself
// is tested something that writes down.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// A bench runs the cases of one check: it lays out operands on a device and
// judges what an operation left in them.
type bench struct {
	reporter
	dev      kernels.Device
	epsilon  float64 // the device's
	rnd      *random.Source
	storages []storage // that the device has
	label    string    // of the case that runs
	operands []*operand
	mems     []kernels.Mem
	weights  []weights
	prints   []uint64 // fingerprint of each result
}

// weights are the bytes of a matrix and a copy of them.
type weights struct{ data, copy []byte }

func newBench(t reporter, dev kernels.Device) *bench {
	return &bench{
		reporter: t, dev: kernels.Checked(dev), epsilon: dev.Info().Epsilon, rnd: random.New(20, random.Sample, 0),
		storages: slices.DeleteFunc(slices.Clone(storages), func(s storage) bool { return s.lacking(dev) }),
	}
}

// An operand is a tensor between guards.
type operand struct {
	kernels.Tensor
	value  mat            // what the device holds, before the operation; 0 if poisoned
	whole  kernels.Tensor // with the guards
	before []float32      // content of whole
	role   role
	read   bool // the result has been looked at
}

type role uint8

const (
	input  role = iota // must stay as it is
	output             // written, or added to
)

// guards is how many elements of memory lie before and behind an operand, at
// the least: odd, so that nothing is aligned by luck, and more than a vector.
const guards = 67

// sentinel is what guards of outputs hold: bfloat16 has it, results do not.
const sentinel = 12288

var nan = float32(math.NaN())

// run runs one case and then checks that nothing changed but outputs, and that
// every output was judged.
func (b *bench) run(label string, test func()) {
	b.Helper()
	b.label = label
	test()
	if err := b.dev.Sync(); err != nil {
		b.fail("Sync: %v", err)
	}
	for _, o := range b.operands {
		b.checkGuards(o)
	}
	for _, w := range b.weights {
		if !bytes.Equal(w.data, w.copy) {
			b.fail("the bytes of a matrix changed")
		}
	}
	for _, m := range b.mems {
		b.dev.Free(m)
	}
	b.operands, b.mems, b.weights = nil, nil, nil
}

func (b *bench) fail(format string, args ...any) {
	b.Helper()
	b.Errorf("%s: %s", b.label, fmt.Sprintf(format, args...))
}

func (b *bench) alloc(kind kernels.Kind, n int) kernels.Mem {
	b.Helper()
	mem, err := b.dev.Alloc(kind, n)
	if err != nil {
		b.fail("Alloc: %v", err)
	}
	b.mems = append(b.mems, mem)
	return mem
}

// place makes an operand that holds content between guards.
func (b *bench) place(r role, kind kernels.Kind, rows, cols int, content []float32) *operand {
	b.Helper()
	n, guard := rows*cols, nan
	if r == output {
		guard = sentinel
	}
	whole := make([]float32, guards+n+guards+cols)
	for i := range whole {
		whole[i] = guard
	}
	copy(whole[guards:], content)
	o := &operand{role: r, before: whole}
	o.whole = kernels.Tensor{Rows: 1, Cols: len(whole), Kind: kind, Mem: b.alloc(kind, len(whole))}
	o.Tensor = kernels.Tensor{Rows: rows, Cols: cols, Kind: kind, Mem: o.whole.Mem, Off: guards}
	b.dev.Write(o.whole, whole)
	b.dev.Read(o.before, o.whole)
	o.value = zeros(rows, cols)
	for i := range n {
		o.value.v[i] = float64(o.before[guards+i])
	}
	b.operands = append(b.operands, o)
	return o
}

func float32s(m mat) []float32 {
	v := make([]float32, len(m.v))
	for i, x := range m.v {
		v[i] = float32(x)
	}
	return v
}

// in makes an operand that an operation reads.
func (b *bench) in(kind kernels.Kind, m mat) *operand {
	b.Helper()
	return b.place(input, kind, m.rows, m.cols, float32s(m))
}

// inout makes an operand that an operation changes.
func (b *bench) inout(kind kernels.Kind, m mat) *operand {
	b.Helper()
	return b.place(output, kind, m.rows, m.cols, float32s(m))
}

// out makes an operand that an operation writes: it holds NaN. Its value is 0.
func (b *bench) out(kind kernels.Kind, rows, cols int) *operand {
	b.Helper()
	o := b.inout(kind, zeros(rows, cols).each(func(float64) float64 { return math.NaN() }))
	o.value = zeros(rows, cols)
	return o
}

// target makes what an operation adds to, with acc, or writes.
func (b *bench) target(kind kernels.Kind, rows, cols int, acc bool) *operand {
	b.Helper()
	if acc {
		return b.inout(kind, b.mat(rows, cols))
	}
	return b.out(kind, rows, cols)
}

// mat returns random numbers in [-2, 2).
func (b *bench) mat(rows, cols int) mat {
	v, m := make([]float32, rows*cols), zeros(rows, cols)
	b.rnd.Uniform(v, 2)
	for i, x := range v {
		m.v[i] = float64(x)
	}
	return m
}

// ints returns v in the device's memory.
func (b *bench) ints(v ...int32) kernels.Ints {
	b.Helper()
	ints := kernels.Ints{Host: v, Mem: b.alloc(kernels.Int32, len(v)+guards), Off: guards}
	b.dev.WriteInts(ints)
	return ints
}

// below returns n random numbers in [0, limit) in the device's memory.
func (b *bench) below(n, limit int) kernels.Ints {
	b.Helper()
	v := make([]int32, n)
	for i := range v {
		v[i] = int32(b.rnd.Intn(limit))
	}
	return b.ints(v...)
}

// matrix returns a weight that stores m as well as its format can, and what it
// stores.
func (b *bench) matrix(s storage, m mat) (kernels.Matrix, mat) {
	b.Helper()
	if s.tensor {
		o := b.in(kernels.Float32, m)
		return o.Matrix(), o.value
	}
	if s.quantize != nil {
		t := s.quantize(m)
		w, err := b.dev.NewMatrix(kernels.Weights{Rows: m.rows, Cols: m.cols, Format: s.format, Quantized: t})
		if err != nil {
			b.fail("NewMatrix: %v", err)
		}
		b.mems = append(b.mems, w.Mem)
		return w, dequantized(t, m.rows, m.cols)
	}
	data := s.encode(m.v)
	w, err := b.dev.NewMatrix(kernels.Weights{Rows: m.rows, Cols: m.cols, Format: s.format, Data: data, Lookup: s.lookup})
	if err != nil {
		b.fail("NewMatrix: %v", err)
	}
	b.mems = append(b.mems, w.Mem)
	b.weights = append(b.weights, weights{data, bytes.Clone(data)})
	return w, mat{m.rows, m.cols, s.decode(data)}
}

// result returns what an operation left in o.
func (b *bench) result(o *operand) []float32 {
	o.read = true
	v := make([]float32, o.Len())
	b.dev.Read(v, o.Tensor)
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, v)
	b.prints = append(b.prints, h.Sum64())
	return v
}

// near fails unless o holds want within the bound.
func (b *bench) near(what string, o *operand, want, size mat, r bound) {
	b.Helper()
	wrong, first, storing := 0, "", b.storing(o.Kind)
	for i, got := range b.result(o) {
		tolerance := r.tolerance(storing, b.epsilon, want.v[i], size.v[i])
		if !(math.Abs(float64(got)-want.v[i]) <= tolerance) {
			if wrong++; wrong == 1 {
				first = fmt.Sprintf("[%d,%d] = %g, want %g ± %.2g", i/o.Cols, i%o.Cols, got, want.v[i], tolerance)
			}
		}
	}
	if wrong > 0 {
		b.fail("%s: %s; %d of %d elements are wrong", what, first, wrong, o.Len())
	}
}

// storing returns the relative error of storing an element of a kind.
func (b *bench) storing(kind kernels.Kind) float64 {
	if kind == kernels.Activation {
		return b.epsilon
	}
	return unit
}

// exact fails unless o holds want to the bit.
func (b *bench) exact(what string, o *operand, want []float32) {
	b.Helper()
	b.equal(what, b.result(o), want)
}

// equal fails unless got and want are the same bits, NaN aside.
func (b *bench) equal(what string, got, want []float32) {
	b.Helper()
	if len(got) != len(want) {
		b.fail("%s: %d elements, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if !sameBits(got[i], want[i]) {
			b.fail("%s: element %d = %g, want %g to the bit", what, i, got[i], want[i])
			return
		}
	}
}

func sameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// checkGuards fails if an operation changed what is not its result.
func (b *bench) checkGuards(o *operand) {
	b.Helper()
	after := make([]float32, len(o.before))
	b.dev.Read(after, o.whole)
	for i := range after {
		inside := i >= guards && i < guards+o.Len()
		if sameBits(after[i], o.before[i]) || inside && o.role == output {
			continue
		}
		if inside {
			b.fail("an input changed: element %d from %g to %g", i-guards, o.before[i], after[i])
		} else {
			b.fail("memory outside an operand changed: element %d of %d", i-guards, o.Len())
		}
		return
	}
	if o.role == output && !o.read && o.Len() > 0 {
		b.fail("the suite did not look at a result")
	}
}
