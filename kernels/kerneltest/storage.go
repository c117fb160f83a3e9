package kerneltest

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// A storage is a format of weights, written apart from any device; or a
// Float32 tensor in a matrix's place.
type storage struct {
	name   string
	tensor bool
	format kernels.Format
	lookup bool
	encode func(v []float64) []byte
	decode func(data []byte) []float64
	// quantize is there instead for a quantised format.
	quantize func(m mat) *quant.Tensor
}

// lacking reports whether the device says by errors.ErrUnsupported that it has no
// matrices of a quantised format. The others every device has.
func (s storage) lacking(dev kernels.Device) bool {
	if s.quantize == nil {
		return false
	}
	w, err := dev.NewMatrix(kernels.Weights{Rows: 1, Cols: 1, Format: s.format, Quantized: s.quantize(zeros(1, 1))})
	if err == nil {
		dev.Free(w.Mem)
	}
	return errors.Is(err, errors.ErrUnsupported)
}

func quantizer(c quant.Config) func(m mat) *quant.Tensor {
	return func(m mat) *quant.Tensor {
		t, err := quant.Quantize(quant.Floats(float32s(m)), []int{m.rows, m.cols}, c)
		if err != nil {
			panic(err)
		}
		return t
	}
}

// dequantized returns what a quantised tensor stores.
func dequantized(t *quant.Tensor, rows, cols int) mat {
	v := make([]float32, t.Len())
	t.DequantizeAll(v, 1)
	m := mat{rows, cols, make([]float64, len(v))}
	for i, x := range v {
		m.v[i] = float64(x)
	}
	return m
}

// storages has every format there is: a new one joins here.
var storages = []storage{
	{name: "tensor", tensor: true},
	{name: "f32", format: kernels.F32, encode: encodeF32, decode: decodeF32},
	{name: "bf16", format: kernels.BF16,
		encode: func(v []float64) []byte { return encode16(v, roundBF16) },
		decode: func(data []byte) []float64 { return decode16(data, fromBF16) }},
	{name: "f16", format: kernels.F16,
		encode: func(v []float64) []byte { return encode16(v, roundF16) },
		decode: func(data []byte) []float64 { return decode16(data, fromF16) }},
	{name: "nf4", format: kernels.NF4, quantize: quantizer(quant.Config{})},
	{name: "fp4", format: kernels.FP4, quantize: quantizer(quant.Config{Type: quant.FP4, Block: 32, PlainScales: true})},
	{name: "int8", format: kernels.Int8, quantize: quantizer(quant.Config{Type: quant.Int8})},
}

// looked has the bench's storages, and those of them that a checkpoint may have an
// embedding in once more, as matrices for lookups.
func (b *bench) looked() []storage {
	all := slices.Clone(b.storages)
	for _, s := range b.storages {
		if s.encode != nil {
			s.name, s.lookup = s.name+" for lookups", true
			all = append(all, s)
		}
	}
	return all
}

func encodeF32(v []float64) []byte {
	var data []byte
	for _, x := range v {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(x)))
	}
	return data
}

func decodeF32(data []byte) (v []float64) {
	for ; len(data) > 0; data = data[4:] {
		v = append(v, float64(math.Float32frombits(binary.LittleEndian.Uint32(data))))
	}
	return v
}

func encode16(v []float64, round func(float64) uint16) []byte {
	var data []byte
	for _, x := range v {
		data = binary.LittleEndian.AppendUint16(data, round(x))
	}
	return data
}

func decode16(data []byte, value func(uint16) float64) (v []float64) {
	for ; len(data) > 0; data = data[2:] {
		v = append(v, value(binary.LittleEndian.Uint16(data)))
	}
	return v
}

// fromBits returns the value of a 16-bit IEEE 754 number with so many bits of
// fraction: (-1)^s · 2^(e-bias) · 1.f, or 2^(1-bias) · 0.f where e is 0.
func fromBits(h uint16, fraction int) float64 {
	top := 1<<(15-fraction) - 1
	exponent, f := int(h>>fraction)&top, float64(h&(1<<fraction-1))
	var x float64
	switch exponent {
	case 0:
		x = math.Ldexp(f, 1-top/2-fraction)
	case top:
		x = math.Inf(1)
		if f != 0 {
			x = math.NaN()
		}
	default:
		x = math.Ldexp(f+math.Ldexp(1, fraction), exponent-top/2-fraction)
	}
	if h>>15 == 1 {
		x = math.Copysign(x, -1)
	}
	return x
}

func fromBF16(h uint16) float64 { return fromBits(h, 7) }
func fromF16(h uint16) float64  { return fromBits(h, 10) }

// toBits rounds to the nearest such number, to the even one of two: the sum of
// a rounded fraction and its exponent carries over by itself.
func toBits(x float64, fraction int) uint16 {
	bias, sign := 1<<(14-fraction)-1, uint16(0)
	if math.Signbit(x) {
		sign = 1 << 15
	}
	infinity := (2*bias + 1) << fraction
	a := math.Abs(x)
	switch {
	case a == 0:
		return sign
	case math.IsInf(a, 0):
		return sign | uint16(infinity)
	case a != a:
		return sign | uint16(infinity) | 1<<(fraction-1)
	}
	exponent := max(math.Ilogb(a), 1-bias)
	rounded := int(math.RoundToEven(math.Ldexp(a, fraction-exponent)))
	return sign | uint16(min((exponent+bias-1)<<fraction+rounded, infinity))
}

func roundBF16(x float64) uint16 { return toBits(x, 7) }
func roundF16(x float64) uint16  { return toBits(x, 10) }
