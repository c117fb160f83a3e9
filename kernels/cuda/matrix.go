//go:build cuda

package cuda

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// A weight says where in its memory the parts of a quantised matrix are: the
// scales, their own codes and map if they are quantised too, and the values of the
// 16 codes of 4 bits.
type weight struct {
	codes, scales, values, table uint64 // addresses; codes and values 0 for plain scales
	offset                       float32
	shift                        int // log2 of a block's elements; of int8 a row's
}

// A part is bytes of a matrix and where their address goes; or room for so many,
// which kernels fill.
type part struct {
	data []byte
	room int
	at   *uint64
}

func (p part) bytes() int { return max(p.room, len(p.data)) }

// NewMatrix copies w to the GPU, unless it is for lookups: its rows stay on the
// host until they are wanted.
func (d *Device) NewMatrix(w kernels.Weights) (kernels.Matrix, error) {
	m := kernels.Matrix{Rows: w.Rows, Cols: w.Cols, Format: w.Format}
	if OnHost(w) {
		m.Mem = &memory{host: w.Data}
		return m, nil
	}
	var q *weight
	data, rest := w.Data, []part(nil)
	switch w.Format {
	case kernels.F32, kernels.BF16, kernels.F16:
	case kernels.NF4, kernels.FP4:
		q = &weight{}
		data, rest = w.Quantized.Packed, q.parts(w.Quantized)
	case kernels.Int8:
		q = &weight{shift: w.Cols}
		data, rest = w.Quantized.Packed, []part{{data: little(w.Quantized.Scales.Plain), at: &q.scales}}
	default:
		return m, fmt.Errorf("cuda: no matrices of format %v: %w", w.Format, errors.ErrUnsupported)
	}
	mem, err := d.assemble(q, part{data: data}, rest)
	if err != nil {
		return m, err
	}
	m.Mem = mem
	return m, nil
}

// assemble places the codes or elements of a matrix and what belongs to them.
func (d *Device) assemble(q *weight, codes part, rest []part) (*memory, error) {
	mem, err := d.place(codes)
	if err != nil {
		return nil, err
	}
	if mem.beside, err = d.place(rest...); err != nil {
		d.Free(mem)
		return nil, err
	}
	mem.weight = q
	return mem, nil
}

// parts lists what belongs to the 4-bit codes of t beside them.
func (q *weight) parts(t *quant.Tensor) []part {
	if s := &t.Scales; s.Double() {
		q.offset = s.Offset
		return q.double(t, part{data: little(s.Nested)}, part{data: s.Codes}, s.Map)
	}
	return q.plain(t, part{data: little(t.Scales.Plain)})
}

// plain is what belongs to codes of t's type in blocks of t's size with plain scales.
func (q *weight) plain(t *quant.Tensor, scales part) []part {
	for 1<<q.shift < t.Block {
		q.shift++
	}
	values := t.Type.Values()
	scales.at = &q.scales
	return []part{{data: little(values[:]), at: &q.table}, scales}
}

// double is plain with scales that are codes of a map.
func (q *weight) double(t *quant.Tensor, nested, codes part, values *[256]float32) []part {
	codes.at = &q.codes
	return append(q.plain(t, nested), codes, part{data: little(values[:]), at: &q.values})
}

// little returns v as the GPU keeps it.
func little(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// place copies parts into one piece of memory; without any there is none.
func (d *Device) place(parts ...part) (*memory, error) {
	if len(parts) == 0 {
		return nil, nil
	}
	bytes := 0
	for _, p := range parts {
		bytes += whole(p.bytes(), apart)
	}
	mem, err := d.alloc(bytes)
	if err != nil {
		return nil, err
	}
	at := mem.address
	for _, p := range parts {
		if p.at != nil {
			*p.at = at
		}
		if err := d.upload(at, p.data); err != nil {
			d.Free(mem)
			return nil, fmt.Errorf("cuda: copying a matrix to the GPU: %w", err)
		}
		at += uint64(whole(p.bytes(), apart))
	}
	return mem, nil
}

// weight passes the parameters WEIGHT of src/weight.h.
func (l *launch) weight(w kernels.Matrix) { l.ints(l.storage(w).shift) }

// storage passes the parameters WEIGHT but the last, and returns what they are of.
func (l *launch) storage(w kernels.Matrix) *weight {
	mem := w.Mem.(*memory)
	l.word(mem.address + uint64(w.Format.Bytes(w.Off)))
	q := mem.weight
	if q == nil {
		q = &weight{}
	}
	for _, v := range []uint64{q.codes, q.scales, q.values, q.table, uint64(math.Float32bits(q.offset))} {
		l.word(v)
	}
	return q
}

// A family is a kernel for each way to store a weight.
type family map[kernels.Format]*kernel

func entries(name string, threads, shared int) family {
	quantised := entry(name+"_quantised", threads, shared)
	return family{
		kernels.F32: entry(name+"_f32", threads, shared), kernels.BF16: entry(name+"_bf16", threads, shared), kernels.F16: entry(name+"_f16", threads, shared),
		kernels.NF4: quantised, kernels.FP4: quantised, kernels.Int8: entry(name+"_int8", threads, shared),
	}
}
