package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/train"
)

var lrCommand = command{
	name: "lr", arguments: "--model DIR --data FILE [flags of graft train]", summary: "find a learning rate",
	details: "Takes a step at each of many learning rates, from low to high, until the loss goes up,\n" +
		"and prints the loss at each and the rate at which it fell fastest: a good --lr for graft\n" +
		"train with the same flags. Nothing is saved.",
	groups: trainGroups,
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		r := &rateSearch{training: training{flagSet: f}}
		r.training.flags(f)
		f.Float64Var(&r.search.From, "from", 1e-6, "lowest `rate`")
		f.Float64Var(&r.search.To, "to", 1, "highest `rate`")
		f.IntVar(&r.search.Steps, "probes", 100, "how many rates")
		return r.run
	},
}

// rateSearch is the flags of graft lr.
type rateSearch struct {
	training
	search train.RateSearch
}

func (r *rateSearch) run(ctx context.Context, s streams, args []string) error {
	if err := noArguments(args); err != nil {
		return err
	}
	if r.model == "" || len(r.data) == 0 {
		return usagef("--model and --data are needed")
	}
	if err := r.configure(); err != nil {
		return err
	}
	if err := r.search.Validate(); err != nil {
		return usageError{err}
	}
	o, err := r.open()
	if err != nil {
		return err
	}
	defer o.close()
	r.fit(o.model)
	set, err := data.OpenAll(r.data, o.model.Tokenizer, r.records.Config)
	if err != nil {
		return err
	}
	defer set.Close()
	if _, err := r.prepare(o); err != nil {
		return err
	}
	job, err := train.New(o.model, set, r.config)
	if err != nil {
		return err
	}
	defer job.Close()
	probes, best, err := job.FindRate(ctx, r.search)
	showProbes(s, probes)
	if err == nil {
		fmt.Fprintf(s.out, "the loss falls fastest at a rate of %.1e: graft train --lr %.1e\n", best, best)
	}
	return err
}

// showProbes draws the loss at every second rate as a bar.
func showProbes(s streams, probes []train.Probe) {
	top := 0.0
	for _, p := range probes {
		top = max(top, p.Loss)
	}
	const width = 40
	for i := 0; i < len(probes); i += 2 {
		fmt.Fprintf(s.out, "%8.1e  %8.4f  %s\n", probes[i].Rate, probes[i].Loss, strings.Repeat("▪", int(width*probes[i].Loss/top)))
	}
}
