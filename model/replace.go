package model

import (
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model/safetensors"
	"github.com/seed-5afa5581/graft/quant"
)

// Replace gives a linear layer a new weight [out, in], float32 on the host,
// rounded or quantised once to the format that its weight is stored in.
func (m *Model) Replace(l *Linear, w []float32) error {
	name := l.Name + ".weight"
	old := m.quantized[name]
	if old == nil {
		return m.replaceDense(l, w, m.formats[name])
	}
	t, err := quant.Quantize(quant.Floats(w), []int{l.Out(), l.In()}, old.config)
	if err != nil {
		return fmt.Errorf("model: %s: %w", l.Name, err)
	}
	t.DType = old.dtype
	l.W, err = m.newQuantized(name, t)
	return err
}

// ReplaceDense is Replace for a layer that is not to be quantised any more: its
// weight gets the format that it had before it was.
func (m *Model) ReplaceDense(l *Linear, w []float32) error {
	name := l.Name + ".weight"
	m.dense(name)
	return m.replaceDense(l, w, m.formats[name])
}

// dense notes that a tensor is not quantised any more.
func (m *Model) dense(name string) {
	if t := m.quantized[name]; t != nil {
		m.formats[name] = denseFormat[t.dtype]
		delete(m.quantized, name)
	}
}

var denseFormat = map[quant.DType]kernels.Format{quant.Float32: kernels.F32, quant.Float16: kernels.F16, quant.BFloat16: kernels.BF16}

func (m *Model) replaceDense(l *Linear, w []float32, format kernels.Format) error {
	matrix, err := m.Device.NewMatrix(kernels.Weights{
		Rows: l.Out(), Cols: l.In(), Format: format, Data: safetensors.Encode(dtypeOf[format], w),
	})
	if err != nil {
		return fmt.Errorf("model: %s: %w", l.Name, err)
	}
	m.owned = append(m.owned, matrix.Mem)
	l.W = matrix
	return nil
}

// Dequantize gives every quantised layer a dense weight in the format that it
// had before it was quantised, with the values that its codes stand for.
func (m *Model) Dequantize() error {
	for l := range m.Linears() {
		t, err := m.Quantized(l)
		if err != nil {
			return err
		}
		if t == nil {
			continue
		}
		w := make([]float32, t.Len())
		t.DequantizeAll(w, 0)
		if err := m.ReplaceDense(l, w); err != nil {
			return err
		}
	}
	return nil
}

// Quantize gives every dense linear layer but the head a quantised weight, as
// opening the model with Options.Quantize does. Nothing may train on them yet.
func (m *Model) Quantize(c quant.Config) error {
	for l := range m.Linears() {
		if l != &m.Head && l.trains() {
			return fmt.Errorf("model: %s trains: quantise the model before, or merge its adapter", l.Name)
		}
	}
	for l := range m.Linears() {
		if l == &m.Head || l.W.Format.Quantized() {
			continue
		}
		if err := m.quantize(l, c); err != nil {
			return fmt.Errorf("model: %s: %w", l.Name, err)
		}
	}
	return nil
}

func (m *Model) quantize(l *Linear, c quant.Config) error {
	w, name := make([]float32, 0, l.Out()*l.In()), l.Name+".weight"
	err := m.eachRows(l.W, func(rows []float32) error { w = append(w, rows...); return nil })
	if err != nil {
		return err
	}
	t, err := quant.Quantize(quant.Floats(w), []int{l.Out(), l.In()}, c)
	if err != nil {
		return err
	}
	t.DType = quantFrom[dtypeOf[m.formats[name]]]
	l.W, err = m.newQuantized(name, t)
	return err
}
