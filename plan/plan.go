package plan

import (
	"errors"
	"fmt"

	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/train"
)

// A Job is a training run to be planned.
type Job struct {
	Model   model.Config
	Storage model.Storage            // of the checkpoint; with Linears set where it is to be quantised
	LoRA    *lora.Config             // nil: weights of the base train
	Trains  func(tensor string) bool // which of them; nil is all
	Train   train.Config
	// MaxLen is the longest sample in tokens; 2048 if 0. The tokens in memory at
	// once are those of Train.MicroTokens or of one longest sample, if that is more.
	MaxLen int
	// HeldOut tells that the run evaluates on samples as long, too.
	HeldOut bool
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
	// HostBytes is what a GPU's job keeps on the host, of the mapped checkpoint.
	HostBytes int64
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
