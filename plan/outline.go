package plan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cuda"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/train"
)

// An outline is a job's model on a counter, ready for passes of any size.
type outline struct {
	job     Job
	machine Machine
	dev     *counter
	model   *model.Model
	grads   *train.Gradients
	fixed   []Part       // whatever the size of a pass
	pages   int64        // idle at the ends of its pages
	scratch cuda.Scratch // that it took to make it
	trained int64
}

func open(j Job, m Machine) (*outline, error) {
	if err := j.Train.Validate(); err != nil {
		return nil, err
	}
	o := &outline{job: j, machine: m, dev: newCounter(m, j.Storage.Linears)}
	o.model = model.Outline(o.dev, j.Model, j.Storage)
	for _, f := range slices.Sorted(maps.Keys(o.dev.weights)) {
		o.add("weights "+f.String(), o.dev.weights[f])
	}
	vectors := o.dev.bytes
	if err := o.trainable(); err != nil {
		return nil, err
	}
	return o, o.optimizer(vectors)
}

func (o *outline) add(name string, bytes int64) { o.fixed = append(o.fixed, Part{name, bytes}) }

// trainable attaches the adapter or unfreezes the weights.
func (o *outline) trainable() error {
	if o.job.LoRA != nil {
		_, err := lora.Attach(o.model, *o.job.LoRA)
		return err
	}
	trains := o.job.Trains
	if trains == nil {
		trains = func(string) bool { return true }
		if o.machine.Paged { // pages of the file are given back when they are copied
			o.fixed = nil
		}
	}
	return o.model.Unfreeze(trains)
}

// optimizer counts what trains, its gradients and the optimiser's memory.
func (o *outline) optimizer(vectors int64) error {
	name := "weights in float32"
	if o.job.LoRA != nil {
		name = "adapter"
	}
	for _, p := range o.model.Params() {
		o.trained += int64(p.Value.Len())
	}
	o.add(name, 4*o.trained)
	o.add("gradients", 4*o.trained)
	opt, err := train.NewOptimizer(o.dev, o.model.Params(), o.job.Train)
	if err != nil {
		return err
	}
	if o.grads, err = train.NewGradients(o.dev, o.model.Params()); err != nil {
		return err
	}
	states, err := opt.State()
	var kept int64
	for _, s := range states {
		kept += 4*int64(s.Tensor.Len()) + int64(len(s.Bytes))
	}
	if s, ok := opt.(interface{ Scratch() int64 }); ok {
		kept += s.Scratch()
	}
	o.add("optimiser", kept)
	o.add("norms and biases", vectors)
	o.add("merged weights", o.merged())
	o.pages, o.scratch = o.dev.idle, o.dev.scratch.shared
	return err
}

// merged returns the bytes of the second set of quantised weights that
// merge-aware training keeps.
func (o *outline) merged() (n int64) {
	if o.job.Train.MergeAware == 0 {
		return 0
	}
	for f, bytes := range o.dev.weights {
		if f.Quantized() {
			n += bytes
		}
	}
	return n
}

// plan adds to what is fixed a step of so many tokens, in samples of at most
// the given length.
func (o *outline) plan(tokens, length int, keep bool) (Plan, error) {
	p := Plan{Job: o.job, Machine: o.machine, Trained: o.trained, Parts: slices.Clone(o.fixed)}
	p.Job.Train.NoRecompute = keep
	p.HostBytes = o.dev.host
	o.dev.scratch.shared, o.dev.scratch.most = o.scratch, map[int]int64{}
	before := o.dev.idle
	pass, b := o.model.NewPass(), batch(tokens, length)
	defer pass.Close()
	if err := o.step(&p, pass, b, keep); err != nil {
		return p, fmt.Errorf("plan: %w", err)
	}
	if o.job.HeldOut {
		if err := o.evaluation(&p, pass, b); err != nil {
			return p, fmt.Errorf("plan: %w", err)
		}
	}
	scratch := o.dev.scratch.bytes()
	p.add("scratch of operations", scratch+4*int64(len(o.model.Params()))) // and the norms of the gradients
	p.add("ends of pages", o.pages+o.dev.idle-before+o.dev.rest(scratch))
	p.add("tokenizer and samples", o.host())
	p.add("program", o.machine.Program)
	return p, nil
}

func (p *Plan) add(name string, bytes int64) { p.Parts = append(p.Parts, Part{name, bytes}) }

// step adds what learning from a batch takes.
func (o *outline) step(p *Plan, pass *model.Pass, b model.Batch, keep bool) error {
	tables := o.dev.bytes
	pass.Recompute = !keep
	var saved int64
	o.dev.filled = func() {
		if saved == 0 {
			saved = o.elements(pass.Arena.Used)
		}
	}
	var loss model.Loss
	if err := pass.LossGrad(b, b.CountLabels(), &loss); err != nil {
		return err
	}
	if _, err := o.grads.Norm(); err != nil {
		return err
	}
	arena := o.taken(pass)
	saved = min(saved, arena)
	name := "activations kept"
	if !keep {
		name = "block inputs kept"
	}
	p.add(name, saved)
	p.add("activations at work", arena-saved)
	p.add("tables of positions", o.dev.bytes-tables-o.elements(pass.Arena.Elements))
	return nil
}

// evaluation adds what the loss of a batch takes that is not learned from, beside
// what learning took.
func (o *outline) evaluation(p *Plan, pass *model.Pass, b model.Batch) error {
	before := o.taken(pass)
	var loss model.Loss
	err := pass.Loss(b, &loss)
	p.add("evaluation", o.taken(pass)-before)
	return err
}

// taken returns the bytes that a pass's arena takes.
func (o *outline) taken(p *model.Pass) int64 {
	if o.machine.Paged {
		return o.elements(p.Arena.Touched)
	}
	return o.elements(p.Arena.Elements)
}

// elements returns the bytes of an arena's three kinds.
func (o *outline) elements(count func(kernels.Kind) int) (n int64) {
	for _, k := range []kernels.Kind{kernels.Activation, kernels.Float32, kernels.Int32} {
		n += int64(count(k)) * o.dev.size(k)
	}
	return n
}

// tokenBytes is what the tokenizer keeps for each token of the vocabulary.
const tokenBytes = 100

// host returns the bytes of what lies on the host beside the model; a GPU has
// none of it.
func (o *outline) host() int64 {
	if !o.machine.Paged {
		return 0
	}
	return int64(o.job.Model.Vocab)*tokenBytes + o.job.Data
}

// batch lays out so many tokens in samples of the given length, all of them labelled.
func batch(tokens, length int) (b model.Batch) {
	b.Tokens, b.Labels = make([]int32, tokens), make([]int32, tokens)
	for at := 0; at < tokens; at += length {
		b.Starts = append(b.Starts, int32(at))
	}
	return b
}
