package train

import (
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/quant"
)

// An AdamW8 is an AdamW that keeps both moments in 8 bits ("8-bit Optimizers via
// Block-wise Quantization", Dettmers et al. 2022), as bitsandbytes' AdamW8bit
// does on a CPU: codes of the dynamic maps in blocks of [quant.DynamicBlock]
// elements. That is 2.03 bytes of an element instead of 8, for a step of the
// whole model; the moments of parameters below 4096 elements stay in float32.
//
// The codes lie in the host's memory. A step brings a band of them to the device
// as float32, moves the parameters there by these exact moments, and stores what
// they have become.
type AdamW8 struct {
	Beta1, Beta2, Eps, WeightDecay float64

	dev     kernels.Device
	params  []*model.Param
	moments []moments  // of the small parameters; none of the others
	codes   [][2]coded // of the others
	band    moments    // [bandLen, 1] of the parameter at hand
	host    []float32  // one moment of the band
	steps   int
}

// A coded is one moment of a parameter.
type coded struct {
	table  *quant.DynamicMap
	codes  []byte
	scales []float32
}

const (
	minCoded = 4096    // elements of the smallest parameter in 8 bits, as in bitsandbytes
	bandLen  = 1 << 18 // elements that are float32 at a time, a multiple of the blocks
)

// NewAdamW8 returns an optimiser of params with the numbers of c.
func NewAdamW8(dev kernels.Device, params []*model.Param, c Config) (*AdamW8, error) {
	c = c.withDefaults(false)
	o := &AdamW8{Beta1: c.Beta1, Beta2: c.Beta2, Eps: c.Eps, WeightDecay: c.WeightDecay, dev: dev, params: params}
	o.moments, o.codes = make([]moments, len(params)), make([][2]coded, len(params))
	for i, p := range params {
		n := p.Value.Len()
		if n >= minCoded {
			o.codes[i] = [2]coded{newCoded(quant.Signed(), n), newCoded(quant.Unsigned(), n)}
			continue
		}
		if err := o.moments[i].alloc(dev, n); err != nil {
			o.Close()
			return nil, err
		}
	}
	o.host = make([]float32, bandLen)
	if err := o.band.alloc(dev, bandLen); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

func newCoded(table *quant.DynamicMap, n int) coded {
	return coded{table, make([]byte, n), make([]float32, (n+quant.DynamicBlock-1)/quant.DynamicBlock)}
}

// alloc makes room for the moments of n elements.
func (s *moments) alloc(dev kernels.Device, n int) error {
	for _, t := range []*kernels.Tensor{&s.m, &s.v} {
		mem, err := dev.Alloc(kernels.Float32, n)
		if err != nil {
			return fmt.Errorf("train: optimiser: %w", err)
		}
		*t = kernels.Tensor{Rows: n, Cols: 1, Kind: kernels.Float32, Mem: mem}
	}
	return nil
}

// Close gives the optimiser's memory back.
func (o *AdamW8) Close() {
	for _, s := range append(o.moments, o.band) {
		for _, t := range []kernels.Tensor{s.m, s.v} {
			if !t.None() {
				o.dev.Free(t.Mem)
			}
		}
	}
	o.moments, o.codes, o.band, o.host = nil, nil, moments{}, nil
}

// Step moves the parameters at a learning rate by their gradients times scale,
// and sets the gradients to zero.
func (o *AdamW8) Step(lr, scale float64) error {
	o.steps++
	h := kernels.AdamW{LR: lr, Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, WeightDecay: o.WeightDecay, Step: o.steps, GradScale: scale}
	for i, p := range o.params {
		n := p.Value.Len()
		w, g := p.Value.Reshape(n, 1), p.Grad.Reshape(n, 1)
		if s := o.moments[i]; !s.m.None() {
			o.dev.AdamW(w, s.m, s.v, g, h)
		} else if err := o.stepCoded(w, g, &o.codes[i], h); err != nil {
			return fmt.Errorf("train: the moments of %s: %w", p.Name, err)
		}
		o.dev.Fill(g, 0)
		p.Version++
	}
	return o.dev.Sync()
}

// stepCoded moves a parameter whose moments are coded, band by band. w and g [n, 1].
func (o *AdamW8) stepCoded(w, g kernels.Tensor, codes *[2]coded, h kernels.AdamW) error {
	for from := 0; from < w.Rows; from += bandLen {
		to := min(from+bandLen, w.Rows)
		m, v := o.band.m.Slice(0, to-from), o.band.v.Slice(0, to-from)
		o.load(m, codes[0], from)
		o.load(v, codes[1], from)
		o.dev.AdamW(w.Slice(from, to), m, v, g.Slice(from, to), h)
		if err := o.store(codes[0], m, from); err != nil {
			return err
		}
		if err := o.store(codes[1], v, from); err != nil {
			return err
		}
	}
	return nil
}

// load writes the elements of c from one on to dst.
func (o *AdamW8) load(dst kernels.Tensor, c coded, from int) {
	c.table.DequantizeAll(o.host[:dst.Rows], c.codes[from:], c.scales[from/quant.DynamicBlock:], o.dev.Info().Workers)
	o.dev.Write(dst, o.host[:dst.Rows])
}

// store keeps src as the elements of c from one on.
func (o *AdamW8) store(c coded, src kernels.Tensor, from int) error {
	values, block := o.host[:src.Rows], from/quant.DynamicBlock
	o.dev.Read(values, src)
	return c.table.Quantize(c.codes[from:][:len(values)], c.scales[block:][:(len(values)+quant.DynamicBlock-1)/quant.DynamicBlock], values, o.dev.Info().Workers)
}
