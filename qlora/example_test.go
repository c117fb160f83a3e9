package qlora_test

import (
	"context"
	"log"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/qlora"
	"github.com/seed-5afa5581/graft/train"
)

// An adapter trained on a base in 4 bits, to be merged into it and quantised
// again.
func Example() {
	dev, err := kernels.Open("")
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	m, adapter, err := qlora.Open(dev, "SmolLM2-135M", qlora.Config{Config: lora.Config{Rank: 16}})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	set, err := data.Open("help.jsonl", m.Tokenizer, data.Config{MaxLen: 1024})
	if err != nil {
		log.Fatal(err)
	}
	run, err := train.New(m, set, train.Config{MergeAware: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	for step, err := range run.Steps(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		log.Printf("step %d  loss %.4f", step.N, step.Loss)
	}
	if err := adapter.Save("help-adapter"); err != nil {
		log.Fatal(err)
	}
}
