package quant

import "fmt"

// Scales are the scales of a tensor's blocks: plain, or quantised in turn as
//
//	scale[i] = Map[Codes[i]] · Nested[i/256] + Offset
//
// each operation rounded to float32.
type Scales struct {
	Plain []float32 // nil where the scales are quantised

	Codes  []uint8
	Map    *[256]float32
	Nested []float32 // one for each DynamicBlock codes
	Offset float32   // the mean of the scales
}

// Double reports whether the scales are quantised.
func (s *Scales) Double() bool { return s.Codes != nil }

// Len returns the number of scales.
func (s *Scales) Len() int { return len(s.Plain) + len(s.Codes) }

// At returns the scale of block i.
func (s *Scales) At(i int) float32 {
	if s.Codes == nil {
		return s.Plain[i]
	}
	return float32(s.Map[s.Codes[i]]*s.Nested[i/DynamicBlock]) + s.Offset
}

// Expand writes the scales of blocks [from, from+len(dst)) to dst.
func (s *Scales) Expand(dst []float32, from int) {
	if s.Codes == nil {
		copy(dst, s.Plain[from:])
		return
	}
	for len(dst) > 0 {
		nested := s.Nested[from/DynamicBlock]
		n := min(len(dst), DynamicBlock-from%DynamicBlock)
		for i, code := range s.Codes[from : from+n] {
			dst[i] = float32(s.Map[code]*nested) + s.Offset
		}
		dst, from = dst[n:], from+n
	}
}

// QuantizeScales quantises plain scales, which it overwrites. It runs on so many
// goroutines, 0 for one a processor.
func QuantizeScales(plain []float32, workers int) (Scales, error) {
	return quantizeAround(plain, mean(plain), workers)
}

func quantizeAround(plain []float32, offset float32, workers int) (Scales, error) {
	m := Signed()
	s := Scales{
		Codes:  make([]uint8, len(plain)),
		Map:    &m.values,
		Nested: make([]float32, ceil(len(plain), DynamicBlock)),
		Offset: offset,
	}
	for i := range plain {
		plain[i] -= offset
	}
	if err := m.Quantize(s.Codes, s.Nested, plain, workers); err != nil {
		return Scales{}, fmt.Errorf("quant: scales less their mean, %v: %w", offset, err)
	}
	return s, nil
}
