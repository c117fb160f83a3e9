package golden

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/train"
)

// The bounds are a few times the spread of honest float32 implementations.
const (
	logitBound    = 3e-5 // absolute
	gradBound     = 2e-5 // of the tensor's largest magnitude
	lossBound     = 5e-6 // relative
	normBound     = 2e-5 // relative
	adapterBound  = 1e-4 // absolute, after 20 steps
	movementBound = 3e-4 // of the distance that the tensor moved
)

// A fault plants an error, to prove that the comparison sees it.
type fault struct {
	model func(*model.Model)
	train func(*train.Config)
}

// compare runs a folder's case on dev and returns every deviation.
func (f *folder) compare(dev kernels.Device, plant fault) error {
	var faults []error
	for _, open := range f.bases() {
		for _, do := range []func(*model.Model) error{
			f.compareBase, f.compareBaseGrads, func(m *model.Model) error { return f.compareTraining(m, plant) }, f.compareMerged,
		} {
			faults = append(faults, with(open, dev, plant, do))
		}
	}
	return errors.Join(faults...)
}

// with opens a base anew.
func with(open opener, dev kernels.Device, plant fault, do func(*model.Model) error) error {
	m, err := open(dev)
	if err != nil {
		return err
	}
	defer m.Close()
	if plant.model != nil {
		plant.model(m)
	}
	return do(m)
}

func (f *folder) compareBase(m *model.Model) error { return f.compareLogits(m, "base") }

// compareLogits compares those of every sequence, run one by one and together.
func (f *folder) compareLogits(m *model.Model, stage string) error {
	p := m.NewPass()
	defer p.Close()
	all, err := p.Logits(f.batch())
	if err != nil {
		return err
	}
	var faults []error
	for i, s := range f.sequences {
		name := fmt.Sprintf("%s.logits%d", stage, i)
		want, err := f.float32s(name)
		if err != nil {
			return err
		}
		alone, err := p.Logits(model.Batch{Tokens: s.Tokens, Starts: []int32{0}})
		if err != nil {
			return err
		}
		for j := range alone {
			if alone[j] != all[j] {
				return fmt.Errorf("%s: alone and in a batch differ", name)
			}
		}
		all = all[len(alone):]
		faults = append(faults, within(name, alone, want, logitBound))
	}
	return errors.Join(faults...)
}

// within compares two tensors element by element.
func within(name string, got, want []float32, bound float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%s: %d elements, want %d", name, len(got), len(want))
	}
	worst := 0.0
	for i := range got {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= worst) {
			worst = d
		}
	}
	if !(worst <= bound) {
		return fmt.Errorf("%s: off by %.3g, bound %.3g", name, worst, bound)
	}
	return nil
}

func largest(v []float32) (top float64) {
	for _, x := range v {
		top = max(top, math.Abs(float64(x)))
	}
	return top
}

// compareBaseGrads compares the gradient of every weight, where recorded.
func (f *folder) compareBaseGrads(m *model.Model) error {
	recorded := false
	for _, name := range f.values.Names() {
		recorded = recorded || strings.HasPrefix(name, "base.grad.")
	}
	if !recorded {
		return nil
	}
	if err := m.Unfreeze(func(string) bool { return true }); err != nil {
		return err
	}
	return f.compareGrads(m, "base.grad.")
}

func (f *folder) compareGrads(m *model.Model, prefix string) error {
	p := m.NewPass()
	defer p.Close()
	var loss model.Loss
	b := f.batch()
	if err := p.LossGrad(b, b.CountLabels(), &loss); err != nil {
		return err
	}
	var faults []error
	for _, param := range m.Params() {
		want, err := f.float32s(prefix + param.Name)
		if err != nil {
			return err
		}
		got := make([]float32, param.Grad.Len())
		m.Device.Read(got, param.Grad)
		m.Device.Fill(param.Grad, 0)
		faults = append(faults, within(prefix+param.Name, got, want, gradBound*largest(want)))
	}
	return errors.Join(faults...)
}

