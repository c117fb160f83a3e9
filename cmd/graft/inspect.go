package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/safetensors"
)

var inspectCommand = command{
	name: "inspect", arguments: "PATH ...", summary: "show what is in a model, an adapter or a safetensors file",
	details: "PATH is the directory of a model or of an adapter, or a .safetensors file.",
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		tensors := f.Bool("tensors", false, "list every tensor of a model or an adapter with its range")
		return func(_ context.Context, s streams, args []string) error {
			if len(args) == 0 {
				return usagef("no path given")
			}
			var faults []error
			for _, path := range args {
				faults = append(faults, inspect(s.out, path, *tensors))
			}
			return errors.Join(faults...)
		}
	},
}

func inspect(w io.Writer, path string, tensors bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(path, name))
		return err == nil
	}
	switch {
	case !info.IsDir():
		return inspectFile(w, path, true)
	case exists("adapter_config.json"):
		return inspectAdapter(w, path, tensors)
	case exists("config.json"):
		return inspectModel(w, path, tensors)
	}
	return fmt.Errorf("%s: neither a model (config.json) nor an adapter (adapter_config.json)", path)
}

func inspectFile(w io.Writer, path string, tensors bool) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, k := range slices.Sorted(maps.Keys(f.Metadata)) {
		fmt.Fprintf(w, "%s: %s\n", k, f.Metadata[k])
	}
	return listTensors(w, f, tensors)
}

func inspectAdapter(w io.Writer, dir string, tensors bool) error {
	c, err := lora.ReadConfig(dir)
	if err != nil {
		return err
	}
	targets := strings.Join(c.Targets, ", ")
	if c.Pattern != "" {
		targets = "/" + c.Pattern + "/"
	}
	fmt.Fprintf(w, "%s: LoRA adapter\nbase      %s\nrank      %d\nalpha     %v\ntargets   %s\n", dir, c.Base, c.Rank, c.Alpha, targets)
	if c.RSLoRA {
		fmt.Fprintln(w, "scaling   alpha/√rank")
	}
	return inspectFile(w, filepath.Join(dir, "adapter_model.safetensors"), tensors)
}

func inspectModel(w io.Writer, dir string, tensors bool) error {
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: model\n", dir)
	c, err := model.ParseConfig(text)
	if err != nil {
		fmt.Fprintf(w, "cannot be trained: %v\n", err)
	} else {
		describe(w, c)
	}
	ckpt, err := safetensors.OpenCheckpoint(dir)
	if err != nil {
		return err
	}
	defer ckpt.Close()
	return listTensors(w, ckpt, tensors)
}

func describe(w io.Writer, c model.Config) {
	fmt.Fprintf(w, "family    %s\nlayers    %d of width %d, feed-forward %d\nheads     %d queries, %d keys/values of %d\n",
		c.Type, c.Layers, c.Hidden, c.Intermediate, c.Heads, c.KVHeads, c.HeadDim)
	fmt.Fprintf(w, "vocabulary %d, %s head\npositions %d, rotary base %g (%s)\n", c.Vocab, map[bool]string{true: "tied", false: "its own"}[c.Tied], c.MaxPositions, c.Rope.Theta, c.Rope.Kind)
	if i := slices.IndexFunc(c.Windows, func(n int) bool { return n > 0 }); i >= 0 {
		fmt.Fprintf(w, "window    %d keys from layer %d on\n", c.Windows[i], i)
	}
}

// tensorSource is a file or a checkpoint.
type tensorSource interface {
	Names() []string
	Tensor(name string) (safetensors.Tensor, bool)
}

// listTensors prints the totals, and every tensor if asked.
func listTensors(w io.Writer, from tensorSource, each bool) error {
	byType, elements, bytes := map[safetensors.DType]int{}, 0, 0
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range from.Names() {
		t, _ := from.Tensor(name)
		byType[t.DType]++
		elements += t.Len()
		bytes += len(t.Data)
		if each {
			fmt.Fprintf(table, "%s\t%s\t%v\t%s\n", name, t.DType, t.Shape, valueRange(t))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	var types []string
	for _, d := range slices.Sorted(maps.Keys(byType)) {
		types = append(types, fmt.Sprintf("%d %s", byType[d], d))
	}
	_, err := fmt.Fprintf(w, "tensors   %s; %s parameters, %.1f MB\n", strings.Join(types, ", "), count(elements), float64(bytes)/1e6)
	return err
}

// valueRange returns the smallest and the largest value, and whether some are
// not finite.
func valueRange(t safetensors.Tensor) string {
	v := make([]float32, t.Len())
	if t.Float32s(v) != nil || len(v) == 0 {
		return ""
	}
	lo, hi, bad := math.Inf(1), math.Inf(-1), 0
	for _, x := range v {
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
			bad++
		} else {
			lo, hi = min(lo, f), max(hi, f)
		}
	}
	if bad > 0 {
		return fmt.Sprintf("%d values are not finite", bad)
	}
	return fmt.Sprintf("%.4g to %.4g", lo, hi)
}
