package model

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"sync"

	"github.com/seed-5afa5581/graft/kernels"
	_ "github.com/seed-5afa5581/graft/kernels/cpu" // the device that is always there
	"github.com/seed-5afa5581/graft/model/safetensors"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// A Model is a LLaMA-style transformer. Its weights are frozen until Unfreeze
// or an adapter says otherwise.
type Model struct {
	Config    Config
	Tokenizer *tokenizer.Tokenizer // nil if the checkpoint has none
	Device    kernels.Device       // in the arithmetic that suits the weights
	Dir       string               // where it was opened, for people

	Embedding Embedding
	Blocks    []*Block
	Norm      Norm
	Head      Linear

	// Unexpected names the checkpoint's tensors that the architecture has no
	// place for.
	Unexpected []string

	files      fs.FS
	checkpoint *safetensors.Checkpoint
	formats    map[string]kernels.Format // what each tensor of the checkpoint is stored in
	quantized  map[string]*quantized     // those that are quantised
	owned      []kernels.Mem             // given back by Close
	outline    bool                      // nothing has content

	tables struct { // of the rotary embedding, the last one in use
		sync.Mutex
		all []kernels.Tensor
	}
}

// An Embedding turns tokens into rows of the residual stream.
type Embedding struct {
	Name  string
	W     kernels.Matrix // [V, C]
	Param *Param         // W, if it trains
}

// Params returns what trains, in a fixed order.
func (m *Model) Params() (ps []*Param) {
	ps = appendParam(ps, m.Embedding.Param)
	for _, b := range m.Blocks {
		ps = append(ps, b.params()...)
	}
	ps = append(ps, m.Norm.params()...)
	for _, p := range m.Head.params() {
		if p != m.Embedding.Param {
			ps = append(ps, p)
		}
	}
	return ps
}

// Linears iterates over the linear layers in the order of the checkpoint, the
// head last.
func (m *Model) Linears() iter.Seq[*Linear] {
	return func(yield func(*Linear) bool) {
		for _, b := range m.Blocks {
			a, f := &b.Attention, &b.MLP
			for _, l := range []*Linear{&a.Q, &a.K, &a.V, &a.O, &f.Gate, &f.Up, &f.Down} {
				if !yield(l) {
					return
				}
			}
		}
		yield(&m.Head)
	}
}

// norms iterates over the norms.
func (m *Model) norms() iter.Seq[*Norm] {
	return func(yield func(*Norm) bool) {
		for _, b := range m.Blocks {
			for _, n := range []*Norm{&b.Norm1, b.Attention.QNorm, b.Attention.KNorm, &b.Norm2} {
				if n != nil && !yield(n) {
					return
				}
			}
		}
		yield(&m.Norm)
	}
}

// Unfreeze makes trainable every weight whose tensor's name match accepts, and
// copies it to float32 for that. A tied head trains with the embedding.
func (m *Model) Unfreeze(match func(name string) bool) error {
	var faults []error
	train := func(p **Param, name string, w kernels.Matrix) bool {
		if w.None() || *p != nil || !match(name) {
			return false
		}
		var err error
		if *p, err = m.trainable(name, w); err != nil {
			faults = append(faults, err)
			return false
		}
		return true
	}
	if e := &m.Embedding; train(&e.Param, e.Name+".weight", e.W) {
		e.W = e.Param.Value.Matrix()
		if m.Config.Tied {
			m.Head.Weight, m.Head.W = e.Param, e.W
		}
	}
	for l := range m.Linears() {
		if train(&l.Weight, l.Name+".weight", l.W) {
			l.W = l.Weight.Value.Matrix()
		}
		if !l.Bias.None() && train(&l.BiasParam, l.Name+".bias", l.Bias.Matrix()) {
			l.Bias = l.BiasParam.Value
		}
	}
	for n := range m.norms() {
		if train(&n.Param, n.Name+".weight", n.Gain.Matrix()) {
			n.Gain = n.Param.Value
		}
	}
	return errors.Join(faults...)
}

// trainable returns a Param with the content of w.
func (m *Model) trainable(name string, w kernels.Matrix) (*Param, error) {
	p, err := NewParam(m.Device, name, w.Rows, w.Cols)
	if err != nil {
		return nil, err
	}
	m.owned = append(m.owned, p.Value.Mem, p.Grad.Mem)
	m.Device.Expand(p.Value, w, 0)
	m.dense(name)
	if m.checkpoint == nil {
		return p, nil
	}
	if t, ok := m.checkpoint.Tensor(name); ok {
		if err := m.Device.Sync(); err != nil {
			return nil, err
		}
		t.Release() // its values are in p now
	}
	return p, nil
}

