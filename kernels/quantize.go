package kernels

import (
	"errors"

	"github.com/seed-5afa5581/graft/quant"
)

// A Quantizer is a device that quantises the weights it is given, so that their
// codes need not come from the host.
type Quantizer interface {
	// Quantize makes a quantised weight of a dense one, to the bit the one that NewMatrix
	// makes of quant.Quantize's tensor. It keeps nothing of w. What it does not take,
	// and what cannot be quantised, is errors.ErrUnsupported.
	Quantize(w Weights, c quant.Config) (Matrix, error)
	// Quantized copies a quantised weight to the host, as the tensor that it is; what
	// the elements were before is not known to it.
	Quantized(m Matrix) (*quant.Tensor, error)
}

// quantizer returns dev as a Quantizer, nil if it is none.
func quantizer(dev Device) Quantizer {
	if c, ok := dev.(checked); ok {
		dev = c.Device
	}
	q, _ := dev.(Quantizer)
	return q
}

var denseTypes = map[Format]quant.DType{F32: quant.Float32, F16: quant.Float16, BF16: quant.BFloat16}

// Quantize makes a quantised weight of a dense one, on the device if that is a
// Quantizer; otherwise package quant does it, and t is the tensor behind the weight.
func Quantize(dev Device, w Weights, c quant.Config) (m Matrix, t *quant.Tensor, err error) {
	must(!w.Format.Quantized() && len(w.Data) == w.Format.Bytes(w.Rows*w.Cols), "kernels: Quantize: length of data")
	if q := quantizer(dev); q != nil {
		if m, err = q.Quantize(w, c); !errors.Is(err, errors.ErrUnsupported) {
			return m, nil, err
		}
	}
	if t, err = quant.Quantize(quant.Bytes(w.Data, denseTypes[w.Format]), []int{w.Rows, w.Cols}, c); err != nil {
		return Matrix{}, nil, err
	}
	m, err = dev.NewMatrix(Weights{Rows: w.Rows, Cols: w.Cols, Format: QuantizedAs(t.Type), Quantized: t})
	return m, t, err
}

// Quantized returns the tensor behind a weight that Quantize returned without one.
func Quantized(dev Device, m Matrix) (*quant.Tensor, error) {
	q := quantizer(dev)
	must(q != nil && m.Format.Quantized(), "kernels: Quantized: no weight that the device has quantised")
	return q.Quantized(m)
}
