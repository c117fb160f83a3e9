package quant

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// A Part is one of the tensors that hold a quantised weight in a checkpoint. A
// 4-bit weight called NAME has the parts NAME, NAME.absmax, NAME.quant_map and so
// on; one of Int8, called X.weight, has X.weight, X.SCB and X.weight_format.
type Part struct {
	Suffix string // "" or ".absmax", for example
	DType  string // as safetensors spells it: "U8", "I8" or "F32"
	Shape  []int
	Data   []byte // little-endian
}

// Name returns the part's name in a checkpoint.
func (p Part) Name(weight string) string {
	if p.Suffix == rowScalesSuffix || p.Suffix == layoutSuffix {
		weight = strings.TrimSuffix(weight, weightSuffix)
	}
	return weight + p.Suffix
}

// The suffixes of bitsandbytes. The state's ends in the type's name.
const (
	packedSuffix    = ""
	scalesSuffix    = ".absmax"
	valuesSuffix    = ".quant_map"
	nestedSuffix    = ".nested_absmax"
	nestedMapSuffix = ".nested_quant_map"
	stateSuffix     = ".quant_state.bitsandbytes__"
	rowScalesSuffix = ".SCB"
	layoutSuffix    = ".weight_format"

	weightSuffix = ".weight"
)

var suffixes = []string{
	scalesSuffix, valuesSuffix, nestedSuffix, nestedMapSuffix,
	stateSuffix + typeNames[NF4], stateSuffix + typeNames[FP4],
	rowScalesSuffix, layoutSuffix,
}

// PartOf returns the weight that a tensor of that name is a part of, and the part's
// suffix, if it is one. The codes themselves have the weight's name and no suffix:
// they are not told from any other tensor.
func PartOf(name string) (weight, suffix string, ok bool) {
	for _, s := range suffixes {
		if weight, ok = strings.CutSuffix(name, s); !ok {
			continue
		}
		if s == rowScalesSuffix || s == layoutSuffix {
			weight += weightSuffix
		}
		return weight, s, true
	}
	return "", "", false
}

// Parts returns the tensors that bitsandbytes stores for t, byte for byte. They
// share its memory where they can.
func (t *Tensor) Parts() []Part {
	if t.Type == Int8 {
		return t.rowParts()
	}
	s := state{kind: t.Type, block: t.Block, dtype: t.DType, shape: t.Shape, double: t.Scales.Double(), offset: t.Scales.Offset}
	text, values := s.text(), t.Type.Values()
	parts := []Part{
		{packedSuffix, "U8", []int{len(t.Packed), 1}, t.Packed},
		{scalesSuffix, "U8", []int{len(t.Scales.Codes)}, t.Scales.Codes},
		floatPart(valuesSuffix, values[:]),
	}
	if t.Scales.Double() {
		parts = append(parts, floatPart(nestedSuffix, t.Scales.Nested), floatPart(nestedMapSuffix, t.Scales.Map[:]))
	} else {
		parts[1] = floatPart(scalesSuffix, t.Scales.Plain)
	}
	return append(parts, Part{stateSuffix + t.Type.String(), "U8", []int{len(text)}, text})
}

func floatPart(suffix string, v []float32) Part {
	data := make([]byte, 0, 4*len(v))
	for _, x := range v {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
	}
	return Part{suffix, "F32", []int{len(v)}, data}
}

// FromParts returns the tensor that parts, in any order, hold. It shares the
// memory of the packed codes and of doubly quantised scales. The packed codes may
// be stored as any type (bitsandbytes: quant_storage): their bytes count. What type
// the elements of Int8 had is not stored: DType is Float32 then.
//
// The error names every fault: a part that is missing, unknown, twice there, of
// the wrong type or size, a value that is no number, a table that is not the
// type's.
func FromParts(parts []Part) (*Tensor, error) {
	r, err := newPartReader(parts)
	if err != nil {
		return nil, err
	}
	if r.hasRows() {
		return r.rowTensor()
	}
	s, err := r.state()
	if err != nil {
		return nil, err
	}
	n, _ := count(s.shape)
	blocks := ceil(n, s.block)
	t := &Tensor{Type: s.kind, Block: s.block, DType: s.dtype, Shape: s.shape, Packed: r.packed(ceil(n, 2))}
	r.values(s.kind)
	if s.double {
		t.Scales = Scales{
			Codes:  r.bytes(scalesSuffix, blocks),
			Nested: r.floats(nestedSuffix, ceil(blocks, DynamicBlock)),
			Map:    r.nestedMap(),
			Offset: s.offset,
		}
		r.bound(&t.Scales)
	} else {
		t.Scales.Plain = r.floats(scalesSuffix, blocks)
	}
	r.rest()
	if err := errors.Join(r.faults...); err != nil {
		return nil, err
	}
	return t, nil
}

