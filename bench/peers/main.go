// Peers trains for some steps and prints what that took as JSON, for compare.py
// to set beside its peers:
//
//	peers -model DIR [-mode lora|qlora|full] [-device cpu] [-recompute] [-tokens 512] [-steps 6] [-data FILE -batch 4]
//
// Without -data a step is one sequence of random tokens, all labelled. With it
// the steps take the records in their order, answers labelled. The first step is
// a warm-up: seconds are those of each step after it. peak_mb is VmHWM, of the
// whole process, in millions of bytes.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"
	"runtime/debug"
	"time"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/internal/memory"
	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/quant"
	"github.com/seed-5afa5581/graft/train"
)

var (
	dir       = flag.String("model", "", "directory of the model")
	mode      = flag.String("mode", "lora", "lora, qlora or full")
	device    = flag.String("device", "", "to run on")
	recompute = flag.Bool("recompute", false, "activations")
	tokens    = flag.Int("tokens", 512, "of a step")
	steps     = flag.Int("steps", 6, "to run")
	records   = flag.String("data", "", "file of records")
	batch     = flag.Int("batch", 1, "samples a step")
)

// A result is what a process has measured.
type result struct {
	Seconds []float64 `json:"seconds"` // of each step but the first
	Tokens  []int     `json:"tokens"`  // in them
	Loss    float64   `json:"loss"`    // of the last
	PeakMB  int64     `json:"peak_mb"`
}

func main() {
	log.SetFlags(0)
	flag.Parse()
	r, err := measure()
	if err != nil {
		log.Fatal(err)
	}
	json.NewEncoder(os.Stdout).Encode(r)
}

func measure() (r result, err error) {
	debug.SetGCPercent(10) // as graft has it
	dev, err := kernels.Open(*device)
	if err != nil {
		return r, err
	}
	defer dev.Close()
	m, err := open(dev)
	if err != nil {
		return r, err
	}
	defer m.Close()
	set, err := samples(m)
	if err != nil {
		return r, err
	}
	job, err := train.New(m, set, train.Config{Steps: *steps, Batch: *batch, NoShuffle: true, NoRecompute: !*recompute})
	if err != nil {
		return r, err
	}
	defer job.Close()
	start := time.Now()
	for step, err := range job.Steps(context.Background()) {
		if err != nil {
			return r, err
		}
		if step.N > 1 {
			r.Seconds, r.Tokens = append(r.Seconds, time.Since(start).Seconds()), append(r.Tokens, step.Tokens)
		}
		r.Loss, start = step.Loss, time.Now()
	}
	r.PeakMB = memory.Peak() / 1e6
	return r, nil
}

// open opens the model, with what is to train.
func open(dev kernels.Device) (*model.Model, error) {
	var o model.Options
	if *mode == "qlora" {
		o.Quantize = &quant.Config{}
	}
	m, err := model.OpenWith(dev, *dir, o)
	if err != nil {
		return nil, err
	}
	if *mode == "full" {
		return m, m.Unfreeze(func(string) bool { return true })
	}
	_, err = lora.Attach(m, lora.Config{Rank: 16, Alpha: 32})
	return m, err
}

func samples(m *model.Model) (train.Set, error) {
	if *records != "" {
		return data.Open(*records, m.Tokenizer, data.Config{})
	}
	ids, r := make([]int32, *tokens), random.New(1, random.Shuffle, 0)
	for i := range ids {
		ids[i] = int32(r.Intn(m.Config.Vocab))
	}
	return data.List{{Tokens: ids, Labels: ids, Source: "random"}}, nil
}