// BaseTrains reports whether weights of the base train, not adapters alone.
func (m *Model) BaseTrains() bool {
	if m.Embedding.Param != nil {
		return true
	}
	for l := range m.Linears() {
		if l.Weight != nil || l.BiasParam != nil {
			return true
		}
	}
	for n := range m.norms() {
		if n.Param != nil {
			return true
		}
	}
	return false
}

// NonFinite returns the name of the first tensor, of what trains and then of
// the whole model, that holds a NaN or an infinity; none if all are finite.
func (m *Model) NonFinite() (string, error) {
	for _, p := range m.Params() {
		if bad, err := m.nonFinite(p.Value.Matrix()); bad || err != nil {
			return p.Name, err
		}
	}
	for name, w := range m.tensors() {
		if bad, err := m.nonFinite(w); bad || err != nil {
			return name, err
		}
	}
	return "", nil
}

// nonFinite looks at a weight, some rows at a time.
func (m *Model) nonFinite(w kernels.Matrix) (found bool, err error) {
	err = m.eachRows(w, func(rows []float32) error {
		for _, x := range rows {
			found = found || math.IsNaN(float64(x)) || math.IsInf(float64(x), 0)
		}
		return nil
	})
	return found, err
}

// tensors iterates over the model's tensors by the names that the checkpoint
// has for them.
func (m *Model) tensors() iter.Seq2[string, kernels.Matrix] {
	return func(yield func(string, kernels.Matrix) bool) {
		if !yield(m.Embedding.Name+".weight", m.Embedding.W) {
			return
		}
		for l := range m.Linears() {
			if (l != &m.Head || !m.Config.Tied) && !yield(l.Name+".weight", l.W) {
				return
			}
			if !l.Bias.None() && !yield(l.Name+".bias", l.Bias.Matrix()) {
				return
			}
		}
		for n := range m.norms() {
			if !yield(n.Name+".weight", n.Gain.Matrix()) {
				return
			}
		}
	}
}

// hostElements is how many elements of a weight are on the host at once.
const hostElements = 1 << 20

// eachRows calls do with the elements of w in float32, some rows at a time.
func (m *Model) eachRows(w kernels.Matrix, do func(rows []float32) error) error {
	n := min(w.Rows, max(1, hostElements/w.Cols))
	mem, err := m.Device.Alloc(kernels.Float32, n*w.Cols)
	if err != nil {
		return err
	}
	defer m.Device.Free(mem)
	host := make([]float32, n*w.Cols)
	for at := 0; at < w.Rows; at += n {
		t := kernels.Tensor{Rows: min(n, w.Rows-at), Cols: w.Cols, Kind: kernels.Float32, Mem: mem}
		m.Device.Expand(t, w, at)
		m.Device.Read(host[:t.Len()], t)
		if err := m.Device.Sync(); err != nil {
			return err
		}
		if err := do(host[:t.Len()]); err != nil {
			return err
		}
	}
	return nil
}

// rotations returns a table of the rotary embedding for at least the given
// number of positions.
func (m *Model) rotations(positions int) (kernels.Tensor, error) {
	t := &m.tables
	t.Lock()
	defer t.Unlock()
	if n := len(t.all); n > 0 && t.all[n-1].Rows >= positions {
		return t.all[n-1], nil
	}
	rows := 1 << 8
	for rows < positions {
		rows *= 2
	}
	if m.outline {
		return m.float32s(rows, m.Config.HeadDim, nil)
	}
	table, err := m.float32s(rows, m.Config.HeadDim, m.Config.Rope.angles(rows, m.Config.HeadDim))
	if err == nil {
		t.all = append(t.all, table) // passes at work may still read the one before
	}
	return table, err
}

// float32s returns a tensor with the given content that lives as long as the model.
func (m *Model) float32s(rows, cols int, content []float32) (kernels.Tensor, error) {
	mem, err := m.Device.Alloc(kernels.Float32, rows*cols)
	if err != nil {
		return kernels.Tensor{}, fmt.Errorf("model: %w", err)
	}
	m.owned = append(m.owned, mem)
	t := kernels.Tensor{Rows: rows, Cols: cols, Kind: kernels.Float32, Mem: mem}
	m.Device.Write(t, content)
	return t, nil
}

// Close gives back the model's memory and the checkpoint's mapping. The
// device stays open.
func (m *Model) Close() error {
	for _, mem := range m.owned {
		m.Device.Free(mem)
	}
	m.owned = nil
	if m.checkpoint == nil {
		return nil
	}
	err := m.checkpoint.Close()
	m.checkpoint = nil
	return err
}

func rsqrt(n int) float32 { return float32(1 / math.Sqrt(float64(n))) }
