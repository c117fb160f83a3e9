package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/data/check"
	"github.com/seed-5afa5581/graft/train"
	"github.com/seed-5afa5581/graft/watch"
)

// finish asks the questions once more and writes the report of a run that is
// over and saved.
func (v *viewer) finish(ctx context.Context) error {
	if v.silent {
		return nil
	}
	p, err := train.ReadProvenance(v.out)
	if err != nil {
		return err
	}
	if err := v.sample(ctx, p.Results.Steps); err != nil {
		return err
	}
	found, err := v.findings()
	if err != nil {
		return err
	}
	r := watch.Report{
		Title: v.title(), Subtitle: fmt.Sprintf("%s, trained by graft, %s", v.method(), p.Finished.Format("2 January 2006, 15:04 MST")),
		History: v.history, Tables: append(v.facts(), found, hashes(p), versions(p)), Footer: "graft " + p.Version + ". This page loads nothing.",
	}
	for _, q := range v.questions {
		r.Comparisons = append(r.Comparisons, watch.Comparison{Prompt: q.prompt, Before: q.before, After: q.after, Reference: q.reference})
	}
	return r.WriteFile(filepath.Join(v.out, reportFile))
}

// title names the run.
func (t *training) title() string {
	return filepath.Base(t.model) + " on " + t.data.names()
}

// method says what trains.
func (v *viewer) method() string {
	if v.full {
		return "all weights"
	}
	c, kind := v.lora, "LoRA"
	if v.of.adapter != nil {
		c = v.of.adapter.Config
	}
	if v.quantize != "" {
		kind += " on " + v.quantize
	}
	return fmt.Sprintf("%s of rank %d, alpha %v", kind, c.Rank, c.Alpha)
}

// facts are the tables that are known before the run.
func (v *viewer) facts() []watch.Table {
	return []watch.Table{{Title: "Configuration", Rows: v.configuration()}, {Title: "Data", Rows: v.samplesOf()}}
}

// configuration lists what the run was told, as far as it is not the default.
func (v *viewer) configuration() []watch.Fact {
	c, list := v.settled, []watch.Fact{{Name: "base", Value: filepath.Base(v.model)}, {Name: "trains", Value: v.method()}}
	if !v.full {
		list = append(list, watch.Fact{Name: "on", Value: v.targets})
	}
	number := func(name string, value float64) {
		if value != 0 {
			list = append(list, watch.Fact{Name: name, Value: fmt.Sprint(value)})
		}
	}
	number("learning rate", c.LR)
	list = append(list, watch.Fact{Name: "schedule", Value: fmt.Sprintf("%s, warm-up over %.3g %% of the steps", c.Schedule, 100*c.Warmup)},
		watch.Fact{Name: "optimizer", Value: c.Optimizer.String()}, watch.Fact{Name: "batch", Value: batch(c)}, watch.Fact{Name: "length", Value: length(c)})
	for _, f := range []struct {
		name  string
		value float64
	}{
		{"clipping", c.Clip}, {"weight decay", c.WeightDecay}, {"dropout", v.lora.Dropout}, {"LoRA+", v.plus}, {"NEFTune", c.Noise},
		{"average keeps", c.Average}, {"label smoothing", c.Smoothing}, {"z-loss", c.Penalty}, {"frozen layers", float64(v.frozen)},
		{"merge-aware", c.MergeAware},
	} {
		number(f.name, f.value)
	}
	return append(list, watch.Fact{Name: "seed", Value: fmt.Sprint(c.Seed)})
}

func batch(c train.Config) string {
	if c.BatchTokens > 0 {
		return fmt.Sprintf("%d tokens, at most %d at once", c.BatchTokens, c.MicroTokens)
	}
	return fmt.Sprintf("%d samples, at most %d tokens at once", c.Batch, c.MicroTokens)
}

func length(c train.Config) string {
	if c.Steps > 0 {
		return fmt.Sprintf("%d steps", c.Steps)
	}
	return fmt.Sprintf("%d times through the data", c.Epochs)
}

// samplesOf describes the data, as far as the run itself knows it.
func (v *viewer) samplesOf() []watch.Fact {
	list := append([]watch.Fact{{Name: "file", Value: v.data.names()}}, describeSet(v.set)...)
	if v.heldOut != nil {
		list = append(list, watch.Fact{Name: "held out", Value: filepath.Base(v.caring.heldOut)})
		list = append(list, describeSet(v.heldOut)...)
	}
	return list
}

func describeSet(s *data.Set) []watch.Fact {
	list := []watch.Fact{{Name: "samples", Value: fmt.Sprint(s.Len())}, {Name: "tokens", Value: fmt.Sprint(s.Tokens())}}
	for _, f := range []struct {
		name string
		n    int
	}{{"records left out", len(s.Left)}, {"records cut", len(s.Cut)}} {
		if f.n > 0 {
			list = append(list, watch.Fact{Name: f.name, Value: fmt.Sprint(f.n)})
		}
	}
	return list
}

// findings returns the data report: what the check before training has found, or
// what there is to find now if there was none.
func (v *viewer) findings() (watch.Table, error) {
	if v.found != nil {
		return *v.found, nil
	}
	files, err := data.Find(v.data, v.records.Options)
	if err != nil {
		return watch.Table{}, err
	}
	r, err := v.lookThrough(files, v.of.model.Tokenizer)
	if err != nil {
		return watch.Table{}, err
	}
	return dataReport(r), nil
}

// dataReport says what is in the data and what is wrong with it, without a word
// of it.
func dataReport(r *check.Report) watch.Table {
	t := watch.Table{Title: "Data report", Rows: []watch.Fact{
		{Name: "records", Value: fmt.Sprint(r.Records)},
		{Name: "learned", Value: fmt.Sprintf("%d of %d tokens, %.3g %%", r.Learned, r.Tokens, 100*float64(r.Learned)/float64(max(1, r.Tokens)))},
		{Name: "lengths", Value: fmt.Sprintf("half up to %d tokens, 95 %% up to %d, the longest %d", r.Lengths.Quantile(0.5), r.Lengths.Quantile(0.95), r.Lengths.Max)},
	}}
	for _, k := range slices.Sorted(maps.Keys(r.Counts)) {
		t.Rows = append(t.Rows, watch.Fact{Name: string(k), Value: fmt.Sprintf("%d found", r.Counts[k])})
	}
	if len(r.Counts) == 0 {
		t.Rows = append(t.Rows, watch.Fact{Name: "faults", Value: "none found"})
	}
	return t
}

// hashes lists the SHA-256 of what went in and what came out.
func hashes(p train.Provenance) watch.Table {
	t := watch.Table{Title: "SHA-256"}
	for _, name := range slices.Sorted(maps.Keys(p.Inputs)) {
		t.Rows = append(t.Rows, watch.Fact{Name: name, Value: p.Inputs[name].SHA256})
	}
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		t.Rows = append(t.Rows, watch.Fact{Name: name, Value: p.Files[name].SHA256})
	}
	return t
}

// versions lists what the run was made with.
func versions(p train.Provenance) watch.Table {
	return watch.Table{Title: "Made with", Rows: []watch.Fact{
		{Name: "graft", Value: p.Version}, {Name: "Go", Value: strings.TrimPrefix(p.Go, "go") + " " + p.Machine.System},
		{Name: "device", Value: p.Machine.Device}, {Name: "workers", Value: fmt.Sprint(p.Machine.Workers)},
		{Name: "memory of the machine", Value: size(p.Machine.Memory)},
	}}
}
