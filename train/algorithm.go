package train

import (
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
)

// An Algorithm says which Optimizer moves the parameters.
type Algorithm uint8

const (
	ByAdamW  Algorithm = iota // AdamW, 8 bytes of moments an element
	ByAdamW8                  // AdamW8, 2.03 bytes
)

var algorithmNames = []string{"adamw", "adamw8bit"}

// String returns the algorithm's name.
func (a Algorithm) String() string { return algorithmNames[a] }

// MarshalText returns the algorithm's name.
func (a Algorithm) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads adamw or adamw8bit.
func (a *Algorithm) UnmarshalText(name []byte) error {
	for i, n := range algorithmNames {
		if n == string(name) {
			*a = Algorithm(i)
			return nil
		}
	}
	return fmt.Errorf("train: optimiser %q: graft knows adamw and adamw8bit", name)
}

// newOptimizer returns the optimiser that c asks for.
func newOptimizer(dev kernels.Device, params []*model.Param, c Config) (Optimizer, error) {
	if c.Optimizer == ByAdamW8 {
		return NewAdamW8(dev, params, c)
	}
	return NewAdamW(dev, params, c)
}
