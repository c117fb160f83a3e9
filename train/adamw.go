package train

import (
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
)

// An AdamW is the Optimizer of Loshchilov and Hutter 2019, as PyTorch computes
// it.
type AdamW struct {
	Beta1, Beta2, Eps, WeightDecay float64

	dev     kernels.Device
	params  []*model.Param
	rates   []float64
	moments []moments
	steps   int
}

// moments are a parameter's running means of the gradient and of its square.
type moments struct{ m, v kernels.Tensor }

// NewAdamW returns an optimiser of params with the numbers of c.
func NewAdamW(dev kernels.Device, params []*model.Param, c Config) (*AdamW, error) {
	c = c.withDefaults(false)
	o := &AdamW{Beta1: c.Beta1, Beta2: c.Beta2, Eps: c.Eps, WeightDecay: c.WeightDecay, dev: dev, params: params, rates: c.rates(params)}
	for _, p := range params {
		m, err := like(dev, p.Value)
		if err == nil {
			o.moments = append(o.moments, moments{m: m})
			o.moments[len(o.moments)-1].v, err = like(dev, p.Value)
		}
		if err != nil {
			o.Close()
			return nil, fmt.Errorf("train: optimiser: %w", err)
		}
	}
	return o, nil
}

// like allocates zeros of the shape of t.
func like(dev kernels.Device, t kernels.Tensor) (kernels.Tensor, error) {
	mem, err := dev.Alloc(kernels.Float32, t.Len())
	return kernels.Tensor{Rows: t.Rows, Cols: t.Cols, Kind: kernels.Float32, Mem: mem}, err
}

// Close gives the optimiser's memory back.
func (o *AdamW) Close() {
	for _, s := range o.moments {
		o.dev.Free(s.m.Mem)
		if !s.v.None() {
			o.dev.Free(s.v.Mem)
		}
	}
	o.moments = nil
}

// State lists both moments of each parameter.
func (o *AdamW) State() ([]State, error) {
	var all []State
	for i, p := range o.params {
		all = append(all, State{Name: "exp_avg." + p.Name, Tensor: o.moments[i].m}, State{Name: "exp_avg_sq." + p.Name, Tensor: o.moments[i].v})
	}
	return all, nil
}

// SetSteps sets the number that corrects the moments' bias.
func (o *AdamW) SetSteps(n int) { o.steps = n }

// Step moves the parameters by their gradients times scale and sets the
// gradients to zero.
func (o *AdamW) Step(lr, scale float64) error {
	o.steps++
	h := kernels.AdamW{Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, WeightDecay: o.WeightDecay, Step: o.steps, GradScale: scale}
	for i, p := range o.params {
		h.LR = lr * o.rates[i]
		o.dev.AdamW(p.Value, o.moments[i].m, o.moments[i].v, p.Grad, h)
		o.dev.Fill(p.Grad, 0)
		p.Version++
	}
	return o.dev.Sync()
}
