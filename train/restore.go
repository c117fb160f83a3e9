package train

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model/safetensors"
)

// ErrMismatch is what Resume returns for a snapshot of another run.
var ErrMismatch = errors.New("train: the snapshot belongs to another run")

// Resume puts the run where a snapshot was taken: parameters, optimiser, place
// in the data, and within a step the gradients so far. The steps after it end in
// the bytes that they would have ended in without the interruption. With
// ErrMismatch it refuses a snapshot whose base, data, layers or configuration
// are not the run's, and says in what they differ; NoRecompute may, and MicroTokens
// unless a tied embedding trains.
func (r *Run) Resume(s *Snapshot) error {
	origin, err := r.Origin()
	if err != nil {
		return err
	}
	if err := s.manifest.mismatch(origin, r.Config, r.free()); err != nil {
		return fmt.Errorf("%w: %s:\n%w", ErrMismatch, s.Path, err)
	}
	if was := s.manifest.Origin.Device; was != origin.Device {
		slog.Warn("train: the snapshot was taken on another kind of device: the run will not end in the same bytes", "snapshot", was, "now", origin.Device)
	}
	if err := r.restore(s); err != nil {
		r.err = fmt.Errorf("train: snapshot %s: %w", s.Path, err)
		return r.err
	}
	return nil
}

// restore fills what Resume promises.
func (r *Run) restore(s *Snapshot) error {
	if err := r.LoadWeights(s); err != nil {
		return err
	}
	x := s.manifest.State
	if err := r.source.Seek(x.Cursor); err != nil {
		return err
	}
	file, err := safetensors.Open(filepath.Join(s.Path, optimizerFile))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := r.restoreOptimizer(file, x.Step); err != nil {
		return err
	}
	if err := r.grads.Clear(); err != nil {
		return err
	}
	if x.Accumulated > 0 {
		for _, p := range r.grads.params {
			if err := fill(r.model.Device, p.Grad, file, gradientPrefix+p.Name); err != nil {
				return err
			}
		}
	}
	r.state, r.step, r.err = x, nil, nil
	return r.model.Device.Sync()
}

func (r *Run) restoreOptimizer(file *safetensors.File, steps int) error {
	states, err := r.opt.State()
	if err != nil {
		return err
	}
	for _, s := range states {
		if s.Tensor.None() {
			err = fillBytes(s.Bytes, file, s.Name)
		} else {
			err = fill(r.model.Device, s.Tensor, file, s.Name)
		}
		if err != nil {
			return err
		}
	}
	r.opt.SetSteps(steps)
	return nil
}

// LoadWeights gives the parameters, and their averages if there are any, the
// values that a snapshot holds, and leaves the run where it is: for the best
// snapshot of a run that is over.
func (r *Run) LoadWeights(s *Snapshot) error {
	file, err := safetensors.Open(filepath.Join(s.Path, s.manifest.Weights))
	if err != nil {
		return err
	}
	defer file.Close()
	for _, p := range r.grads.params {
		if err := fill(r.model.Device, p.Value, file, p.Name); err != nil {
			return err
		}
		p.Version++
	}
	if err := r.loadAverage(s); err != nil {
		return err
	}
	return r.model.Device.Sync()
}

func (r *Run) loadAverage(s *Snapshot) error {
	a, ok := r.opt.(*average)
	if !ok {
		return nil
	}
	file, err := safetensors.Open(filepath.Join(s.Path, optimizerFile))
	if err != nil {
		return err
	}
	defer file.Close()
	for i, p := range a.params {
		if err := fill(r.model.Device, a.means[i], file, averagePrefix+p.Name); err != nil {
			return err
		}
	}
	a.steps = s.Step()
	return nil
}

// fill writes a tensor of a file to dst, some rows at a time.
func fill(dev kernels.Device, dst kernels.Tensor, file *safetensors.File, name string) error {
	t, err := find(file, name, safetensors.F32, dst.Rows, dst.Cols)
	if err != nil {
		return err
	}
	at := 0
	return eachRows(dst, func(rows kernels.Tensor, host []float32) error {
		part := safetensors.Tensor{Name: name, DType: t.DType, Shape: []int{rows.Rows, rows.Cols}, Data: t.Data[at : at+4*len(host)]}
		at += 4 * len(host)
		if err := part.Float32s(host); err != nil {
			return err
		}
		dev.Write(rows, host)
		return dev.Sync()
	})
}

func fillBytes(dst []byte, file *safetensors.File, name string) error {
	t, err := find(file, name, safetensors.U8, len(dst))
	if err == nil {
		copy(dst, t.Data)
	}
	return err
}

// find returns the tensor of a name if it has the type and shape that the run
// has.
func find(file *safetensors.File, name string, d safetensors.DType, shape ...int) (safetensors.Tensor, error) {
	t, ok := file.Tensor(name)
	switch {
	case !ok:
		return t, fmt.Errorf("no tensor %s: the snapshot belongs to another run", name)
	case t.DType != d || !slices.Equal(t.Shape, shape):
		return t, fmt.Errorf("%s is %s %v, the run has %s %v: the snapshot belongs to another run", name, t.DType, t.Shape, d, shape)
	}
	return t, nil
}
