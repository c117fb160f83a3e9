package quant

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A state is what a checkpoint says of a tensor in JSON, bitsandbytes' quant_state.
type state struct {
	kind   Type
	block  int
	dtype  DType
	shape  []int
	double bool
	offset float32
}

// text returns the JSON as Python's json.dumps writes it.
func (s *state) text() []byte {
	shape := make([]string, len(s.shape))
	for i, d := range s.shape {
		shape[i] = strconv.Itoa(d)
	}
	text := fmt.Sprintf(`{"quant_type": "%v", "blocksize": %d, "dtype": "%v", "shape": [%s]`,
		s.kind, s.block, s.dtype, strings.Join(shape, ", "))
	if s.double {
		text += fmt.Sprintf(`, "nested_blocksize": %d, "nested_dtype": "%v", "nested_offset": %s`,
			DynamicBlock, Float32, pythonFloat(float64(s.offset)))
	}
	return []byte(text + "}")
}

// pythonFloat is Python's repr: the shortest decimal that reads back, with an
// exponent below 1e-4 and from 1e16 on, and a point or an exponent always.
func pythonFloat(v float64) string {
	if size := math.Abs(v); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// decodeState reads the JSON and reports every fault in it.
func decodeState(text []byte) (state, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return state{}, fmt.Errorf("quant: quant_state: no JSON object: %w", err)
	}
	r := stateReader{fields: fields}
	s := state{
		kind:  Type(r.name("quant_type", fourBits)),
		block: r.int("blocksize"),
		dtype: DType(r.name("dtype", dtypeNames[:])),
	}
	r.decode("shape", &s.shape)
	if _, s.double = fields["nested_blocksize"]; s.double {
		r.nested(&s)
	}
	for _, key := range slices.Sorted(maps.Keys(r.fields)) {
		r.fault(key, "is unknown")
	}
	r.check(&s)
	return s, errors.Join(r.faults...)
}

// A stateReader takes fields out of the JSON and collects faults.
type stateReader struct {
	fields map[string]json.RawMessage
	faults []error
}

func (r *stateReader) fault(key, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("quant: quant_state: %s %s", key, fmt.Sprintf(format, args...)))
}

// decode reports whether the field was there and fitted v.
func (r *stateReader) decode(key string, v any) bool {
	text, ok := r.fields[key]
	delete(r.fields, key)
	switch {
	case !ok:
		r.fault(key, "is missing")
	case string(text) == "null":
		r.fault(key, "is null")
	case json.Unmarshal(text, v) != nil:
		r.fault(key, "is %.60s, want a value like that of bitsandbytes", text)
	default:
		return true
	}
	return false
}

func (r *stateReader) int(key string) (n int) {
	r.decode(key, &n)
	return n
}

// name returns the place of the field's value among names.
func (r *stateReader) name(key string, names []string) int {
	var name string
	if !r.decode(key, &name) {
		return 0
	}
	i, err := lookup(names, name)
	if err != nil {
		r.fault(key, "%v", err)
	}
	return i
}

func (r *stateReader) nested(s *state) {
	var offset float64
	if n := r.int("nested_blocksize"); n != DynamicBlock {
		r.fault("nested_blocksize", "is %d; only %d is known", n, DynamicBlock)
	}
	if d := DType(r.name("nested_dtype", dtypeNames[:])); d != Float32 {
		r.fault("nested_dtype", "is %v; only float32 is known", d)
	}
	r.decode("nested_offset", &offset)
	if s.offset = float32(offset); !finite(s.offset) {
		r.fault("nested_offset", "is %v, beyond float32", offset)
	}
}

func (r *stateReader) check(s *state) {
	if len(r.faults) > 0 {
		return
	}
	if !validBlock(s.block) {
		r.fault("blocksize", "is %d; want a power of two from %d to %d", s.block, minBlock, maxBlock)
	}
	if _, err := count(s.shape); err != nil {
		r.fault("shape", "is %v; want positive dimensions", s.shape)
	}
}
