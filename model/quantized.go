package model

import (
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// A quantized says how a weight is quantised.
type quantized struct {
	config quant.Config
	dtype  quant.DType   // of the elements before they were
	tensor *quant.Tensor // nil where the device alone has the codes
}

// Quantization returns how a linear layer's weight is quantised, if it is.
func (m *Model) Quantization(l *Linear) (quant.Config, bool) {
	q := m.quantized[l.Name+".weight"]
	if q == nil {
		return quant.Config{}, false
	}
	return q.config, true
}

// Quantized returns the tensor behind a linear layer's weight, nil if it is dense.
// It is read from the device where that has quantised the weight.
func (m *Model) Quantized(l *Linear) (*quant.Tensor, error) {
	return m.codes(l.Name+".weight", l.W)
}

// codes returns the tensor behind a weight of that name, nil if it is dense.
func (m *Model) codes(name string, w kernels.Matrix) (*quant.Tensor, error) {
	q := m.quantized[name]
	if q == nil {
		return nil, nil
	}
	if q.tensor != nil {
		return q.tensor, nil
	}
	t, err := kernels.Quantized(m.Device, w)
	if err != nil {
		return nil, fmt.Errorf("model: %s: %w", name, err)
	}
	t.DType = q.dtype
	return t, nil
}
