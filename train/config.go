package train

import (
	"errors"
	"fmt"
	"math"
)

// Config says how to train. The zero value trains adapters well.
type Config struct {
	Optimizer   Algorithm
	LR          float64 // peak learning rate; 2e-4 if 0, with Lion 5e-5, with SGD 0.1; a tenth when weights of the base train
	Rates       []Rate  // multiples of it for some parameters; LoRA+ is {".lora_B.", 16}
	Schedule    Schedule
	Cycles      int     // of CosineRestarts; 2 if 0
	Decay       float64 // share of the steps in which WSD falls; 0.2 if 0
	Warmup      float64 // share of the steps in which the rate rises to LR; 0.03 if 0
	NoWarmup    bool
	Epochs      int     // times through the set; 1 if 0
	Steps       int     // optimiser steps, instead of Epochs
	Batch       int     // samples a step; 16 if 0
	BatchTokens int     // or as many samples a step as have at most so many tokens; a longer one alone
	Pack        int     // join samples into packs of at most so many tokens, which a batch then counts; 0 for none
	MicroTokens int     // tokens in memory at once, a longer sample alone; 2048 if 0
	Clip        float64 // largest global norm of the gradient; 1 if 0
	NoClip      bool
	Beta1       float64 // 0.9 if 0
	Beta2       float64 // 0.999 if 0, with Lion 0.99
	Eps         float64 // 1e-8 if 0
	WeightDecay float64 // of every parameter; decoupled but with SGD
	Average     float64 // decay of the running average of what trains, such as 0.999; 0 for none
	Smoothing   float64 // label smoothing: share of the target's probability that all tokens split
	Penalty     float64 // weight of the squared logarithm of softmax's denominator (z-loss), such as 1e-4
	Noise       float64 // NEFTune's alpha, the size of noise on the embeddings, such as 5
	MergeAware  float64 // share of the steps, the last ones, that train the merged, quantised model: lora.Adapter.SetMergeAware
	NoShuffle   bool    // take the samples in their order
	NoRecompute bool    // keep all activations instead of computing them again
	Seed        uint64  // order of samples and dropout
}

func (c Config) withDefaults(base bool) Config {
	set := func(v *float64, otherwise float64) {
		if *v == 0 {
			*v = otherwise
		}
	}
	set(&c.LR, c.Optimizer.peak(base))
	set(&c.Decay, 0.2)
	set(&c.Warmup, 0.03)
	set(&c.Clip, 1)
	set(&c.Beta1, 0.9)
	if c.Optimizer == ByLion {
		set(&c.Beta2, 0.99)
	}
	set(&c.Beta2, 0.999)
	set(&c.Eps, 1e-8)
	if c.NoWarmup {
		c.Warmup = 0
	}
	if c.NoClip {
		c.Clip = 0
	}
	for _, n := range []struct {
		v         *int
		otherwise int
	}{{&c.Epochs, 1}, {&c.Batch, 16}, {&c.Cycles, 2}, {&c.MicroTokens, 2048}} {
		if *n.v == 0 {
			*n.v = n.otherwise
		}
	}
	return c
}

// Validate reports every value that means nothing.
func (c Config) Validate() error {
	c = c.withDefaults(false)
	var faults []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("train: "+format, args...))
		}
	}
	must(c.LR > 0 && !math.IsInf(c.LR, 0), "learning rate %v: must be positive", c.LR)
	must(int(c.Schedule) < len(scheduleNames), "unknown schedule %d", uint8(c.Schedule))
	must(c.Cycles > 0, "%d cycles: must be positive", c.Cycles)
	must(c.Decay > 0 && c.Decay <= 1, "decay %v: is a share of the steps, between 0 and 1", c.Decay)
	must(int(c.Optimizer) < len(algorithmNames), "unknown optimiser %d", uint8(c.Optimizer))
	must(c.Warmup >= 0 && c.Warmup <= 1, "warmup %v: is a share of the steps, between 0 and 1", c.Warmup)
	must(c.Epochs > 0, "%d epochs: must be positive", c.Epochs)
	must(c.Steps >= 0, "%d steps: must not be negative", c.Steps)
	must(c.Batch > 0, "batch of %d samples: must be positive", c.Batch)
	must(c.Pack >= 0, "packs of %d tokens: must not be negative", c.Pack)
	must(c.BatchTokens >= 0, "batch of %d tokens: must not be negative", c.BatchTokens)
	must(c.MicroTokens > 0, "%d tokens at once: must be positive", c.MicroTokens)
	must(c.Clip >= 0, "clipping at %v: must not be negative", c.Clip)
	must(c.Beta1 >= 0 && c.Beta1 < 1 && c.Beta2 >= 0 && c.Beta2 < 1, "betas %v and %v: must lie between 0 and 1", c.Beta1, c.Beta2)
	must(c.Eps > 0, "eps %v: must be positive", c.Eps)
	for _, r := range c.Rates {
		must(r.Times >= 0 && finite(r.Times) && r.Match != "", "%v times the rate for parameters %q: must not be negative, and name parameters", r.Times, r.Match)
	}
	must(c.Smoothing >= 0 && c.Smoothing < 1, "label smoothing %v: must be at least 0 and less than 1", c.Smoothing)
	must(c.Penalty >= 0 && finite(c.Penalty), "penalty %v: must not be negative", c.Penalty)
	must(c.Noise >= 0 && finite(c.Noise), "noise %v: must not be negative", c.Noise)
	must(c.Average >= 0 && c.Average < 1, "average that keeps %v: must be at least 0 and less than 1", c.Average)
	must(c.WeightDecay >= 0, "weight decay %v: must not be negative", c.WeightDecay)
	must(c.MergeAware >= 0 && c.MergeAware <= 1, "merge-aware %v: is a share of the steps, between 0 and 1", c.MergeAware)
	return errors.Join(faults...)
}
