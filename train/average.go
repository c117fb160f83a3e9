package train

import (
	"errors"
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
)

// An average is an Optimizer that keeps the running average of the parameters
// that another one moves: after the first step a copy, after each other one
// average += (1-decay)·(value - average), as PyTorch's AveragedModel has it.
type average struct {
	Optimizer
	dev    kernels.Device
	params []*model.Param
	means  []kernels.Tensor
	decay  float64
	steps  int
	mean   []float32 // scratch
	value  []float32 // scratch
}

// averagePrefix goes before the name of a parameter whose average a State is.
const averagePrefix = "ema."

func newAverage(dev kernels.Device, params []*model.Param, o Optimizer, decay float64) (*average, error) {
	a := &average{Optimizer: o, dev: dev, params: params, decay: decay}
	for _, p := range params {
		t, err := like(dev, p.Value)
		if err != nil {
			a.free()
			return nil, fmt.Errorf("train: average of the weights: %w", err)
		}
		a.means = append(a.means, t)
	}
	return a, nil
}

// Close gives the memory of both back.
func (a *average) Close() {
	a.free()
	a.Optimizer.Close()
}

func (a *average) free() {
	for _, t := range a.means {
		a.dev.Free(t.Mem)
	}
	a.means = nil
}

// State lists the averages after what the optimiser keeps.
func (a *average) State() ([]State, error) {
	all, err := a.Optimizer.State()
	for i, p := range a.params {
		all = append(all, State{Name: averagePrefix + p.Name, Tensor: a.means[i]})
	}
	return all, err
}

// SetSteps sets the number of steps of both.
func (a *average) SetSteps(n int) {
	a.steps = n
	a.Optimizer.SetSteps(n)
}

// Step moves the parameters, then the averages.
func (a *average) Step(lr, scale float64) error {
	if err := a.Optimizer.Step(lr, scale); err != nil {
		return err
	}
	a.steps++
	for i, p := range a.params {
		a.value = readInto(a.dev, a.value, p.Value)
		if a.steps > 1 {
			a.mean = readInto(a.dev, a.mean, a.means[i])
			for j, m := range a.mean {
				a.value[j] = float32(float64(m) + (1-a.decay)*(float64(a.value[j])-float64(m)))
			}
		}
		a.dev.Write(a.means[i], a.value)
	}
	return a.dev.Sync()
}

// swap exchanges the parameters and their averages.
func (a *average) swap() error {
	for i, p := range a.params {
		a.value, a.mean = readInto(a.dev, a.value, p.Value), readInto(a.dev, a.mean, a.means[i])
		a.dev.Write(p.Value, a.mean)
		a.dev.Write(a.means[i], a.value)
		p.Version++
	}
	return a.dev.Sync()
}

// SwapAverage exchanges what trains and its running average, which Config.Average
// asks for: once to evaluate or save the average, once more to train on.
func (r *Run) SwapAverage() error {
	a, ok := r.opt.(*average)
	if !ok || a.steps == 0 {
		return errors.New("train: there is no average of the weights: set Config.Average and take a step first")
	}
	return a.swap()
}
