package quant

import (
	"errors"
	"math"
	"strings"
)

// rowParts is Parts for Int8.
func (t *Tensor) rowParts() []Part {
	return []Part{
		{packedSuffix, "I8", t.Shape, t.Packed},
		floatPart(rowScalesSuffix, t.Scales.Plain),
		{layoutSuffix, "U8", nil, []byte{rowMajor}},
	}
}

// The values of weight_format. Old versions of bitsandbytes stored weights in the
// order that a GPU multiplied them in.
const rowMajor = 0

var layouts = [...]string{rowMajor: "row", 1: "col32", 2: "col_turing", 3: "col_ampere"}

// hasRows reports whether the parts are those of Int8: without a state, scales of
// rows or codes that are integers of 8 bits.
func (r *partReader) hasRows() bool {
	for suffix := range r.parts {
		if strings.HasPrefix(suffix, stateSuffix) {
			return false
		}
	}
	_, scaled := r.parts[rowScalesSuffix]
	return scaled || r.parts[packedSuffix].DType == "I8"
}

// rowTensor is FromParts for Int8.
func (r *partReader) rowTensor() (*Tensor, error) {
	t := &Tensor{Type: Int8}
	if p, ok := r.take(packedSuffix, "I8"); ok {
		n, err := count(p.Shape)
		switch {
		case err != nil || len(p.Shape) != 2:
			r.fault(packedSuffix, "has shape %v, want rows and columns", p.Shape)
		case len(p.Data) != n:
			r.fault(packedSuffix, "has %d bytes, want %d", len(p.Data), n)
		default:
			t.Shape, t.Block, t.Packed = p.Shape, p.Shape[1], p.Data
		}
	}
	if t.Packed == nil {
		delete(r.parts, rowScalesSuffix) // nothing says how many there should be
	} else {
		t.Scales.Plain = r.floats(rowScalesSuffix, t.Shape[0])
	}
	if top := math.Float32frombits(magnitude(t.Scales.Plain)); top > LargestRow {
		r.fault(rowScalesSuffix, "reaches %v; %v is the most", top, float32(LargestRow))
	}
	r.layout()
	r.rest()
	if err := errors.Join(r.faults...); err != nil {
		return nil, err
	}
	return t, nil
}

// layout demands rows, which is what bitsandbytes takes codes for that do not say.
func (r *partReader) layout() {
	if _, ok := r.parts[layoutSuffix]; !ok {
		return
	}
	p, ok := r.take(layoutSuffix, "U8")
	switch {
	case !ok:
	case len(p.Data) != 1 || int(p.Data[0]) >= len(layouts):
		r.fault(layoutSuffix, "is %v, want %d for %s", p.Data, rowMajor, layouts[rowMajor])
	case p.Data[0] != rowMajor:
		r.fault(layoutSuffix, "is %d, %s; only %d, %s, is read: load the model in a recent transformers and save it again",
			p.Data[0], layouts[p.Data[0]], rowMajor, layouts[rowMajor])
	}
}
