package train

import (
	"fmt"
	"strings"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
)

// An Algorithm names an Optimizer.
type Algorithm uint8

const (
	ByAdamW     Algorithm = iota // AdamW, 8 bytes of moments an element
	ByAdamW8                     // AdamW8, 2.03 bytes
	ByAdafactor                  // Shazeer and Stern 2018: two vectors of memory a matrix
	ByLion                       // Chen et al. 2023: one moment, steps of one size
	BySGD                        // with momentum Beta1, and weight decay added to the gradient
)

var algorithmNames = []string{"adamw", "adamw8bit", "adafactor", "lion", "sgd"}

// String returns the algorithm's name.
func (a Algorithm) String() string { return nameOf(algorithmNames, int(a)) }

// MarshalText returns the algorithm's name.
func (a Algorithm) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads an algorithm's name.
func (a *Algorithm) UnmarshalText(name []byte) error {
	i, err := numberOf(algorithmNames, string(name), "optimiser")
	*a = Algorithm(i)
	return err
}

// peak returns the learning rate to take if none is given, of adapters or of the
// base's weights. Lion moves every weight by the whole rate, SGD by the
// gradient's own size.
func (a Algorithm) peak(base bool) float64 {
	lr := 2e-4
	switch a {
	case ByLion:
		lr = 5e-5
	case BySGD:
		lr = 0.1
	}
	if base {
		lr /= 10
	}
	return lr
}

// A Rate makes parameters learn faster or slower than the others.
type Rate struct {
	Match string  // part of their names
	Times float64 // multiple of the learning rate
}

// rates returns each parameter's multiple of the learning rate. Of several
// matches the last one counts.
func (c Config) rates(params []*model.Param) []float64 {
	all := make([]float64, len(params))
	for i, p := range params {
		all[i] = 1
		for _, r := range c.Rates {
			if strings.Contains(p.Name, r.Match) {
				all[i] = r.Times
			}
		}
	}
	return all
}

// NewOptimizer returns the optimiser of params that c asks for.
func NewOptimizer(dev kernels.Device, params []*model.Param, c Config) (Optimizer, error) {
	c = c.withDefaults(false)
	o, err := newAlgorithm(dev, params, c)
	if err != nil {
		return nil, err
	}
	averaged, err := c.averaged(dev, params, o)
	if err != nil {
		o.Close()
		return nil, err
	}
	return averaged, nil
}

// averaged returns o with an average of params, if c asks for one.
func (c Config) averaged(dev kernels.Device, params []*model.Param, o Optimizer) (Optimizer, error) {
	if c.Average == 0 {
		return o, nil
	}
	return newAverage(dev, params, o, c.Average)
}

// Use makes o move the parameters instead of the optimiser that Config asks for,
// which it must before the first step. The run closes it.
func (r *Run) Use(o Optimizer) error {
	if r.state.Step > 0 {
		return fmt.Errorf("train: another optimiser after %d steps: choose it before the first", r.state.Step)
	}
	o, err := r.Config.averaged(r.model.Device, r.model.Params(), o)
	if err != nil {
		return err
	}
	r.opt.Close()
	r.opt = o
	return nil
}

func newAlgorithm(dev kernels.Device, params []*model.Param, c Config) (Optimizer, error) {
	switch c.Optimizer {
	case ByAdamW8:
		return NewAdamW8(dev, params, c)
	case ByAdafactor:
		return newHosted(dev, params, c, adafactor{decay: c.WeightDecay})
	case ByLion:
		return newHosted(dev, params, c, lion{beta1: c.Beta1, beta2: c.Beta2, decay: c.WeightDecay})
	case BySGD:
		return newHosted(dev, params, c, sgd{momentum: c.Beta1, decay: c.WeightDecay})
	}
	return NewAdamW(dev, params, c)
}
