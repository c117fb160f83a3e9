package train

import (
	"fmt"
	"math"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
)

// An AdamW steps parameters by their gradients (Loshchilov and Hutter 2019, as
// PyTorch computes it), with clipping of the global norm before it.
type AdamW struct {
	Beta1, Beta2, Eps, WeightDecay float64
	Clip                           float64 // largest global norm; 0 for any

	dev     kernels.Device
	params  []*model.Param
	moments []moments
	sums    kernels.Tensor // [P, 1] sum of squares of each gradient
	norms   []float32      // sums on the host
	steps   int
}

// moments are a parameter's running means of the gradient and of its square.
type moments struct{ m, v kernels.Tensor }

// NewAdamW returns an optimiser of params with the numbers of c.
func NewAdamW(dev kernels.Device, params []*model.Param, c Config) (*AdamW, error) {
	c = c.withDefaults(false)
	o := &AdamW{Beta1: c.Beta1, Beta2: c.Beta2, Eps: c.Eps, WeightDecay: c.WeightDecay, Clip: c.Clip, dev: dev, params: params}
	var err error
	alloc := func(rows, cols int) kernels.Tensor {
		mem, e := dev.Alloc(kernels.Float32, rows*cols)
		if err == nil && e != nil {
			err = fmt.Errorf("train: optimiser: %w", e)
		}
		return kernels.Tensor{Rows: rows, Cols: cols, Kind: kernels.Float32, Mem: mem}
	}
	for _, p := range params {
		o.moments = append(o.moments, moments{alloc(p.Value.Rows, p.Value.Cols), alloc(p.Value.Rows, p.Value.Cols)})
	}
	o.sums, o.norms = alloc(len(params), 1), make([]float32, len(params))
	if err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// Close gives the optimiser's memory back.
func (o *AdamW) Close() {
	for _, s := range append(o.moments, moments{m: o.sums}) {
		for _, t := range []kernels.Tensor{s.m, s.v} {
			if !t.None() {
				o.dev.Free(t.Mem)
			}
		}
	}
	o.moments, o.sums = nil, kernels.Tensor{}
}

// Norm returns the global norm of the gradients. Its error names the first
// parameter whose gradient is not finite.
func (o *AdamW) Norm() (float64, error) {
	for i, p := range o.params {
		o.dev.SumSquares(o.sums.Slice(i, i+1), p.Grad)
	}
	o.dev.Read(o.norms, o.sums)
	if err := o.dev.Sync(); err != nil {
		return 0, err
	}
	var sum float64
	for i, s := range o.norms {
		if !finite(float64(s)) {
			return 0, fmt.Errorf("train: the gradient of %s is not finite", o.params[i].Name)
		}
		sum += float64(s)
	}
	return math.Sqrt(sum), nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// Step moves the parameters by their gradients at a learning rate, sets the
// gradients to zero, and returns the global norm that they had. Nothing moves
// if a gradient is not finite.
func (o *AdamW) Step(lr float64) (norm float64, err error) {
	if norm, err = o.Norm(); err != nil {
		return norm, err
	}
	scale := 1.0
	if o.Clip > 0 {
		scale = min(1, o.Clip/(norm+1e-6))
	}
	o.steps++
	h := kernels.AdamW{LR: lr, Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, WeightDecay: o.WeightDecay, Step: o.steps, GradScale: scale}
	for i, p := range o.params {
		o.dev.AdamW(p.Value, o.moments[i].m, o.moments[i].v, p.Grad, h)
		o.dev.Fill(p.Grad, 0)
		p.Version++
	}
	return norm, o.dev.Sync()
}