// A partReader takes parts by their suffix and collects faults.
type partReader struct {
	parts  map[string]Part
	faults []error
}

func newPartReader(parts []Part) (*partReader, error) {
	r := &partReader{parts: make(map[string]Part, len(parts))}
	for _, p := range parts {
		if _, twice := r.parts[p.Suffix]; twice {
			r.fault(p.Suffix, "is there twice")
		}
		r.parts[p.Suffix] = p
	}
	return r, errors.Join(r.faults...)
}

func (r *partReader) fault(suffix, format string, args ...any) {
	name := strings.TrimPrefix(suffix, ".")
	if suffix == packedSuffix {
		name = "weight"
	}
	r.faults = append(r.faults, fmt.Errorf("quant: %s %s", name, fmt.Sprintf(format, args...)))
}

// take returns a part of the given type, or of any if there is none given.
func (r *partReader) take(suffix, dtype string) (Part, bool) {
	p, ok := r.parts[suffix]
	delete(r.parts, suffix)
	switch {
	case !ok:
		r.fault(suffix, "is missing")
	case dtype != "" && p.DType != dtype:
		r.fault(suffix, "is %s, want %s", p.DType, dtype)
	default:
		return p, true
	}
	return Part{}, false
}

// state reads the part whose suffix names the same type as the JSON in it.
func (r *partReader) state() (state, error) {
	var found []string
	for _, name := range fourBits {
		if _, ok := r.parts[stateSuffix+name]; ok {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		return state{}, fmt.Errorf("quant: %d parts named quant_state.bitsandbytes__nf4 or __fp4, want one", len(found))
	}
	p, ok := r.take(stateSuffix+found[0], "U8")
	if !ok {
		return state{}, errors.Join(r.faults...)
	}
	s, err := decodeState(p.Data)
	if err == nil && s.kind.String() != found[0] {
		err = fmt.Errorf("quant: quant_state: quant_type is %v, but its name ends in %s", s.kind, found[0])
	}
	return s, err
}

func (r *partReader) packed(n int) []byte {
	p, ok := r.take(packedSuffix, "")
	if ok && len(p.Data) != n {
		r.fault(packedSuffix, "has %d bytes, want %d", len(p.Data), n)
	}
	return p.Data
}

func (r *partReader) bytes(suffix string, n int) []byte {
	p, ok := r.take(suffix, "U8")
	if ok && len(p.Data) != n {
		r.fault(suffix, "has %d elements, want %d", len(p.Data), n)
	}
	return p.Data
}

func (r *partReader) floats(suffix string, n int) []float32 {
	p, ok := r.take(suffix, "F32")
	if !ok {
		return nil
	}
	if len(p.Data) != 4*n {
		r.fault(suffix, "has %d bytes, want %d float32s", len(p.Data), n)
		return nil
	}
	v := Bytes(p.Data, Float32).read(make([]float32, n), 0)
	if i := slices.IndexFunc(v, func(x float32) bool { return !finite(x) }); i >= 0 {
		r.fault(suffix, "has %v at %d, want finite numbers", v[i], i)
	}
	return v
}

// values demands the type's table: bitsandbytes itself goes by the type alone.
func (r *partReader) values(t Type) {
	for i, v := range r.floats(valuesSuffix, 16) {
		if v != typeValues[t][i] {
			r.fault(valuesSuffix, "has %v at %d, want %v's %v", v, i, t, typeValues[t][i])
			return
		}
	}
}

func (r *partReader) nestedMap() *[256]float32 {
	v := r.floats(nestedMapSuffix, 256)
	if v == nil {
		return new([256]float32)
	}
	return (*[256]float32)(v)
}

// bound demands that no scale overflows.
func (r *partReader) bound(s *Scales) {
	nested, value := magnitude(s.Nested), magnitude(s.Map[:])
	top := float64(math.Float32frombits(nested))*float64(math.Float32frombits(value)) + math.Abs(float64(s.Offset))
	if len(r.faults) == 0 && top > math.MaxFloat32 {
		r.fault(scalesSuffix, "may reach %.3g, beyond float32", top)
	}
}

// rest reports parts that nobody took.
func (r *partReader) rest() {
	for _, suffix := range slices.Sorted(maps.Keys(r.parts)) {
		r.fault(suffix, "is no part of this weight")
	}
}
