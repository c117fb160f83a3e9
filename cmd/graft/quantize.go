package main

import (
	"context"
	"flag"
	"fmt"
)

var quantizeCommand = command{
	name: "quantize", arguments: "--model DIR --out DIR [--quantize nf4]", summary: "write a model in 4 or 8 bits, as bitsandbytes does",
	details: "Quantises the linear layers of a model, all but the head, and writes the checkpoint\n" +
		"that transformers opens with bitsandbytes, and that graft opens at once.",
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		q := &quantizing{source: source{quantize: "nf4"}}
		q.source.flags(f, "")
		f.StringVar(&q.out, "out", "", "`DIR` for the quantised model")
		return q.run
	},
}

// quantizing is the flags of graft quantize.
type quantizing struct {
	source
	out string
}

func (q *quantizing) run(_ context.Context, s streams, args []string) error {
	if err := noArguments(args); err != nil {
		return err
	}
	if q.out == "" {
		return usagef("--out is missing")
	}
	o, err := q.open()
	if err != nil {
		return err
	}
	defer o.close()
	if err := o.model.Save(q.out); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: in %s\n", q.out, q.quantize)
	return nil
}
