package quant

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// A Tensor is a quantised tensor, as bitsandbytes holds it. Its methods that read
// may be called from many goroutines.
type Tensor struct {
	Type  Type
	Block int   // elements that share a scale: a power of two from 32 to 4096, or a row of Int8
	DType DType // of the elements before they were quantised
	Shape []int

	Packed []byte // two codes a byte, the first in the high half; of Int8 one, in two's complement
	Scales Scales // of Int8 plain
}

// DefaultBlock is the block of a Config that names none: bitsandbytes' and QLoRA's.
const DefaultBlock = 64

// A Config says how to quantise. Its zero value is QLoRA's way: NF4 in blocks of
// 64 with doubly quantised scales.
type Config struct {
	Type        Type
	Block       int  // of a 4-bit type; 0: DefaultBlock
	PlainScales bool // keep the scales of a 4-bit type in float32
	Workers     int  // goroutines; 0: one a processor
}

// Validate reports every fault of c.
func (c Config) Validate() error {
	var faults []error
	if !c.Type.valid() {
		faults = append(faults, fmt.Errorf("quant: %v is no type; NF4, FP4 and Int8 are", c.Type))
	}
	switch {
	case c.Block == 0:
	case c.Type == Int8:
		faults = append(faults, fmt.Errorf("quant: block of %d elements; int8 has a scale a row, leave Block 0", c.Block))
	case !validBlock(c.Block):
		faults = append(faults, fmt.Errorf("quant: block of %d elements; want a power of two from %d to %d", c.Block, minBlock, maxBlock))
	}
	return errors.Join(faults...)
}

// Quantize quantises x, a tensor of the given shape. Beside the result it needs
// the plain scales while it runs.
func Quantize(x Source, shape []int, c Config) (*Tensor, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	n, err := count(shape)
	if err != nil {
		return nil, err
	}
	if err := x.check(n); err != nil {
		return nil, fmt.Errorf("%w: a tensor of shape %v", err, shape)
	}
	t := &Tensor{Type: c.Type, Block: c.Block, DType: x.dtype, Shape: append([]int(nil), shape...)}
	if c.Type == Int8 {
		t.Block = shape[len(shape)-1]
		t.Packed, t.Scales.Plain = make([]byte, n), make([]float32, n/t.Block)
		if err := encodeRows(t.Packed, t.Scales.Plain, x, t.Block, c.Workers); err != nil {
			return nil, err
		}
		return t, nil
	}
	if t.Block == 0 {
		t.Block = DefaultBlock
	}
	t.Packed = make([]byte, ceil(n, 2))
	plain := make([]float32, ceil(n, t.Block))
	if err := encode(t.Packed, plain, x, t.Type, t.Block, c.Workers); err != nil {
		return nil, err
	}
	t.Scales.Plain = plain
	if c.PlainScales {
		return t, nil
	}
	if t.Scales, err = QuantizeScales(plain, c.Workers); err != nil {
		return nil, err
	}
	return t, nil
}

// Config returns the configuration that quantises another tensor as t is.
func (t *Tensor) Config() Config {
	if t.Type == Int8 {
		return Config{Type: Int8}
	}
	return Config{Type: t.Type, Block: t.Block, PlainScales: !t.Scales.Double()}
}

// Len returns the number of elements.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Dequantize writes elements [from, from+len(dst)) of the flattened tensor to dst,
// on the calling goroutine.
func (t *Tensor) Dequantize(dst []float32, from int) {
	if t.Type == Int8 {
		t.dequantizeRows(dst, from)
		return
	}
	var products [16]float32
	for len(dst) > 0 {
		r := t.run(from, len(dst))
		for i, v := range &typeValues[t.Type] {
			products[i] = v * r.scale
		}
		unpack(dst[:r.n], r.packed, r.within, &products)
		dst, from = dst[r.n:], from+r.n
	}
}

// DequantizeBF16 is [Tensor.Dequantize] with each element rounded to bfloat16, to
// nearest, ties to even.
func (t *Tensor) DequantizeBF16(dst []uint16, from int) {
	if t.Type == Int8 {
		t.dequantizeRowsBF16(dst, from)
		return
	}
	var products [16]uint16
	for len(dst) > 0 {
		r := t.run(from, len(dst))
		for i, v := range &typeValues[t.Type] {
			products[i] = toBFloat16(v * r.scale)
		}
		unpack(dst[:r.n], r.packed, r.within, &products)
		dst, from = dst[r.n:], from+r.n
	}
}

// DequantizeAll writes the whole tensor to dst on so many goroutines, 0 for one a
// processor.
func (t *Tensor) DequantizeAll(dst []float32, workers int) {
	_ = parallel(ceil(len(dst), stretch), workers, func(i int) error {
		from := i * stretch
		t.Dequantize(dst[from:min(from+stretch, len(dst))], from)
		return nil
	})
}

// A run is n neighbouring elements of one block of 4-bit codes, the first at place
// within.
type run struct {
	packed    []byte // of the block
	scale     float32
	within, n int
}

// run returns the longest run from an element on, of at most n elements.
func (t *Tensor) run(from, n int) run {
	i, within := from>>bits.TrailingZeros(uint(t.Block)), from&(t.Block-1)
	start := i * t.Block / 2
	return run{
		packed: t.Packed[start:min(start+t.Block/2, len(t.Packed))],
		scale:  t.Scales.At(i),
		within: within,
		n:      min(t.Block-within, n),
	}
}

// count returns the elements of a shape.
func count(shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d <= 0 || n > math.MaxInt/d {
			return 0, fmt.Errorf("quant: shape %v; every dimension must be positive, and their product an int", shape)
		}
		n *= d
	}
	if len(shape) == 0 {
		return 0, errors.New("quant: a tensor without dimensions cannot be quantised")
	}
	return n, nil
}
