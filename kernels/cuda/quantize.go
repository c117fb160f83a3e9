//go:build cuda

package cuda

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

const (
	meanThreads = 512
	// warpElements is how many elements a warp quantises at a time, one block or several.
	warpElements = 256
)

var (
	quantiseBlocks = denseEntries("quantise_blocks", 4*16)
	quantiseRows   = denseEntries("quantise_rows", warpSums)
	meanOfScales   = entry("mean_of_scales", meanThreads, 4*meanThreads)
	quantiseScales = entry("quantise_scales", blockThreads, 4*256)
)

func denseEntries(name string, shared int) family {
	return family{
		kernels.F32: entry(name+"_f32", blockThreads, shared), kernels.BF16: entry(name+"_bf16", blockThreads, shared), kernels.F16: entry(name+"_f16", blockThreads, shared),
	}
}

var _ kernels.Quantizer = (*Device)(nil)

// Quantize makes a quantised weight of a dense one, with the bits of package quant.
// Elements go to the GPU a piece at a time, into memory that is given back.
func (d *Device) Quantize(w kernels.Weights, c quant.Config) (kernels.Matrix, error) {
	return d.quantize(w, c, staging/2)
}

// quantize is Quantize with pieces of so many bytes, or of a row where it is longer.
func (d *Device) quantize(w kernels.Weights, c quant.Config, piece int) (m kernels.Matrix, err error) {
	if c.Validate() != nil || w.Rows <= 0 || w.Cols <= 0 {
		return m, errors.ErrUnsupported
	}
	q := newQuantizing(d, w, c)
	if err = q.allocate(piece); err == nil {
		err = q.run()
	}
	if err != nil {
		q.free()
		return m, err
	}
	d.Free(q.buffer)
	return kernels.Matrix{Rows: w.Rows, Cols: w.Cols, Format: q.format(), Mem: q.memory}, nil
}

// A quantizing is a matrix on its way: dense on the host, codes on the GPU.
type quantizing struct {
	d      *Device
	dense  kernels.Weights
	kind   quant.Type
	double bool // scales are quantised too
	unit   int  // elements of a block, or of a row of int8, that share a scale
	units  int

	weight weight
	memory *memory // of the matrix
	buffer *memory // for a piece, the scales before they are quantised, and their mean
	piece  int     // elements: whole units
	plain  uint64  // where the scales of units go
	mean   uint64
}

func newQuantizing(d *Device, w kernels.Weights, c quant.Config) *quantizing {
	q := &quantizing{d: d, dense: w, kind: c.Type, unit: c.Block, double: c.Type != quant.Int8 && !c.PlainScales}
	switch {
	case c.Type == quant.Int8:
		q.unit, q.weight.shift = w.Cols, w.Cols
	case c.Block == 0:
		q.unit = quant.DefaultBlock
	}
	q.units = blocks(w.Rows*w.Cols, q.unit)
	return q
}

func (q *quantizing) format() kernels.Format { return kernels.QuantizedAs(q.kind) }

// allocate makes room for the matrix and for pieces of so many bytes.
func (q *quantizing) allocate(piece int) (err error) {
	n, size := q.dense.Rows*q.dense.Cols, q.dense.Format.Bytes(1)
	q.piece = min(n, max(1, piece/(size*q.unit))*q.unit)
	if q.memory, err = q.d.assemble(&q.weight, part{room: q.format().Bytes(n)}, q.beside()); err != nil {
		return err
	}
	q.plain = q.weight.scales
	room := []part{{room: q.piece * size}}
	if q.double {
		room = append(room, part{room: 4 * q.units, at: &q.plain}, part{room: 4, at: &q.mean})
	}
	q.buffer, err = q.d.place(room...)
	return err
}

// beside lists what belongs to the codes.
func (q *quantizing) beside() []part {
	if q.kind == quant.Int8 {
		return []part{{room: 4 * q.units, at: &q.weight.scales}}
	}
	t := &quant.Tensor{Type: q.kind, Block: q.unit}
	if !q.double {
		return q.weight.plain(t, part{room: 4 * q.units})
	}
	values := quant.Signed().Values()
	return q.weight.double(t, part{room: 4 * q.nested()}, part{room: q.units}, &values)
}

// nested returns how many scales the scales have.
func (q *quantizing) nested() int { return blocks(q.units, quant.DynamicBlock) }

func (q *quantizing) free() {
	for _, m := range []*memory{q.memory, q.buffer} {
		if m != nil {
			q.d.Free(m)
		}
	}
}

