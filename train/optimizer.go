package train

import (
	"fmt"
	"math"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
)

// An Optimizer moves parameters by their gradients.
type Optimizer interface {
	// Step moves the parameters at a learning rate by their gradients times
	// scale, and sets the gradients to zero.
	Step(lr, scale float64) error
	// State lists what Step keeps from step to step, in a fixed order. A snapshot
	// writes it, and fills it when a run is resumed.
	State() ([]State, error)
	// SetSteps tells how many steps the state has seen, after it was filled.
	SetSteps(n int)
	// Close gives the optimiser's memory back.
	Close()
}

// A State is one tensor of an optimiser's memory.
type State struct {
	Name   string         // such as exp_avg.NAME for the parameter NAME
	Tensor kernels.Tensor // Float32
	Bytes  []byte         // instead of Tensor: memory on the host, such as 8-bit codes
}

// Gradients are those of some parameters, as one long vector.
type Gradients struct {
	dev    kernels.Device
	params []*model.Param
	sums   kernels.Tensor // [P, 1] sum of squares of each gradient
	host   []float32      // sums on the host
}

// NewGradients returns the gradients of params.
func NewGradients(dev kernels.Device, params []*model.Param) (*Gradients, error) {
	mem, err := dev.Alloc(kernels.Float32, len(params))
	if err != nil {
		return nil, fmt.Errorf("train: gradients: %w", err)
	}
	sums := kernels.Tensor{Rows: len(params), Cols: 1, Kind: kernels.Float32, Mem: mem}
	return &Gradients{dev: dev, params: params, sums: sums, host: make([]float32, len(params))}, nil
}

// Close gives back the memory that Norm uses; the gradients stay.
func (g *Gradients) Close() { g.dev.Free(g.sums.Mem) }

// Norm returns the length of the vector. Its error names the first parameter
// whose gradient is not finite.
func (g *Gradients) Norm() (float64, error) {
	at, norm, err := g.length(func(p *model.Param) kernels.Tensor { return p.Grad })
	if err == nil && at >= 0 {
		err = fmt.Errorf("train: the gradient of %s is not finite", g.params[at].Name)
	}
	return norm, err
}

// values is Norm for the parameters themselves.
func (g *Gradients) values() error {
	at, _, err := g.length(func(p *model.Param) kernels.Tensor { return p.Value })
	if err == nil && at >= 0 {
		err = fmt.Errorf("train: %s is not finite", g.params[at].Name)
	}
	return err
}

// length returns that of one tensor of each parameter, and the number of the
// first one that is not finite, or -1.
func (g *Gradients) length(of func(*model.Param) kernels.Tensor) (at int, norm float64, err error) {
	for i, p := range g.params {
		g.dev.SumSquares(g.sums.Slice(i, i+1), of(p))
	}
	g.dev.Read(g.host, g.sums)
	if err := g.dev.Sync(); err != nil {
		return -1, 0, err
	}
	var sum float64
	for i, s := range g.host {
		if !finite(float64(s)) {
			return i, math.Inf(1), nil
		}
		sum += float64(s)
	}
	return -1, math.Sqrt(sum), nil
}

// Clear sets the gradients to zero.
func (g *Gradients) Clear() error {
	for _, p := range g.params {
		g.dev.Fill(p.Grad, 0)
	}
	return g.dev.Sync()
}

// Scale returns what to multiply gradients of a norm with, so that it is at
// most limit; a limit of 0 is none.
func Scale(norm, limit float64) float64 {
	if limit <= 0 {
		return 1
	}
	return min(1, limit/(norm+1e-6))
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
