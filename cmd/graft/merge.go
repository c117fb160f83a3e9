package main

import (
	"context"
	"flag"
	"fmt"
)

var mergeCommand = command{
	name: "merge", arguments: "--model DIR --adapter DIR --out DIR", summary: "write the base with an adapter merged into it",
	details: "Adds an adapter to the weights of its base, in float32 and rounded once to the type\n" +
		"that each weight is stored in, and writes the result as a checkpoint of its own.",
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		m := &merging{}
		m.source.flags(f, "`DIR` of the adapter")
		f.StringVar(&m.out, "out", "", "`DIR` for the merged model")
		return m.run
	},
}

// merging is the flags of graft merge.
type merging struct {
	source
	out string
}

func (m *merging) run(_ context.Context, s streams, args []string) error {
	if err := noArguments(args); err != nil {
		return err
	}
	if m.adapter == "" || m.out == "" {
		return usagef("--adapter and --out are needed")
	}
	o, err := m.open()
	if err != nil {
		return err
	}
	defer o.close()
	if err := o.adapter.Merge(); err != nil {
		return err
	}
	if err := o.model.Save(m.out); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: merged\n", m.out)
	return nil
}
