// Quickstart teaches a tiny model of children's stories to talk like a pirate.
//
// It trains a LoRA adapter on 32 stories, shows the same prompt before and
// after, saves the adapter, loads it again, merges it, and checks that the merged
// model computes what the adapted one does. Model and stories are embedded.
package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log"
	"math"
	"os"
	"os/signal"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/train"
)

//go:embed model
var files embed.FS

//go:embed pirates.jsonl
var stories []byte

const (
	prompt = "Once upon a time"
	out    = "quickstart-adapter"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	dev, err := kernels.Open("")
	if err != nil {
		return err
	}
	defer dev.Close()
	m, err := open(dev)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := tell(ctx, "before", m); err != nil {
		return err
	}
	adapter, err := lora.Attach(m, lora.Config{Base: "stories260K"})
	if err != nil {
		return err
	}
	if err := learn(ctx, m); err != nil {
		return err
	}
	if err := tell(ctx, "after", m); err != nil {
		return err
	}
	if err := adapter.Save(out); err != nil {
		return err
	}
	fmt.Printf("\nsaved in %s\n", out)
	return prove(dev)
}

func open(dev kernels.Device) (*model.Model, error) {
	dir, err := fs.Sub(files, "model")
	if err != nil {
		return nil, err
	}
	return model.OpenFS(dev, dir)
}

// learn trains what was attached to m.
func learn(ctx context.Context, m *model.Model) error {
	set, err := data.Parse("pirates.jsonl", stories, m.Tokenizer, data.Config{})
	if err != nil {
		return err
	}
	job, err := train.New(m, set, train.Config{LR: 5e-3, Epochs: 8, Batch: 8})
	if err != nil {
		return err
	}
	fmt.Printf("\n%d stories, %d tokens, %d steps\n", set.Len(), set.Tokens(), job.Total)
	for step, err := range job.Steps(ctx) {
		if err != nil {
			return err
		}
		if step.N%8 == 0 || step.N == 1 {
			fmt.Printf("step %2d  loss %.3f  %6.0f tok/s\n", step.N, step.Loss, step.TokensPerSec)
		}
	}
	return nil
}

func tell(ctx context.Context, when string, m *model.Model) error {
	text, err := m.GenerateText(ctx, prompt, model.Generation{MaxTokens: 120})
	if err == nil {
		fmt.Printf("%s: %s%s\n", when, prompt, text)
	}
	return err
}

// prove loads the adapter on a fresh model, merges it, and compares the logits
// before and after.
func prove(dev kernels.Device) error {
	m, err := open(dev)
	if err != nil {
		return err
	}
	defer m.Close()
	adapter, err := lora.Load(m, out)
	if err != nil {
		return err
	}
	pass, batch := m.NewPass(), model.Batch{Tokens: m.Tokenizer.Encode(prompt), Starts: []int32{0}}
	defer pass.Close()
	adapted, err := pass.Logits(batch)
	if err != nil {
		return err
	}
	if err := adapter.Merge(); err != nil {
		return err
	}
	merged, err := pass.Logits(batch)
	if err != nil {
		return err
	}
	worst := 0.0
	for i := range merged {
		worst = max(worst, math.Abs(float64(merged[i]-adapted[i])))
	}
	if !(worst < 1e-3) {
		return fmt.Errorf("merged and adapted logits differ by %g", worst)
	}
	fmt.Printf("loaded and merged: logits agree within %.1g\n", worst)
	return nil
}