// compareTraining compares the adapted logits, the first gradients, and the
// losses, norms and adapter of 20 steps.
func (f *folder) compareTraining(m *model.Model, plant fault) error {
	adapter, err := lora.Load(m, filepath.Join(f.dir, "adapter_init"))
	if err != nil {
		return err
	}
	initial := values(adapter.Params(), m.Device)
	faults := []error{f.compareLogits(m, "lora"), f.compareGrads(m, "lora.grad.")}
	losses, norms, err := f.steps(m, plant)
	if err != nil {
		return err
	}
	faults = append(faults, relative("loss", losses, f.meta.Losses, lossBound), relative("norm", norms, f.meta.Norms, normBound))
	final := values(adapter.Params(), m.Device)
	if err := f.loadFinal(adapter, m); err != nil {
		return err
	}
	for i, want := range values(adapter.Params(), m.Device) {
		name := adapter.Params()[i].Name
		faults = append(faults, within(name, final[i], want, adapterBound))
		if off, moved := distance(final[i], want), distance(want, initial[i]); !(off <= movementBound*moved) {
			faults = append(faults, fmt.Errorf("%s: off by %.3g of a movement of %.3g", name, off, moved))
		}
	}
	return errors.Join(faults...)
}

// loadFinal replaces the adapter's values by those of the reference after the
// last step.
func (f *folder) loadFinal(adapter *lora.Adapter, m *model.Model) error {
	adapter.Detach()
	final, err := lora.Load(m, filepath.Join(f.dir, "adapter_final"))
	if err == nil {
		*adapter = *final
	}
	return err
}

func values(ps []*model.Param, dev kernels.Device) (all [][]float32) {
	for _, p := range ps {
		v := make([]float32, p.Value.Len())
		dev.Read(v, p.Value)
		all = append(all, v)
	}
	return all
}

func distance(a, b []float32) (d float64) {
	for i := range a {
		d += (float64(a[i]) - float64(b[i])) * (float64(a[i]) - float64(b[i]))
	}
	return math.Sqrt(d)
}

// steps runs the optimiser and returns the losses before each step and after
// the last, and the norms.
func (f *folder) steps(m *model.Model, plant fault) (losses, norms []float64, err error) {
	h := f.meta.Hyper
	c := train.Config{
		LR: h.LR, Schedule: train.Constant, NoWarmup: true, Steps: h.Steps, Batch: len(f.sequences), NoShuffle: true,
		Beta1: h.Betas[0], Beta2: h.Betas[1], Eps: h.Eps, WeightDecay: h.WeightDecay, Clip: h.MaxNorm,
	}
	if plant.train != nil {
		plant.train(&c)
	}
	run, err := train.New(m, f.sequences, c)
	if err != nil {
		return nil, nil, err
	}
	for step, err := range run.Steps(context.Background()) {
		if err != nil {
			return nil, nil, err
		}
		losses, norms = append(losses, step.Loss), append(norms, step.GradNorm)
	}
	p := m.NewPass()
	defer p.Close()
	var last model.Loss
	err = p.Loss(f.batch(), &last)
	return append(losses, last.Mean()), norms, err
}

func relative(name string, got, want []float64, bound float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d of %s, want %d", len(got), name, len(want))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= bound*math.Abs(want[i])) {
			return fmt.Errorf("%s %d is %.8g, want %.8g", name, i, got[i], want[i])
		}
	}
	return nil
}

// compareMerged merges the reference's final adapter. A quantised base has no
// merged values.
func (f *folder) compareMerged(m *model.Model) error {
	if f.quantized() {
		return nil
	}
	adapter, err := lora.Load(m, filepath.Join(f.dir, "adapter_final"))
	if err != nil {
		return err
	}
	if err := adapter.Merge(); err != nil {
		return err
	}
	return f.compareLogits(m, "merged")
}
