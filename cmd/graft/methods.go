package main

import (
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-5afa5581/graft/train"
)

// methods is the flags of graft train for how the loop learns. Most runs need
// none of them.
type methods struct {
	config *train.Config
	plus   float64
	frozen int
}

func (m *methods) flags(f *flag.FlagSet, c *train.Config) {
	m.config = c
	f.TextVar(&c.Optimizer, "optimizer", train.ByAdamW, "adamw, adamw8bit (moments in a quarter of the memory), adafactor, lion or sgd")
	f.TextVar(&c.Schedule, "schedule", train.Cosine, "cosine, linear, constant, cosine-restarts, wsd or inverse-sqrt")
	f.IntVar(&c.Cycles, "cycles", 2, "cosines of cosine-restarts")
	f.Float64Var(&c.Decay, "decay", 0.2, "`SHARE` of the steps, the last ones, in which wsd falls")
	f.IntVar(&c.BatchTokens, "batch-tokens", 0, "tokens a step, instead of --batch")
	f.Float64Var(&m.plus, "lora-plus", 0, "B of the adapter learns at so many `TIMES` the rate (LoRA+), such as 16")
	f.Float64Var(&c.Noise, "neftune", 0, "`SIZE` of noise on the embeddings (NEFTune's alpha), such as 5")
	f.Float64Var(&c.Average, "average", 0, "save the running average of the weights, which keeps this `SHARE` of itself each step, such as 0.999")
	f.Float64Var(&c.Smoothing, "label-smoothing", 0, "`SHARE` of each label's probability that all tokens split")
	f.Float64Var(&c.Penalty, "z-loss", 0, "`WEIGHT` of the squared logarithm of softmax's denominator, such as 1e-4")
	f.IntVar(&m.frozen, "freeze-layers", 0, "lowest `LAYERS` that stay as they are; with --full the embedding too")
}

func (m *methods) settle(c *train.Config) error {
	if m.frozen < 0 || m.plus < 0 {
		return usagef("--freeze-layers and --lora-plus must not be negative")
	}
	if m.plus > 0 {
		c.Rates = []train.Rate{{Match: ".lora_B.", Times: m.plus}}
	}
	return nil
}

// average reports whether what is saved is an average.
func (m *methods) average() bool { return m.config.Average > 0 }

// checkFrozen makes sure that something is left to train of so many layers.
func (m *methods) checkFrozen(layers int) error {
	if m.frozen >= layers {
		return fmt.Errorf("--freeze-layers %d: the model has %d layers", m.frozen, layers)
	}
	return nil
}

// layers numbers those of so many that an adapter goes on; nil is all.
func (m *methods) layers(of int) (list []int) {
	if m.frozen == 0 {
		return nil
	}
	for i := m.frozen; i < of; i++ {
		list = append(list, i)
	}
	return list
}

// trains reports whether a tensor of the model trains with --full.
func (m *methods) trains(name string) bool {
	if m.frozen == 0 {
		return true
	}
	rest, layer := strings.CutPrefix(name, "model.layers.")
	if !layer {
		return name != "model.embed_tokens.weight"
	}
	number, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	return err != nil || n >= m.frozen
}
