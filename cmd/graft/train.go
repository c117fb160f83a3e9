package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/train"
	"github.com/seed-5afa5581/graft/watch"
)

var trainCommand = command{
	name: "train", arguments: "--model DIR --data FILE --out DIR [flags]", summary: "train an adapter, or the whole model with --full",
	details: "Trains a LoRA adapter on records and saves it as PEFT does. Records are what graft data\n" +
		"check takes: files of any usual kind and shape, which are checked first. Without --full\n" +
		"the base stays as it is.",
	groups: trainGroups,
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		t := &training{flagSet: f}
		t.flags(f)
		return t.run
	},
}

// training is the flags of graft train.
type training struct {
	source
	data                  paths
	out, targets          string
	full, overwrite, auto bool
	clip, warmup          float64
	lora                  lora.Config
	records               records
	config                train.Config
	methods
	caring
	watching
	flagSet *flag.FlagSet // those that were given
	found   *watch.Table  // what the check of the records found, if there was one
}

func (t *training) flags(f *flag.FlagSet) {
	t.source.flags(f, "go on training the adapter in `DIR`")
	f.Var(&t.data, "data", "`PATH` of records to learn from: a file, a folder or a pattern; may be repeated")
	f.StringVar(&t.out, "out", "", "`DIR` for the adapter, or for the model with --full")
	f.BoolVar(&t.overwrite, "overwrite", false, "replace the adapter that --out holds")
	f.BoolVar(&t.full, "full", false, "train every weight instead of an adapter")
	f.IntVar(&t.lora.Rank, "rank", 16, "rank of the adapter")
	f.Float64Var(&t.lora.Alpha, "alpha", 32, "the adapter is scaled by alpha/rank")
	f.BoolVar(&t.lora.RSLoRA, "rslora", false, "scale by alpha/√rank instead")
	f.Float64Var(&t.lora.Dropout, "dropout", 0, "share of the adapter's inputs dropped in training")
	f.StringVar(&t.targets, "targets", "all-linear", "`NAMES` of the modules to adapt, comma-separated, or a regular expression between slashes")
	t.records.flags(f)
	f.IntVar(&t.config.Pack, "packing", 0, "join samples into packs of at most so many `TOKENS`, which --batch then counts")
	f.IntVar(&t.config.Epochs, "epochs", 1, "times through the records")
	f.IntVar(&t.config.Steps, "steps", 0, "optimiser steps, instead of --epochs")
	f.IntVar(&t.config.Batch, "batch", 16, "samples a step")
	f.IntVar(&t.config.MicroTokens, "micro-tokens", 2048, "tokens in memory at once")
	f.Float64Var(&t.config.LR, "lr", 0, "peak learning `rate` (2e-4; 5e-5 with lion, 0.1 with sgd; a tenth with --full)")
	f.Float64Var(&t.warmup, "warmup", 0.03, "share of the steps in which the rate rises")
	f.Float64Var(&t.clip, "clip", 1, "largest norm of the gradient; 0 for any")
	f.Float64Var(&t.config.WeightDecay, "weight-decay", 0, "weight decay, decoupled but with sgd")
	f.Float64Var(&t.config.MergeAware, "merge-aware", 0, "`SHARE` of the steps, the last ones, that train the model as merged into its quantised form; 1 for all")
	f.BoolVar(&t.config.NoRecompute, "no-recompute", false, "keep all activations: faster, more memory")
	f.BoolVar(&t.auto, "auto", false, "choose --micro-tokens and --no-recompute by the memory there is")
	f.BoolVar(&t.config.NoShuffle, "no-shuffle", false, "take the records in their order")
	f.Uint64Var(&t.config.Seed, "seed", 0, "of the adapter, the order and dropout")
	t.methods.flags(f, &t.config)
	t.caring.flags(f)
	t.watching.flags(f)
}

// settle checks the flags, before any file is read.
func (t *training) settle(args []string) error {
	if err := noArguments(args); err != nil {
		return err
	}
	for _, f := range []struct{ name, value string }{{"--model", t.model}, {"--data", t.data.String()}, {"--out", t.out}} {
		if f.value == "" {
			return usagef("%s is missing", f.name)
		}
	}
	if err := t.configure(); err != nil {
		return err
	}
	return t.checkOut()
}

// configure turns the flags into configurations and checks them.
func (t *training) configure() error {
	if t.full && t.adapter != "" {
		return usagef("--full and --adapter exclude each other: merge the adapter first")
	}
	t.config.Warmup, t.config.NoWarmup = t.warmup, t.warmup == 0
	t.config.Clip, t.config.NoClip = t.clip, t.clip == 0
	t.lora.Seed = t.config.Seed
	if pattern, ok := strings.CutPrefix(t.targets, "/"); ok {
		t.lora.Pattern = strings.TrimSuffix(pattern, "/")
	} else {
		t.lora.Targets = strings.Split(t.targets, ",")
	}
	if err := t.methods.settle(&t.config); err != nil {
		return err
	}
	if t.records.Date == "" { // what resumes this run makes the same samples another day
		if err := t.flagSet.Set("date", time.Now().Format(time.DateOnly)); err != nil {
			return err
		}
	}
	if err := errors.Join(t.lora.Validate(), t.config.Validate(), t.records.Validate()); err != nil {
		return usageError{err}
	}
	return errors.Join(t.caring.settle(), t.watching.settle())
}

