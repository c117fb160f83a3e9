package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/train"
)

// A Job is a training run to be planned.
type Job struct {
	Model   model.Config
	Storage model.Storage // of the checkpoint; with Linears set where it is to be quantised
	LoRA    *lora.Config  // nil: every weight trains
	Train   train.Config
	// MaxLen is the longest sample in tokens; 2048 if 0. The tokens in memory at
	// once are those of Train.MicroTokens or of one longest sample, if that is more.
	MaxLen int
	// Data is the bytes of samples in memory, if they are known.
	Data int64
}

// Tokens returns how many tokens are in memory at once at most.
func (j Job) Tokens() int {
	micro, batch := j.Train.MicroTokens, j.Train.Batch
	if micro == 0 {
		micro = 2048
	}
	if batch == 0 {
		batch = 16
	}
	if j.Train.BatchTokens > 0 {
		return max(micro, j.maxLen())
	}
	return min(max(micro, j.maxLen()), batch*max(j.maxLen(), j.Train.Pack))
}

// maxLen returns the longest sample that there can be.
func (j Job) maxLen() int {
	n := j.MaxLen
	if n == 0 {
		n = 2048
	}
	return min(n, j.Model.MaxPositions)
}

// A Part is one line of a plan.
type Part struct {
	Name  string
	Bytes int64
}

// A Plan is how much memory a job takes on a machine.
type Plan struct {
	Job     Job
	Machine Machine
	Parts   []Part
	Trained int64 // parameters that train
}

// Total returns the bytes of all parts: the peak.
func (p Plan) Total() (n int64) {
	for _, x := range p.Parts {
		n += x.Bytes
	}
	return n
}

// Fits reports whether the machine has as much free; a machine that does not
// tell is taken to.
func (p Plan) Fits() bool { return p.Machine.Free == 0 || p.Total() <= p.Machine.Free }

// ErrNoRoom is what Check returns for a plan that does not fit.
var ErrNoRoom = errors.New("plan: the job does not fit into memory")

// Check returns ErrNoRoom, with numbers and what would help, unless the plan fits.
func (p Plan) Check() error {
	if p.Fits() {
		return nil
	}
	return fmt.Errorf("%w: it takes %s, %s has %s free: %s", ErrNoRoom, Bytes(p.Total()), p.Machine.Name, Bytes(p.Machine.Free), p.advice())
}

// New plans a job. It takes as long as the job's configuration has layers, not
// as its weights have elements.
func New(j Job, m Machine) (Plan, error) {
	o, err := open(j, m)
	if err != nil {
		return Plan{}, err
	}
	return o.plan(j.Tokens(), j.maxLen(), j.Train.NoRecompute)
}

// An outline is a job's model on a counter, ready for passes of any size.
type outline struct {
	job     Job
	machine Machine
	dev     *counter
	model   *model.Model
	fixed   []Part // whatever the size of a pass
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
	if o.machine.Paged { // pages of the file are given back when they are copied
		o.fixed = nil
	}
	return o.model.Unfreeze(func(string) bool { return true })
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
	states, err := opt.State()
	var kept int64
	for _, s := range states {
		kept += 4*int64(s.Tensor.Len()) + int64(len(s.Bytes))
	}
	o.add("optimiser", kept)
	o.add("norms and biases", vectors)
	return err
}

// plan runs a step of so many tokens, in samples of at most the given length.
func (o *outline) plan(tokens, length int, keep bool) (Plan, error) {
	pass := o.model.NewPass()
	pass.Recompute = !keep
	tables := o.dev.bytes
	var saved int64
	o.dev.headBegins = func() {
		if saved == 0 {
			saved = o.elements(pass.Arena.Used)
		}
	}
	o.dev.scratch.most = map[int]int64{}
	b := batch(tokens, length)
	var loss model.Loss
	if err := pass.LossGrad(b, b.CountLabels(), &loss); err != nil {
		return Plan{}, fmt.Errorf("plan: %w", err)
	}
	count := pass.Arena.Elements
	if o.machine.Paged {
		count = pass.Arena.Touched
	}
	arena := o.elements(count)
	saved = min(saved, arena)
	pass.Close()
	p := Plan{Job: o.job, Machine: o.machine, Trained: o.trained, Parts: slices.Clone(o.fixed)}
	p.Job.Train.NoRecompute = keep
	name := "activations kept"
	if !keep {
		name = "block inputs kept"
	}
	p.Parts = append(p.Parts,
		Part{name, saved}, Part{"activations at work", arena - saved}, Part{"tables of positions", o.dev.bytes - tables},
		Part{"scratch of operations", o.dev.scratch.bytes()}, Part{"tokenizer and samples", o.host()}, Part{"program", o.machine.Program})
	return p, nil
}

// elements returns the bytes of an arena's three kinds.
func (o *outline) elements(count func(kernels.Kind) int) int64 {
	n := int64(0)
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
