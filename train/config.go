package train

import (
	"errors"
	"fmt"
	"math"
)

// A Schedule says how the learning rate goes after warmup.
type Schedule uint8

const (
	Cosine   Schedule = iota // half a cosine down to 0
	Linear                   // a line down to 0
	Constant                 // no change
)

var scheduleNames = []string{"cosine", "linear", "constant"}

// String returns the schedule's name.
func (s Schedule) String() string { return scheduleNames[s] }

// MarshalText returns the schedule's name.
func (s Schedule) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads cosine, linear or constant.
func (s *Schedule) UnmarshalText(name []byte) error {
	for i, n := range scheduleNames {
		if n == string(name) {
			*s = Schedule(i)
			return nil
		}
	}
	return fmt.Errorf("train: schedule %q: graft knows cosine, linear and constant", name)
}

// Config says how to train. The zero value trains adapters well.
type Config struct {
	Optimizer   Algorithm
	LR          float64 // peak learning rate; 2e-4 if 0, or 2e-5 when weights of the base train
	Schedule    Schedule
	Warmup      float64 // share of the steps in which the rate rises to LR; 0.03 if 0
	NoWarmup    bool
	Epochs      int     // times through the set; 1 if 0
	Steps       int     // optimiser steps, instead of Epochs
	Batch       int     // samples a step; 16 if 0
	MicroTokens int     // tokens in memory at once, a longer sample alone; 2048 if 0
	Clip        float64 // largest global norm of the gradient; 1 if 0
	NoClip      bool
	Beta1       float64 // 0.9 if 0
	Beta2       float64 // 0.999 if 0
	Eps         float64 // 1e-8 if 0
	WeightDecay float64 // decoupled, of every parameter
	MergeAware  float64 // share of the steps, the last ones, that train the merged 4-bit model: lora.Adapter.SetMergeAware
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
	lr := 2e-4
	if base {
		lr = 2e-5
	}
	set(&c.LR, lr)
	set(&c.Warmup, 0.03)
	set(&c.Clip, 1)
	set(&c.Beta1, 0.9)
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
	}{{&c.Epochs, 1}, {&c.Batch, 16}, {&c.MicroTokens, 2048}} {
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
	must(int(c.Optimizer) < len(algorithmNames), "unknown optimiser %d", uint8(c.Optimizer))
	must(c.Warmup >= 0 && c.Warmup <= 1, "warmup %v: is a share of the steps, between 0 and 1", c.Warmup)
	must(c.Epochs > 0, "%d epochs: must be positive", c.Epochs)
	must(c.Steps >= 0, "%d steps: must not be negative", c.Steps)
	must(c.Batch > 0, "batch of %d samples: must be positive", c.Batch)
	must(c.MicroTokens > 0, "%d tokens at once: must be positive", c.MicroTokens)
	must(c.Clip >= 0, "clipping at %v: must not be negative", c.Clip)
	must(c.Beta1 >= 0 && c.Beta1 < 1 && c.Beta2 >= 0 && c.Beta2 < 1, "betas %v and %v: must lie between 0 and 1", c.Beta1, c.Beta2)
	must(c.Eps > 0, "eps %v: must be positive", c.Eps)
	must(c.WeightDecay >= 0, "weight decay %v: must not be negative", c.WeightDecay)
	must(c.MergeAware >= 0 && c.MergeAware <= 1, "merge-aware %v: is a share of the steps, between 0 and 1", c.MergeAware)
	return errors.Join(faults...)
}

// rate returns the learning rate of step n of total, counted from 0. Warmup
// begins above 0.
func (c Config) rate(n, total int) float64 {
	warm := int(c.Warmup * float64(total))
	if n < warm {
		return c.LR * float64(n+1) / float64(warm)
	}
	done := float64(n-warm) / float64(max(1, total-warm))
	switch c.Schedule {
	case Linear:
		return c.LR * (1 - done)
	case Constant:
		return c.LR
	}
	return c.LR * (1 + math.Cos(math.Pi*done)) / 2
}
