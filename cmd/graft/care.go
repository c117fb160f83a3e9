package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/train"
)

// caring is the flags of graft train for runs that nobody watches.
type caring struct {
	saveEvery, keep, evaluateEvery, patience int
	saveAfter                                time.Duration
	heldOut                                  string
	minGain                                  float64
	resume, noSnapshots                      bool
}

func (c *caring) flags(f *flag.FlagSet) {
	f.BoolVar(&c.resume, "resume", false, "go on from the newest snapshot in --out; start if there is none")
	f.IntVar(&c.saveEvery, "save-every", 0, "steps between snapshots, besides --save-after")
	f.DurationVar(&c.saveAfter, "save-after", 5*time.Minute, "`TIME` between snapshots; 0 for none by time")
	f.IntVar(&c.keep, "keep", 2, "snapshots to keep, besides the best")
	f.BoolVar(&c.noSnapshots, "no-snapshots", false, "write none, not even when interrupted")
	f.StringVar(&c.heldOut, "eval", "", "`FILE` of records to evaluate on")
	f.IntVar(&c.evaluateEvery, "eval-every", 0, "steps between evaluations; 0: at the end alone")
	f.IntVar(&c.patience, "patience", 0, "stop after so many evaluations that are not better, and keep the best; 0: never")
	f.Float64Var(&c.minGain, "min-gain", 0, "by how much of the loss an evaluation is better")
}

func (c *caring) settle() error {
	switch {
	case c.saveEvery < 0 || c.saveAfter < 0 || c.keep < 1 || c.evaluateEvery < 0 || c.patience < 0 || c.minGain < 0:
		return usagef("--save-every, --save-after, --eval-every, --patience and --min-gain must not be negative, --keep must be positive")
	case c.patience > 0 && (c.heldOut == "" || c.evaluateEvery == 0):
		return usagef("--patience needs --eval and --eval-every")
	case c.noSnapshots && (c.resume || c.patience > 0):
		return usagef("--no-snapshots excludes --resume and --patience")
	case c.evaluateEvery > 0 && c.heldOut == "":
		return usagef("--eval-every needs --eval")
	}
	return nil
}

func (t *training) snapshots() string { return filepath.Join(t.out, "snapshots") }

// checkSnapshots makes sure that no other run's are lost or taken for this one's.
func (t *training) checkSnapshots() error {
	if t.resume {
		return nil
	}
	entries, err := os.ReadDir(t.snapshots())
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return err
	case !t.overwrite:
		return fmt.Errorf("%s holds snapshots of a run: go on with it by --resume, or say --overwrite", t.out)
	}
	return os.RemoveAll(t.snapshots())
}

// openHeldOut reads the records to evaluate on, if there are any.
func (t *training) openHeldOut(o opened) (*data.Set, error) {
	if t.heldOut == "" {
		return nil, nil
	}
	return data.Open(t.heldOut, o.model.Tokenizer, t.records.evaluation())
}

// checkEnded makes sure that there is something to go on with.
func (t *training) checkEnded() error {
	if exists(t.out, train.ProvenanceFile) {
		return fmt.Errorf("the run in %s has ended: graft verify %s checks its result", t.out, quoted(t.out))
	}
	return nil
}

// clearResult takes away what a run that was killed while it saved a model has
// left of it; an adapter's files are replaced as they are.
func (t *training) clearResult() error {
	if !t.resume || !t.full {
		return nil
	}
	left, err := filepath.Glob(filepath.Join(t.out, "model*.safetensors*"))
	for _, name := range append(left, filepath.Join(t.out, "config.json")) {
		if fault := os.Remove(name); !errors.Is(fault, fs.ErrNotExist) {
			err = errors.Join(err, fault)
		}
	}
	return err
}

// failed adds to an error that ended a run where to go on from.
func (t *training) failed(err error, c train.Care) error {
	if c.Snapshots == nil {
		return err
	}
	last, _, fault := c.Snapshots.Newest()
	if fault != nil {
		return err
	}
	return fmt.Errorf("%w\nThe last snapshot holds %d steps; graft resume %s goes on from it", err, last.Step(), quoted(t.out))
}

// care prepares snapshots and evaluation, and takes the run to where its newest
// snapshot was.
func (t *training) care(s streams, job *train.Run, heldOut *data.Set, r result) (c train.Care, err error) {
	c = train.Care{EvaluateEvery: t.evaluateEvery, Patience: t.patience, MinGain: t.minGain}
	if heldOut != nil {
		c.HeldOut = heldOut
	}
	if t.noSnapshots {
		return c, nil
	}
	c.SaveEvery, c.SaveAfter = t.saveEvery, t.saveAfter
	c.Snapshots = &train.Snapshots{Dir: t.snapshots(), Keep: t.keep}
	if r.config != nil {
		c.Snapshots.Weights, c.Snapshots.Beside = "adapter_model.safetensors", map[string][]byte{"adapter_config.json": r.config}
	}
	if err := t.record(); err != nil {
		return c, err
	}
	if _, err := job.Origin(); err != nil { // read now, not when an interruption waits for a snapshot
		return c, err
	}
	if !t.resume {
		return c, nil
	}
	return c, t.goOn(s, c.Snapshots, job)
}

// goOn resumes from the newest whole snapshot, if there is one.
func (t *training) goOn(s streams, shots *train.Snapshots, job *train.Run) error {
	newest, faults, err := shots.Newest()
	for _, f := range faults {
		fmt.Fprintf(s.err, "passed over: %v\n", f)
	}
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(s.err, "%s holds no snapshot: the run starts at its beginning\n", t.out)
		return nil
	}
	if err != nil {
		return err
	}
	if err := job.Resume(newest); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "resumed from %s\n", newest.Path)
	return nil
}

// interrupted tells how to go on with a run that was stopped.
func (t *training) interrupted(s streams, job *train.Run) error {
	if t.noSnapshots {
		fmt.Fprintf(s.err, "interrupted after %d of %d steps; nothing is saved\n", job.Done(), job.Total)
		return nil
	}
	fmt.Fprintf(t.words(s), "interrupted after %d of %d steps; go on with\n\n  graft resume %s\n", job.Done(), job.Total, quoted(t.out))
	return nil
}
