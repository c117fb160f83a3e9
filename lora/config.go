package lora

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/model"
)

// Config says which layers are adapted and how. The zero value adapts every
// linear layer but the head, with rank 16 and alpha 32.
type Config struct {
	Rank    int     // R; 16 if 0
	Alpha   float64 // the branch is scaled by Alpha/Rank; 32 if 0
	Dropout float64 // share of a branch's inputs dropped in training
	RSLoRA  bool    // scale by Alpha/√Rank instead (Kalajdzievski 2023)
	// Targets names modules by the ends of their names, whole words between dots:
	// "q_proj" is every query projection, "layers.1.mlp.up_proj" a single layer.
	// "all-linear" alone, like no target, means all but the head.
	Targets []string
	// Pattern is a regular expression that must match the whole of a module's
	// name, instead of Targets.
	Pattern string
	// Layers numbers the transformer's layers to adapt, from 0; all if empty. What
	// lies below the lowest one needs no gradient.
	Layers []int
	// Seed makes the initial values; the same seed makes the same adapter.
	Seed uint64
	// Base is what the adapter's file says it was trained on; the model's
	// directory if empty.
	Base string
}

// allLinear stands for every linear layer but the head.
const allLinear = "all-linear"

func (c Config) withDefaults() Config {
	if c.Rank == 0 {
		c.Rank = 16
	}
	if c.Alpha == 0 {
		c.Alpha = 32
	}
	return c
}

// Validate reports every value that means nothing.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("lora: "+format, args...)) }
	c = c.withDefaults()
	if c.Rank < 0 {
		fault("rank %d: must be positive", c.Rank)
	}
	if !(c.Alpha > 0) || math.IsInf(c.Alpha, 0) {
		fault("alpha %v: must be positive", c.Alpha)
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		fault("dropout %v: must be at least 0 and less than 1", c.Dropout)
	}
	if c.Pattern != "" && len(c.Targets) > 0 {
		fault("both targets and a pattern: give one of them")
	}
	if slices.Contains(c.Targets, allLinear) && len(c.Targets) > 1 {
		fault("target %q stands alone: it is every linear layer but the head", allLinear)
	}
	if c.Pattern != "" && len(c.Layers) > 0 {
		fault("both layers and a pattern: name the layers in the pattern")
	}
	if slices.ContainsFunc(c.Layers, func(n int) bool { return n < 0 }) {
		fault("layers %v: are counted from 0", c.Layers)
	}
	if _, err := c.pattern(); err != nil {
		fault("pattern: %w", err)
	}
	return errors.Join(faults...)
}

func (c Config) pattern() (*regexp.Regexp, error) { return regexp.Compile("^(?:" + c.Pattern + ")$") }

// scale returns s.
func (c Config) scale() float64 {
	if c.RSLoRA {
		return c.Alpha / math.Sqrt(float64(c.Rank))
	}
	return c.Alpha / float64(c.Rank)
}

// targets returns the layers of m that the configuration names.
func (c Config) targets(m *model.Model) ([]*model.Linear, error) {
	pattern, err := c.pattern()
	if err != nil {
		return nil, fmt.Errorf("lora: pattern: %w", err)
	}
	if err := c.checkLayers(m); err != nil {
		return nil, err
	}
	unused := slices.Clone(c.Targets)
	var chosen []*model.Linear
	for l := range m.Linears() {
		match := l != &m.Head
		switch {
		case c.Pattern != "":
			match = pattern.MatchString(l.Name)
		case len(c.Targets) > 0 && c.Targets[0] != allLinear:
			match = slices.ContainsFunc(c.Targets, func(t string) bool { return named(l.Name, t) })
		}
		if match && c.inLayers(l.Name) {
			chosen = append(chosen, l)
			unused = slices.DeleteFunc(unused, func(t string) bool { return named(l.Name, t) || t == allLinear })
		}
	}
	if len(unused) > 0 {
		return nil, fmt.Errorf("lora: target %q names no linear layer of the model: it has %s", unused[0], strings.Join(kinds(m), ", "))
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("lora: pattern %q matches no linear layer of the model: their names look like %q", c.Pattern, m.Blocks[0].Attention.Q.Name)
	}
	return chosen, nil
}

func (c Config) checkLayers(m *model.Model) error {
	for _, n := range c.Layers {
		if n >= len(m.Blocks) {
			return fmt.Errorf("lora: layer %d: the model has %d, counted from 0", n, len(m.Blocks))
		}
	}
	return nil
}

// inLayers reports whether a module's layer is adapted.
func (c Config) inLayers(name string) bool {
	return len(c.Layers) == 0 || slices.ContainsFunc(c.Layers, func(n int) bool {
		return strings.HasPrefix(name, fmt.Sprintf("model.layers.%d.", n))
	})
}

// named reports whether target is the name or whole words at its end.
func named(name, target string) bool { return name == target || strings.HasSuffix(name, "."+target) }

// kinds lists the last words of the linear layers' names.
func kinds(m *model.Model) (list []string) {
	for l := range m.Linears() {
		if k := lastWord(l.Name); !slices.Contains(list, k) {
			list = append(list, k)
		}
	}
	return list
}

func lastWord(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
