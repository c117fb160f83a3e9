// Package solver lets gorgonia's solvers train: a [Solver] is a train.Optimizer
// that hands parameters and gradients to a gorgonia.Solver.
//
//	run, err := train.New(m, set, train.Config{LR: 1e-3})
//	...
//	s, err := solver.New(m.Device, m.Params(), gorgonia.NewAdamSolver())
//	...
//	err = run.Use(s)
//
// It serves programs that have such a solver. graft's own optimisers are several
// times as fast, and gorgonia's memory is its secret: a run with a Solver cannot
// be saved in snapshots and resumed.
package solver

import (
	"errors"
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/train"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A Solver moves parameters by a gorgonia.Solver, in float64 on the host. Each
// step tells it the run's learning rate; AdaGradSolver and solvers from elsewhere
// keep the rate that they were made with. Of train.Config only the schedule,
// the clipping and what comes before the optimiser matter.
type Solver struct {
	inner  gorgonia.Solver
	dev    kernels.Device
	params []*model.Param
	pairs  []gorgonia.ValueGrad
	buf    []float32
}

// New returns a Solver of params. It refuses gorgonia's AdamW, which up to
// v0.9.18 asks for nodes of a graph, and leaves their values as they are.
func New(dev kernels.Device, params []*model.Param, s gorgonia.Solver) (*Solver, error) {
	if _, broken := s.(*gorgonia.AdamW); broken {
		return nil, errors.New("solver: gorgonia's AdamW does not move parameters: use gorgonia.NewAdamSolver or train.AdamW")
	}
	o := &Solver{inner: s, dev: dev, params: params}
	for _, p := range params {
		o.pairs = append(o.pairs, newPair(p.Value.Rows, p.Value.Cols))
	}
	return o, nil
}

var _ train.Optimizer = (*Solver)(nil)

// A pair is a parameter and its gradient as gorgonia sees them.
type pair struct {
	value, grad       *tensor.Dense
	values, gradients []float64 // what lies behind them
}

func newPair(rows, cols int) *pair {
	p := &pair{values: make([]float64, rows*cols), gradients: make([]float64, rows*cols)}
	p.value = tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(p.values))
	p.grad = tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(p.gradients))
	return p
}

// Value returns the parameter.
func (p *pair) Value() gorgonia.Value { return p.value }

// Grad returns the gradient.
func (p *pair) Grad() (gorgonia.Value, error) { return p.grad, nil }

// Step moves the parameters by their gradients times scale and sets the
// gradients to zero.
func (o *Solver) Step(lr, scale float64) error {
	gorgonia.WithLearnRate(lr)(o.inner)
	for i, p := range o.params {
		x := o.pairs[i].(*pair)
		o.read(x.values, p.Value, 1)
		o.read(x.gradients, p.Grad, scale)
	}
	if err := o.inner.Step(o.pairs); err != nil {
		return fmt.Errorf("solver: %T: %w", o.inner, err)
	}
	for i, p := range o.params {
		o.write(p.Value, o.pairs[i].(*pair).values)
		o.dev.Fill(p.Grad, 0)
		p.Version++
	}
	return o.dev.Sync()
}

// read copies src times scale.
func (o *Solver) read(dst []float64, src kernels.Tensor, scale float64) {
	o.room(len(dst))
	o.dev.Read(o.buf, src)
	for i, x := range o.buf {
		dst[i] = float64(x) * scale
	}
}

func (o *Solver) write(dst kernels.Tensor, src []float64) {
	o.room(len(src))
	for i, x := range src {
		o.buf[i] = float32(x)
	}
	o.dev.Write(dst, o.buf)
}

// room makes the buffer n long.
func (o *Solver) room(n int) {
	if cap(o.buf) < n {
		o.buf = make([]float32, n)
	}
	o.buf = o.buf[:n]
}

// State is an error: gorgonia does not tell what its solvers keep.
func (o *Solver) State() ([]train.State, error) {
	return nil, fmt.Errorf("solver: %T does not tell what it keeps from step to step: a run with it cannot be saved and resumed", o.inner)
}

// SetSteps does nothing.
func (o *Solver) SetSteps(int) {}

// Close does nothing: the memory is the garbage collector's.
func (o *Solver) Close() {}
