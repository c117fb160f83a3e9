// Step-memory measures a model's training steps on random tokens: the time and the
// peak of resident memory (VmHWM, Linux), beside what package plan says of it.
//
//	step-memory -model DIR [-quantize] [-full] [-tokens 512] [-rank 16] [-steps 3] [-recompute=false] [-optimizer adamw8bit]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/internal/memory"
	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/plan"
	"github.com/seed-5afa5581/graft/quant"
	"github.com/seed-5afa5581/graft/train"
)

var (
	dir       = flag.String("model", "", "directory of the model")
	quantize  = flag.String("quantize", "", "hold the base in nf4, fp4 or int8")
	full      = flag.Bool("full", false, "train every weight")
	tokens    = flag.Int("tokens", 512, "tokens of a step, all labelled")
	rank      = flag.Int("rank", 16, "of the adapter")
	steps     = flag.Int("steps", 3, "to run")
	optimizer = flag.String("optimizer", "adamw", "adamw or adamw8bit")
	recompute = flag.Bool("recompute", true, "activations")
	device    = flag.String("device", "", "to run on")
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	debug.SetGCPercent(10) // as graft has it
	planned, err := planned()
	if err != nil {
		return err
	}
	dev, err := kernels.Open(*device)
	if err != nil {
		return err
	}
	defer dev.Close()
	how, err := quantization()
	if err != nil {
		return err
	}
	start := time.Now()
	m, err := model.OpenWith(dev, *dir, model.Options{Quantize: how})
	if err != nil {
		return err
	}
	defer m.Close()
	fmt.Printf("opened in %.2f s, peak %d MB\n", time.Since(start).Seconds(), peak())
	if *full {
		err = m.Unfreeze(func(string) bool { return true })
	} else {
		_, err = lora.Attach(m, lora.Config{Rank: *rank})
	}
	if err != nil {
		return err
	}
	c, err := config()
	if err != nil {
		return err
	}
	job, err := train.New(m, set(m), c)
	if err != nil {
		return err
	}
	for step, err := range job.Steps(context.Background()) {
		if err != nil {
			return err
		}
		fmt.Printf("step %d  loss %.4f  %.1f tok/s  peak %d MB\n", step.N, step.Loss, step.TokensPerSec, peak())
	}
	is := peak()
	fmt.Printf("planned %d MB, measured %d MB: %+.1f %%\n", planned, is, 100*(float64(planned)/float64(is)-1))
	return nil
}

// planned writes the plan and returns its megabytes.
func planned() (int, error) {
	text, err := os.ReadFile(filepath.Join(*dir, "config.json"))
	if err != nil {
		return 0, err
	}
	j := plan.Job{MaxLen: *tokens}
	if j.Train, err = config(); err != nil {
		return 0, err
	}
	if j.Model, err = model.ParseConfig(text); err != nil {
		return 0, err
	}
	if j.Storage, err = model.ParseStorage(text); err != nil {
		return 0, err
	}
	how, err := quantization()
	if err != nil {
		return 0, err
	}
	if how != nil {
		j.Storage.Linears = how
	}
	if !*full {
		j.LoRA = &lora.Config{Rank: *rank}
	}
	p, err := plan.New(j, plan.CPU(0))
	if err != nil {
		return 0, err
	}
	return int(p.Total() / 1e6), p.Write(os.Stdout)
}

// quantization returns how to quantise the base, nil for not at all.
func quantization() (*quant.Config, error) {
	if *quantize == "" {
		return nil, nil
	}
	t, err := quant.ParseType(*quantize)
	return &quant.Config{Type: t}, err
}

func config() (train.Config, error) {
	c := train.Config{Steps: *steps, Batch: 1, MicroTokens: *tokens, NoRecompute: !*recompute}
	return c, c.Optimizer.UnmarshalText([]byte(*optimizer))
}

func set(m *model.Model) data.List {
	ids, r := make([]int32, *tokens), random.New(1, random.Shuffle, 0)
	for i := range ids {
		ids[i] = int32(r.Intn(m.Config.Vocab))
	}
	return data.List{{Tokens: ids, Labels: ids, Source: "random"}}
}

// peak returns the megabytes that were resident at most.
func peak() int { return int(memory.Peak() / 1e6) }