// checkOut makes sure that the result can be saved, and that it takes the place
// of nothing that is wanted.
func (t *training) checkOut() error {
	if err := os.MkdirAll(t.out, 0o777); err != nil {
		return err
	}
	probe, err := os.CreateTemp(t.out, ".graft-probe-*")
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	probe.Close()
	os.Remove(probe.Name())
	if t.resume && exists(t.out, recordFile) {
		return t.checkEnded()
	}
	if exists(t.out, "adapter_model.safetensors") && !t.overwrite && !t.full {
		return fmt.Errorf("%s holds an adapter already: choose another --out or say --overwrite", t.out)
	}
	if exists(t.out, "config.json") {
		return fmt.Errorf("%s holds a model already: choose another --out", t.out)
	}
	return t.checkSnapshots()
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

func (t *training) run(ctx context.Context, s streams, args []string) error {
	if err := t.settle(args); err != nil {
		return err
	}
	if err := t.checkPlan(s); err != nil {
		return err
	}
	o, err := t.open()
	if err != nil {
		return err
	}
	defer o.close()
	set, err := t.examined(s, o.model)
	if err != nil {
		return err
	}
	defer set.Close()
	heldOut, err := t.openHeldOut(o)
	if err != nil {
		return err
	}
	r, err := t.prepare(o)
	if err != nil {
		return err
	}
	v, err := t.newViewer(ctx, s, o, set, heldOut)
	if err != nil {
		return err
	}
	defer v.close()
	job, err := train.New(o.model, set, t.config)
	if err != nil {
		return err
	}
	defer job.Close()
	care, err := t.care(s, job, heldOut, r)
	if err != nil {
		return err
	}
	t.announce(s, o.model, set, job)
	if err := v.start(ctx, job); err != nil {
		return err
	}
	return t.steps(ctx, s, job, care, r, v)
}

// A result is how what a run trains is saved.
type result struct {
	save   func() error
	config []byte // PEFT's configuration of an adapter
}

// prepare makes an adapter or the whole model trainable.
func (t *training) prepare(o opened) (r result, err error) {
	if err := t.checkFrozen(len(o.model.Blocks)); err != nil {
		return r, err
	}
	if t.full {
		return result{save: func() error { return o.model.Save(t.out) }}, o.model.Unfreeze(t.trains)
	}
	a := o.adapter
	if a == nil {
		t.lora.Layers = t.layers(len(o.model.Blocks))
		if a, err = lora.Attach(o.model, t.lora); err != nil {
			return r, err
		}
	}
	r.config, err = a.PEFTConfig()
	r.save = func() error { return a.Save(t.out) }
	return r, err
}

func (t *training) announce(s streams, m *model.Model, set *data.Set, job *train.Run) {
	trained := 0
	for _, p := range m.Params() {
		trained += p.Value.Len()
	}
	if t.quiet {
		return
	}
	fmt.Fprintf(s.err, "%s parameters of %s train on %d samples, %s tokens, in %d steps (%s)\n",
		count(trained), t.model, set.Len(), count(set.Tokens()), job.Total, m.Device.Info().Detail)
}

func (t *training) steps(ctx context.Context, s streams, job *train.Run, care train.Care, r result, v *viewer) error {
	start := time.Now()
	for e, err := range job.Events(ctx, care) {
		if errors.Is(err, context.Canceled) {
			v.end()
			return t.interrupted(s, job)
		}
		if err == nil {
			err = v.observe(ctx, e)
		}
		if err != nil {
			return t.failed(err, care)
		}
	}
	v.end()
	if err := t.finish(s, job, care, r, time.Since(start)); err != nil {
		return err
	}
	return v.finish(ctx)
}

// finish saves the result of a run that is over, and where it comes from.
func (t *training) finish(s streams, job *train.Run, care train.Care, r result, took time.Duration) error {
	from := fmt.Sprintf("after %d steps", job.Done())
	if care.Patience > 0 {
		best, err := care.Snapshots.Best(job)
		if err != nil {
			return err
		}
		if err := job.LoadWeights(best); err != nil {
			return err
		}
		from = fmt.Sprintf("from step %d of %d, the best", best.Step(), job.Done())
	}
	if t.average() {
		if err := job.SwapAverage(); err != nil {
			return err
		}
		from += ", the average of the weights"
	}
	if err := t.clearResult(); err != nil {
		return err
	}
	if err := r.save(); err != nil {
		return err
	}
	if err := t.writeProvenance(job, took); err != nil {
		return err
	}
	fmt.Fprintf(t.words(s), "%s: saved %s\n", t.out, from)
	return nil
}
