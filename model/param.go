package model

import (
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
)

// A Param is a trainable tensor with its gradient, both in float32. Name is
// what the tensor is called in the file it is saved to.
type Param struct {
	Name        string
	Value, Grad kernels.Tensor
	Version     uint64 // counts the changes of Value: who makes one adds one
}

// NewParam allocates a parameter [rows, cols] of zeros on dev. Free gives it back.
func NewParam(dev kernels.Device, name string, rows, cols int) (*Param, error) {
	p := &Param{Name: name}
	for _, t := range []*kernels.Tensor{&p.Value, &p.Grad} {
		mem, err := dev.Alloc(kernels.Float32, rows*cols)
		if err != nil {
			return nil, fmt.Errorf("model: %s: %w", name, err)
		}
		*t = kernels.Tensor{Rows: rows, Cols: cols, Kind: kernels.Float32, Mem: mem}
	}
	return p, nil
}

// Free gives the parameter's memory back to dev.
func (p *Param) Free(dev kernels.Device) {
	dev.Free(p.Value.Mem)
	dev.Free(p.Grad.Mem)
}
