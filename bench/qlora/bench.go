package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/quant"
	"github.com/seed-5afa5581/graft/train"
)

// A bench is what the experiments share.
type bench struct {
	dev    kernels.Device
	merged string // directory for a merged model
}

// open opens a model, quantised as c says, if it says anything.
func (b *bench) open(dir string, c *quant.Config) (*model.Model, error) {
	return model.OpenWith(b.dev, dir, model.Options{Quantize: c})
}

// sets returns the records in the tokens of m: those to learn from, and those
// held out.
func sets(m *model.Model) (learned, heldOut data.List, err error) {
	all, err := data.Open(*records, m.Tokenizer, data.Config{MaxLen: 512})
	if err != nil {
		return nil, nil, err
	}
	defer all.Close()
	var list data.List
	for i := range all.Len() {
		list = append(list, all.Sample(i))
	}
	n := len(list) - *held
	return list[:n], list[n:], all.Err()
}

func (e *experiment) path() string { return filepath.Join(*adapters, e.name) }

// train runs one experiment and saves its adapter and curve, if that was not
// done before.
func (b *bench) train(e *experiment) error {
	curve := filepath.Join(e.path(), "losses.json")
	if text, err := os.ReadFile(curve); err == nil {
		return json.Unmarshal(text, &e.curve)
	}
	m, err := b.open(*dir, e.base)
	if err != nil {
		return err
	}
	defer m.Close()
	learned, _, err := sets(m)
	if err != nil {
		return err
	}
	a, err := lora.Attach(m, lora.Config{Rank: 16, Alpha: 32, Seed: config.Seed})
	if err != nil {
		return err
	}
	if err := e.run(m, learned); err != nil {
		return err
	}
	text, err := json.Marshal(e.curve)
	return errors.Join(err, a.Save(e.path()), os.WriteFile(curve, text, 0o666))
}

func (e *experiment) run(m *model.Model, set data.List) error {
	c := config
	c.MergeAware, c.LR = e.aware, e.rate
	job, err := train.New(m, set, c)
	if err != nil {
		return err
	}
	defer job.Close()
	for step, err := range job.Steps(context.Background()) {
		if err != nil {
			return err
		}
		e.curve = append(e.curve, step.Loss)
		if step.N%25 == 0 {
			log.Printf("%s: step %d  loss %.4f  %.0f tok/s", e.name, step.N, step.Loss, step.TokensPerSec)
		}
	}
	return nil
}

// base prints the losses of the base itself.
func (b *bench) base() error {
	for name, c := range map[string]*quant.Config{"as stored": nil, "nf4": nf4, "int8": int8s} {
		l, err := b.lossOf(*dir, c)
		if err != nil {
			return err
		}
		fmt.Printf("base, %s: %.4f\n", name, l)
	}
	return nil
}

// measure evaluates an experiment's adapter on its base, and merged each way.
func (b *bench) measure(e *experiment) error {
	var errs []error
	eval := func(loss *float64, base *quant.Config, merge func(*lora.Adapter) error) {
		var err error
		*loss, err = b.eval(e, base, merge)
		errs = append(errs, err)
	}
	eval(&e.adapted, e.base, func(*lora.Adapter) error { return nil })
	eval(&e.training, e.quantized(), (*lora.Adapter).MergeDense)
	eval(&e.again, e.quantized(), (*lora.Adapter).Merge)
	eval(&e.dense, nil, (*lora.Adapter).Merge)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var err error
	e.denseAgain, err = b.lossOf(b.merged, e.quantized())
	return err
}

// eval merges an adapter into the base and returns the loss. It leaves a merged
// dense base behind, as a checkpoint.
func (b *bench) eval(e *experiment, base *quant.Config, merge func(*lora.Adapter) error) (float64, error) {
	m, err := b.open(*dir, base)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	a, err := lora.Load(m, e.path())
	if err != nil {
		return 0, err
	}
	if err := merge(a); err != nil {
		return 0, err
	}
	if base == nil && m.Blocks[0].MLP.Up.Delta == nil {
		if err := errors.Join(os.RemoveAll(b.merged), m.Save(b.merged)); err != nil {
			return 0, err
		}
	}
	return loss(m)
}

func (b *bench) lossOf(dir string, c *quant.Config) (float64, error) {
	m, err := b.open(dir, c)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	return loss(m)
}

// loss returns the mean loss of the labels held out.
func loss(m *model.Model) (float64, error) {
	_, set, err := sets(m)
	if err != nil {
		return 0, err
	}
	p := m.NewPass()
	defer p.Close()
	var sum model.Loss
	for _, s := range set {
		if err := p.Loss(model.Batch{Tokens: s.Tokens, Labels: s.Labels, Starts: []int32{0}}, &sum); err != nil {
			return 0, err
		}
	}
	return sum.Mean(), nil
}