// run quantises piece after piece, then the scales.
func (q *quantizing) run() error {
	n, size := q.dense.Rows*q.dense.Cols, q.dense.Format.Bytes(1)
	for from := 0; from < n; from += q.piece {
		count := min(q.piece, n-from)
		if err := q.d.push(q.buffer.address, q.dense.Data[from*size:][:count*size]); err != nil {
			return fmt.Errorf("cuda: copying a matrix to the GPU: %w", err)
		}
		q.quantize(from, count)
	}
	if q.double {
		q.d.meanOf(q.mean, q.plain, q.units)
		q.quantizeScales()
		q.weight.offset = q.d.floats(q.mean, 1)[0]
	}
	return q.check()
}

// quantize launches what makes codes of the elements in the buffer, count from one on.
func (q *quantizing) quantize(from, count int) {
	var l launch
	l.word(q.memory.address + uint64(q.format().Bytes(from)))
	l.word(q.plain + uint64(4*(from/q.unit)))
	l.word(q.buffer.address)
	if q.kind == quant.Int8 {
		l.ints(q.dense.Cols)
		q.d.run(quantiseRows[q.dense.Format], grid{count / q.unit, 1, 1}, &l)
		return
	}
	l.ints(count, q.weight.shift)
	l.word(q.weight.table)
	l.word(ascending(q.kind))
	q.d.run(quantiseBlocks[q.dense.Format], grid{blocks(count, blockThreads/32*max(warpElements, q.unit)), 1, 1}, &l)
}

// ascending returns the codes of a 4-bit type by their values, four bits each, the
// lowest first. Of two zeros the one without a sign, the lower code, comes first.
func ascending(t quant.Type) (order uint64) {
	values := t.Values()
	codes := make([]int, len(values))
	for i := range codes {
		codes[i] = i
	}
	slices.SortStableFunc(codes, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	for i, code := range codes {
		order |= uint64(code) << (4 * i)
	}
	return order
}

// meanOf launches the mean of n scales: in vectors of eight, or of one where there
// are fewer, and with levels of 16 rows, or of more where there are over 2^20 of four
// vectors.
func (d *Device) meanOf(mean, scales uint64, n int) {
	width := 8
	if n < width {
		width = 1
	}
	rows := n / (4 * width)
	var l launch
	l.word(mean)
	l.word(scales)
	l.ints(n, width, max(4, bits.Len(uint(max(rows-1, 0)))/4))
	d.run(meanOfScales, grid{1, 1, 1}, &l)
}

// quantizeScales launches what makes codes of the scales.
func (q *quantizing) quantizeScales() {
	var l launch
	for _, address := range []uint64{q.weight.codes, q.weight.scales, q.plain, q.mean, q.weight.values} {
		l.word(address)
	}
	l.ints(q.units)
	q.d.run(quantiseScales, grid{blocks(q.units, 8*blockThreads), 1, 1}, &l)
}

// check looks at the scales, which are no numbers or too large where elements are.
// Package quant says which.
func (q *quantizing) check() error {
	n, limit := q.units, math.Float32bits(float32(math.Inf(1)))
	switch {
	case q.double:
		n = q.nested()
	case q.kind == quant.Int8:
		limit = math.Float32bits(quant.LargestRow) + 1
	}
	scales := q.d.floats(q.weight.scales, n)
	if err := q.d.faults.first(); err != nil {
		return err
	}
	for _, s := range scales {
		if math.Float32bits(s)&^(1<<31) >= limit {
			return fmt.Errorf("cuda: a weight that cannot be quantised: %w", errors.ErrUnsupported)
		}
	}
	return nil
}

var typeOf = map[kernels.Format]quant.Type{kernels.NF4: quant.NF4, kernels.FP4: quant.FP4, kernels.Int8: quant.Int8}

// Quantized copies a quantised weight to the host.
func (d *Device) Quantized(m kernels.Matrix) (*quant.Tensor, error) {
	mem, n := m.Mem.(*memory), m.Rows*m.Cols
	q := mem.weight
	t := &quant.Tensor{Type: typeOf[m.Format], Block: 1 << q.shift, Shape: []int{m.Rows, m.Cols}, Packed: make([]byte, m.Format.Bytes(n))}
	if t.Type == quant.Int8 {
		t.Block = m.Cols
	}
	d.fetch(t.Packed, mem.address)
	units := blocks(n, t.Block)
	if q.codes == 0 {
		t.Scales.Plain = d.floats(q.scales, units)
	} else {
		t.Scales = quant.Scales{
			Codes: make([]uint8, units), Map: (*[256]float32)(d.floats(q.values, 256)),
			Nested: d.floats(q.scales, blocks(units, quant.DynamicBlock)), Offset: q.offset,
		}
		d.fetch(t.Scales.Codes, q.codes)
	}
	return t, d.faults.first()
}

// floats copies so many to the host.
func (d *Device) floats(from uint64, n int) []float32 {
	v := make([]float32, n)
	d.fetch(bytesOf(v), from)
	return v
}
