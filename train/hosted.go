package train

import (
	"fmt"
	"slices"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
)

// A rule moves one matrix [rows, cols] on the host. It has no memory of its own.
type rule interface {
	// memory says what the rule keeps of a matrix, zero at first.
	memory(rows, cols int) []kept
	// move steps w by its gradient g at a rate; t counts the steps from 1.
	move(w, g matrix, memory [][]float32, rate float64, t int)
}

// kept is the name and the shape of one tensor of a rule's memory.
type kept struct {
	name       string
	rows, cols int
}

// A matrix is dense and row-major.
type matrix struct {
	rows, cols int
	v          []float32
}

// A hosted optimiser computes its steps on the host, whatever the device: a rule
// needs no operation of devices. Its memory lies on the device.
type hosted struct {
	rule   rule
	dev    kernels.Device
	params []*model.Param
	rates  []float64
	states [][]State // of each parameter
	steps  int
	w, g   []float32   // scratch
	memory [][]float32 // scratch
}

func newHosted(dev kernels.Device, params []*model.Param, c Config, r rule) (*hosted, error) {
	o := &hosted{rule: r, dev: dev, params: params, rates: c.rates(params)}
	for _, p := range params {
		o.states = append(o.states, nil)
		for _, k := range r.memory(p.Value.Rows, p.Value.Cols) {
			t, err := like(dev, kernels.Tensor{Rows: k.rows, Cols: k.cols})
			if err != nil {
				o.Close()
				return nil, fmt.Errorf("train: optimiser: %w", err)
			}
			last := &o.states[len(o.states)-1]
			*last = append(*last, State{Name: k.name + "." + p.Name, Tensor: t})
		}
	}
	return o, nil
}

// Close gives the optimiser's memory back.
func (o *hosted) Close() {
	for _, s := range slices.Concat(o.states...) {
		o.dev.Free(s.Tensor.Mem)
	}
	o.states = nil
}

// State lists what the rule keeps of each parameter.
func (o *hosted) State() ([]State, error) { return slices.Concat(o.states...), nil }

// Scratch returns the bytes of host memory that a step needs beside the state:
// room for the largest parameter, its gradient and what the rule keeps of it.
func (o *hosted) Scratch() (n int64) {
	for i, p := range o.params {
		elements := 2 * p.Value.Len()
		for _, s := range o.states[i] {
			elements += s.Tensor.Len()
		}
		n = max(n, 4*int64(elements))
	}
	return n
}

// SetSteps sets the number of steps that the rule counts on from.
func (o *hosted) SetSteps(n int) { o.steps = n }

// Step moves the parameters one by one.
func (o *hosted) Step(lr, scale float64) error {
	o.steps++
	for i, p := range o.params {
		o.step(i, lr*o.rates[i], float32(scale))
		o.dev.Fill(p.Grad, 0)
		p.Version++
	}
	return o.dev.Sync()
}

func (o *hosted) step(i int, rate float64, scale float32) {
	p, states := o.params[i], o.states[i]
	o.w, o.g = o.read(o.w, p.Value), o.read(o.g, p.Grad)
	for len(o.memory) < len(states) {
		o.memory = append(o.memory, nil)
	}
	for j, s := range states {
		o.memory[j] = o.read(o.memory[j], s.Tensor)
	}
	for j := range o.g {
		o.g[j] *= scale
	}
	rows, cols := p.Value.Rows, p.Value.Cols
	o.rule.move(matrix{rows, cols, o.w}, matrix{rows, cols, o.g}, o.memory[:len(states)], rate, o.steps)
	o.dev.Write(p.Value, o.w)
	for j, s := range states {
		o.dev.Write(s.Tensor, o.memory[j])
	}
}

// read returns the elements of t, in buf if they fit.
func (o *hosted) read(buf []float32, t kernels.Tensor) []float32 { return readInto(o.dev, buf, t) }

func readInto(dev kernels.Device, buf []float32, t kernels.Tensor) []float32 {
	buf = slices.Grow(buf[:0], t.Len())[:t.Len()]
	dev.Read(buf, t)
	return buf
}
