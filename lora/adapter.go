package lora

import (
	"errors"
	"fmt"
	"math"

	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
)

// An Adapter is a set of branches on the linear layers of one model.
type Adapter struct {
	Config   Config
	model    *model.Model
	branches []*branch
}

// Attach puts fresh branches on a model's linear layers. A is uniform in
// ±1/√in, B zero, as PEFT has it, so that the model computes what it did.
func Attach(m *model.Model, c Config) (*Adapter, error) {
	a, err := attach(m, c)
	if err != nil {
		return nil, err
	}
	if m.IsOutline() {
		return a, nil
	}
	for _, b := range a.branches {
		values := make([]float32, b.a.Value.Len())
		random.New(c.Seed, random.Adapter, uint64(b.site)).Uniform(values, 1/math.Sqrt(float64(b.linear.In())))
		m.Device.Write(b.a.Value, values)
	}
	return a, nil
}

// attach puts branches of zeros on the layers that c names.
func attach(m *model.Model, c Config) (*Adapter, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	targets, err := c.targets(m)
	if err != nil {
		return nil, err
	}
	for _, l := range targets {
		if l.Delta != nil {
			return nil, fmt.Errorf("lora: %s has an adapter already: detach or merge it first", l.Name)
		}
	}
	a := &Adapter{Config: c, model: m}
	sites := siteNumbers(m)
	for _, l := range targets {
		b := &branch{model: m, linear: l, scale: float32(c.scale()), dropout: float32(c.Dropout), site: sites[l]}
		if err := b.allocate(m.Device, c.Rank); err != nil {
			a.Detach()
			return nil, fmt.Errorf("lora: %w", err)
		}
		l.Delta = b
		a.branches = append(a.branches, b)
	}
	return a, nil
}

// siteNumbers counts a model's linear layers, so that a layer's random numbers
// do not depend on which others are adapted.
func siteNumbers(m *model.Model) map[*model.Linear]uint32 {
	n := map[*model.Linear]uint32{}
	for l := range m.Linears() {
		n[l] = uint32(len(n))
	}
	return n
}

// tensorPrefix and the suffixes below make up a tensor's name in PEFT's files.
const tensorPrefix = "base_model.model."

func (b *branch) allocate(dev kernels.Device, rank int) (err error) {
	name := tensorPrefix + b.linear.Name
	if b.a, err = model.NewParam(dev, name+".lora_A.weight", rank, b.linear.In()); err != nil {
		return err
	}
	if b.b, err = model.NewParam(dev, name+".lora_B.weight", b.linear.Out(), rank); err != nil {
		b.a.Free(dev)
	}
	return err
}

// Params returns the adapter's parameters, A and B of each layer in turn.
func (a *Adapter) Params() (ps []*model.Param) {
	for _, b := range a.branches {
		ps = append(ps, b.a, b.b)
	}
	return ps
}

// Detach takes the branches off the model, which then computes what it did
// before, and gives their memory back. The adapter cannot be used any more.
func (a *Adapter) Detach() {
	for _, b := range a.branches {
		b.linear.Delta = nil
		b.forget()
		b.a.Free(a.model.Device)
		b.b.Free(a.model.Device)
	}
	a.branches = nil
}

// Merge adds s·B·A to the weights, in float32 and rounded, or quantised, once to
// the format that each weight is stored in, and detaches the adapter: the model
// then computes with its own weights alone what it did with the adapter, up to
// that rounding. There is no way back; the checkpoint's files stay as they are.
func (a *Adapter) Merge() error { return a.mergeBy(a.model.Replace) }

// MergeDense is Merge into the values that quantised weights stand for: they
// become dense, in the format that they had before they were quantised, adapted
// or not.
func (a *Adapter) MergeDense() error {
	if err := a.mergeBy(a.model.ReplaceDense); err != nil {
		return err
	}
	return a.model.Dequantize()
}

// SaveMerged writes the checkpoint that the model would be after MergeDense, or
// after Merge if its base is dense, into dir, bit for bit, in the memory of one
// tensor beside the model. The adapter stays attached.
func (a *Adapter) SaveMerged(dir string) error {
	if err := a.mergeable(); err != nil {
		return err
	}
	return a.model.SaveMerged(dir)
}

func (a *Adapter) mergeable() error {
	if len(a.branches) == 0 {
		return errors.New("lora: nothing to merge: the adapter was merged or detached before")
	}
	for _, b := range a.branches {
		if a.model.Config.Tied && b.linear == &a.model.Head {
			return fmt.Errorf("lora: %s is the embedding as well, so its adapter cannot be merged: save the adapter instead", b.linear.Name)
		}
	}
	return nil
}

func (a *Adapter) mergeBy(replace func(*model.Linear, []float32) error) error {
	if err := a.mergeable(); err != nil {
		return err
	}
	for _, b := range a.branches {
		values, err := b.Merged(b.linear.W)
		if err != nil {
			return err
		}
		if err := replace(b.linear, values); err != nil {
			return err
		}
	}
	a.Detach()
	return nil
}

// Merged returns W + s·B·A on the host, computed in float32.
func (b *branch) Merged(weight kernels.Matrix) ([]float32, error) {
	dev, l := b.model.Device.For(kernels.F32), b.linear
	mem, err := dev.Alloc(kernels.Float32, l.Out()*l.In())
	if err != nil {
		return nil, fmt.Errorf("lora: %s: %w", l.Name, err)
	}
	defer dev.Free(mem)
	w := kernels.Tensor{Rows: l.Out(), Cols: l.In(), Kind: kernels.Float32, Mem: mem}
	dev.Expand(w, weight, 0)
	dev.MatMulGradInput(w, b.b.Value, b.a.Value.Matrix(), b.scale, true)
	values := make([]float32, w.Len())
	dev.Read(values, w)
	if err := dev.Sync(); err != nil {
		return nil, fmt.Errorf("lora: %s: %w", l.Name, err)
	}
	return values, nil
}
