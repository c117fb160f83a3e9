package train

import (
	"errors"
	"math"

	"github.com/seed-5afa5581/graft/model"
)

// A merger is a model.Delta that can train the weight that merging it would
// give; those of package lora can, on a quantised base.
type merger interface{ SetMergeAware(on bool) error }

// setMergeAware switches every branch of a model.
func setMergeAware(m *model.Model, on bool) error {
	found := false
	for l := range m.Linears() {
		if d, ok := l.Delta.(merger); ok {
			found = true
			if err := d.SetMergeAware(on); err != nil {
				return err
			}
		}
	}
	if on && !found {
		return errors.New("train: merge-aware training needs an adapter to merge: attach one to a quantised base")
	}
	return nil
}

// checkMergeAware reports whether the model can train as Config.MergeAware says.
func (r *Run) checkMergeAware() error {
	if r.Config.MergeAware == 0 {
		return nil
	}
	return errors.Join(setMergeAware(r.model, true), setMergeAware(r.model, false))
}

// switchMergeAware has the last steps of a run, counted from 0, train the merged
// model.
func (r *Run) switchMergeAware(n int) error {
	if r.Config.MergeAware == 0 {
		return nil
	}
	last := int(math.Round(r.Config.MergeAware * float64(r.Total)))
	return setMergeAware(r.model, n >= r.Total-last)
}
