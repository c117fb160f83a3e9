package train

import (
	"errors"
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/quant"
)

// An AdamW8 is an AdamW that keeps both moments in 8 bits ("8-bit Optimizers via
// Block-wise Quantization", Dettmers et al. 2022), as bitsandbytes' AdamW8bit
// does on a CPU: codes of the dynamic maps in blocks of [quant.DynamicBlock]
// elements. That is 2.03 bytes an element instead of 8. The moments of parameters
// below 4096 elements stay in float32.
//
// The codes lie in the host's memory. A step brings a band of them to the device
// as float32, moves the parameters by what the moments have become there, and
// only then rounds these to codes.
type AdamW8 struct {
	Beta1, Beta2, Eps, WeightDecay float64

	dev     kernels.Device
	params  []*model.Param
	rates   []float64
	moments []moments  // of the small parameters; none of the others
	codes   [][2]coded // of the others
	band    moments    // [bandLen, 1] of the parameter at hand
	values  []float32  // one moment of the band on the host
	scales  []float32  // of values
	steps   int
}

// A coded is one moment of a parameter.
type coded struct {
	table  *quant.DynamicMap
	codes  []byte
	scales kernels.Tensor // [blocks, 1]
}

const (
	minCoded   = 4096    // elements of the smallest parameter in 8 bits, as in bitsandbytes
	bandLen    = 1 << 18 // elements that are float32 at a time
	bandBlocks = bandLen / quant.DynamicBlock
)

// NewAdamW8 returns an optimiser of params with the numbers of c.
func NewAdamW8(dev kernels.Device, params []*model.Param, c Config) (*AdamW8, error) {
	c = c.withDefaults(false)
	o := &AdamW8{Beta1: c.Beta1, Beta2: c.Beta2, Eps: c.Eps, WeightDecay: c.WeightDecay, dev: dev, params: params, rates: c.rates(params)}
	o.moments, o.codes = make([]moments, len(params)), make([][2]coded, len(params))
	o.values, o.scales = make([]float32, bandLen), make([]float32, bandBlocks)
	if err := o.alloc(); err != nil {
		o.Close()
		return nil, fmt.Errorf("train: optimiser: %w", err)
	}
	return o, nil
}

// alloc makes room for the moments.
func (o *AdamW8) alloc() (err error) {
	column := func(t *kernels.Tensor, n int) {
		if err == nil {
			*t, err = like(o.dev, kernels.Tensor{Rows: n, Cols: 1})
		}
	}
	column(&o.band.m, bandLen)
	column(&o.band.v, bandLen)
	for i, p := range o.params {
		n := p.Value.Len()
		if n < minCoded {
			column(&o.moments[i].m, n)
			column(&o.moments[i].v, n)
			continue
		}
		for k, table := range []*quant.DynamicMap{quant.Signed(), quant.Unsigned()} {
			c := &o.codes[i][k]
			c.table, c.codes = table, make([]byte, n)
			column(&c.scales, blocks(n))
		}
	}
	return err
}

// blocks returns how many scales n codes have.
func blocks(n int) int { return (n + quant.DynamicBlock - 1) / quant.DynamicBlock }

// Close gives the optimiser's memory back.
func (o *AdamW8) Close() {
	free := func(t kernels.Tensor) {
		if !t.None() {
			o.dev.Free(t.Mem)
		}
	}
	for _, s := range append(o.moments, o.band) {
		free(s.m)
		free(s.v)
	}
	for _, c := range o.codes {
		free(c[0].scales)
		free(c[1].scales)
	}
	o.moments, o.codes, o.band = nil, nil, moments{}
}

// State lists both moments of each parameter: float32, or codes and scales.
func (o *AdamW8) State() ([]State, error) {
	var all []State
	for i, p := range o.params {
		for k, name := range []string{"exp_avg." + p.Name, "exp_avg_sq." + p.Name} {
			if c := o.codes[i][k]; c.codes != nil {
				all = append(all, State{Name: name + ".codes", Bytes: c.codes}, State{Name: name + ".scales", Tensor: c.scales})
				continue
			}
			all = append(all, State{Name: name, Tensor: []kernels.Tensor{o.moments[i].m, o.moments[i].v}[k]})
		}
	}
	return all, nil
}

// SetSteps sets the number that corrects the moments' bias.
func (o *AdamW8) SetSteps(n int) { o.steps = n }

// Step moves the parameters by their gradients times scale and sets the
// gradients to zero.
func (o *AdamW8) Step(lr, scale float64) error {
	o.steps++
	h := kernels.AdamW{Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, WeightDecay: o.WeightDecay, Step: o.steps, GradScale: scale}
	for i, p := range o.params {
		h.LR = lr * o.rates[i]
		n := p.Value.Len()
		w, g := p.Value.Reshape(n, 1), p.Grad.Reshape(n, 1)
		if n < minCoded {
			o.dev.AdamW(w, o.moments[i].m, o.moments[i].v, g, h)
		} else if err := o.stepCoded(w, g, o.codes[i], h); err != nil {
			return fmt.Errorf("train: the moments of %s: %w", p.Name, err)
		}
		o.dev.Fill(g, 0)
		p.Version++
	}
	return o.dev.Sync()
}

// stepCoded moves a parameter w by its gradient g, [n, 1] both, band by band.
func (o *AdamW8) stepCoded(w, g kernels.Tensor, c [2]coded, h kernels.AdamW) error {
	for from := 0; from < w.Rows; from += bandLen {
		to := min(from+bandLen, w.Rows)
		m, v := o.band.m.Slice(0, to-from), o.band.v.Slice(0, to-from)
		o.load(m, c[0], from)
		o.load(v, c[1], from)
		o.dev.AdamW(w.Slice(from, to), m, v, g.Slice(from, to), h)
		if err := errors.Join(o.store(c[0], from, m), o.store(c[1], from, v)); err != nil {
			return err
		}
	}
	return nil
}

// load writes the elements of c from one on to dst.
func (o *AdamW8) load(dst kernels.Tensor, c coded, from int) {
	values, scales, at := o.values[:dst.Rows], o.scales[:blocks(dst.Rows)], blocks(from)
	o.dev.Read(scales, c.scales.Slice(at, at+len(scales)))
	c.table.DequantizeAll(values, c.codes[from:], scales, o.dev.Info().Workers)
	o.dev.Write(dst, values)
}

// store keeps src as the elements of c from one on.
func (o *AdamW8) store(c coded, from int, src kernels.Tensor) error {
	values, scales, at := o.values[:src.Rows], o.scales[:blocks(src.Rows)], blocks(from)
	o.dev.Read(values, src)
	err := c.table.Quantize(c.codes[from:][:len(values)], scales, values, o.dev.Info().Workers)
	o.dev.Write(c.scales.Slice(at, at+len(scales)), scales)
	return err
}
