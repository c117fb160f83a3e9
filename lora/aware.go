package lora

import (
	"errors"
	"fmt"
	"sync"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/quant"
)

// An aware is the state of merge-aware training of one branch: the weight that
// merging would give now.
type aware struct {
	sync.Mutex
	on       bool
	merged   kernels.Matrix
	versions [2]uint64 // of A and B that it was merged from
}

// SetMergeAware makes the forward pass go through the weights that merging and
// quantising again would give, requantize(W + s·B·A), with the gradient of the
// sum inside (straight-through): what is trained then is the merged, quantised model
// itself. It needs a quantised base and no dropout, holds a second, quantised copy of
// what is adapted, and costs a requantisation each step. It may be switched in
// the middle of a run, which train.Config.MergeAware does.
func (a *Adapter) SetMergeAware(on bool) error {
	for _, b := range a.branches {
		if err := b.SetMergeAware(on); err != nil {
			return errors.Join(err, a.SetMergeAware(false))
		}
	}
	return nil
}

// SetMergeAware switches one layer.
func (b *branch) SetMergeAware(on bool) error {
	if on && !b.linear.W.Format.Quantized() {
		return fmt.Errorf("lora: %s is not quantised: merge-aware training is for quantised bases", b.linear.Name)
	}
	if on && b.dropout > 0 {
		return errors.New("lora: merge-aware training has no branch to drop inputs of: set dropout to 0")
	}
	b.aware.Lock()
	defer b.aware.Unlock()
	if b.aware.on = on; !on {
		b.forget()
	}
	return nil
}

// forget gives the merged weight back.
func (b *branch) forget() {
	if !b.aware.merged.None() {
		b.model.Device.Free(b.aware.merged.Mem)
		b.aware.merged = kernels.Matrix{}
	}
}

var (
	_ model.Replacer = (*branch)(nil)
	_ model.Merger   = (*branch)(nil)
)

// Weight returns the merged weight of merge-aware training.
func (b *branch) Weight(w kernels.Matrix) (kernels.Matrix, bool) {
	b.aware.Lock()
	defer b.aware.Unlock()
	if !b.aware.on {
		return w, false
	}
	if v := [2]uint64{b.a.Version, b.b.Version}; b.aware.merged.None() || v != b.aware.versions {
		b.forget()
		merged, finite := b.requantized(w)
		if !finite {
			return w, false // the branch itself carries that to the loss
		}
		b.aware.merged, b.aware.versions = merged, v
	}
	return b.aware.merged, true
}

// requantized returns requantize(W + s·B·A), if that is finite.
func (b *branch) requantized(w kernels.Matrix) (merged kernels.Matrix, finite bool) {
	values, err := b.Merged(w)
	must(err)
	c, _ := b.model.Quantization(b.linear)
	t, err := quant.Quantize(quant.Floats(values), []int{w.Rows, w.Cols}, c)
	if err != nil {
		return w, false
	}
	merged, err = b.model.Device.NewMatrix(kernels.Weights{Rows: w.Rows, Cols: w.Cols, Format: w.Format, Quantized: t})
	must(err)
	return merged, true
}

// must hands a device's lack of memory to the pass that runs, which returns it.
func must(err error) {
	if err != nil {
		panic(&kernels.OutOfMemory{Err: err})
	}
}
