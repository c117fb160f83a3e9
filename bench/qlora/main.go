// Qlora trains adapters on one base held as it is stored and in NF4, with and
// without merge-aware steps, with one seed and the same records, and writes how
// the loss goes and what becomes of it when the adapters are merged.
//
//	qlora -model DIR -data FILE -out DIR [-steps 300] [-held 60]
//
// The last records are held out of training: the table's losses are on their
// answers. Into -out go qlora.csv, the loss of each step of each run, and
// qlora.svg, the curves of the two plain runs; the table goes to standard output.
package main

import (
	"context"
	"errors"
	"flag"
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

var (
	dir     = flag.String("model", "", "directory of the base")
	records = flag.String("data", "", "file of records")
	out     = flag.String("out", "", "directory for qlora.csv and qlora.svg")
	held    = flag.Int("held", 60, "records held out")
	config  = train.Config{Seed: 1}
)

func init() {
	flag.IntVar(&config.Steps, "steps", 300, "of each run")
	flag.IntVar(&config.Batch, "batch", 2, "samples a step")
}

func main() {
	log.SetFlags(log.Ltime)
	flag.Parse()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// runs are what is compared.
var runs = []*experiment{
	{name: "LoRA, base as stored"},
	{name: "QLoRA", nf4: true},
	{name: "QLoRA, last quarter merge-aware", nf4: true, aware: 0.25},
	{name: "QLoRA, merge-aware", nf4: true, aware: 1},
}

func run() error {
	dev, err := kernels.Open("")
	if err != nil {
		return err
	}
	defer dev.Close()
	b := &bench{dev: dev}
	if b.adapters, err = os.MkdirTemp("", "qlora-*"); err != nil {
		return err
	}
	defer os.RemoveAll(b.adapters)
	if err := b.base(); err != nil {
		return err
	}
	for _, e := range runs {
		if err := b.train(e); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		if err := b.merge(e); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		log.Print(e.row())
		if err := errors.Join(writeCSV(filepath.Join(*out, "qlora.csv")), writeSVG(filepath.Join(*out, "qlora.svg"))); err != nil {
			return err
		}
	}
	fmt.Print(table())
	return nil
}

// A bench is what the experiments share.
type bench struct {
	dev      kernels.Device
	adapters string // directory of the trained ones
}

// open opens the base, and the records in its tokens.
func (b *bench) open(nf4 bool) (m *model.Model, learned, heldOut data.List, err error) {
	var o model.Options
	if nf4 {
		o.Quantize = &quant.Config{}
	}
	if m, err = model.OpenWith(b.dev, *dir, o); err != nil {
		return nil, nil, nil, err
	}
	all, err := data.Open(*records, m.Tokenizer, data.Config{MaxLen: 512})
	if err != nil {
		return nil, nil, nil, errors.Join(err, m.Close())
	}
	defer all.Close()
	var list data.List
	for i := range all.Len() {
		list = append(list, all.Sample(i))
	}
	n := len(list) - *held
	return m, list[:n], list[n:], all.Err()
}

// base prints the losses before training.
func (b *bench) base() error {
	for _, nf4 := range []bool{false, true} {
		m, _, heldOut, err := b.open(nf4)
		if err != nil {
			return err
		}
		l, err := loss(m, heldOut)
		if err := errors.Join(err, m.Close()); err != nil {
			return err
		}
		log.Printf("before training, NF4 %v: held-out loss %.4f", nf4, l)
	}
	return nil
}

// train runs one experiment and saves its adapter.
func (b *bench) train(e *experiment) error {
	m, learned, heldOut, err := b.open(e.nf4)
	if err != nil {
		return err
	}
	defer m.Close()
	a, err := lora.Attach(m, lora.Config{Rank: 16, Alpha: 32, Seed: config.Seed})
	if err != nil {
		return err
	}
	c := config
	c.MergeAware = e.aware
	job, err := train.New(m, learned, c)
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
	if err := a.SetMergeAware(false); err != nil {
		return err
	}
	if e.adapted, err = loss(m, heldOut); err != nil {
		return err
	}
	return a.Save(b.path(e))
}

func (b *bench) path(e *experiment) string { return filepath.Join(b.adapters, e.name) }

// merge measures what each way to merge makes of an experiment's adapter.
func (b *bench) merge(e *experiment) (err error) {
	if e.dense, err = b.merged(e, false, (*lora.Adapter).Merge); err != nil {
		return err
	}
	if e.training, err = b.merged(e, true, (*lora.Adapter).MergeDense); err != nil {
		return err
	}
	e.into4, err = b.merged(e, true, (*lora.Adapter).Merge)
	return err
}

func (b *bench) merged(e *experiment, nf4 bool, merge func(*lora.Adapter) error) (float64, error) {
	m, _, heldOut, err := b.open(nf4)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	a, err := lora.Load(m, b.path(e))
	if err != nil {
		return 0, err
	}
	if err := merge(a); err != nil {
		return 0, err
	}
	return loss(m, heldOut)
}

// loss returns the mean loss of a set's labels.
func loss(m *model.Model, set data.List) (float64, error) {
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
