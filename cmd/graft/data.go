package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/data/check"
	"github.com/seed-5afa5581/graft/internal/atomicfile"
	"github.com/seed-5afa5581/graft/model"
)

var dataCommand = command{
	name: "data", arguments: "VERB PATH ... [flags]", summary: "check, show, clean, split and make training data",
	details: "PATH is a file of records, a folder, a pattern, or a dataset_info.json: JSON, JSON Lines,\n" +
		"CSV, TSV, Parquet, text and Markdown, also with .gz or .zst, in any shape that graft knows.",
	sub: []command{checkCommand, showCommand, cleanCommand, splitCommand, chunkCommand},
}

var checkCommand = command{
	name: "data check", arguments: "PATH ... [flags]", summary: "look for faults before training",
	details: "Reads every record and reports what would go wrong, by file and line, with what to do.\n" +
		"With --model it looks at tokens and labels as well. The exit code is 1 if there is an\n" +
		"error, or with --strict a warning.",
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		c := &checking{}
		c.inputs.flags(f)
		f.Var(&c.eval, "eval", "`PATH` of records for evaluation, to look for what both have")
		f.BoolVar(&c.loss, "loss", false, "look for samples whose loss under the model is far from the others'; takes a while")
		f.BoolVar(&c.json, "json", false, "write the report as JSON")
		f.BoolVar(&c.strict, "strict", false, "exit with 1 for warnings too")
		f.IntVar(&c.examples, "examples", 3, "findings of each kind to print")
		return c.run
	},
}

// checking is the flags of graft data check.
type checking struct {
	inputs
	eval               paths
	json, strict, loss bool
	examples           int
}

func (c *checking) run(ctx context.Context, s streams, args []string) error {
	files, renderer, err := c.open(args)
	if err != nil {
		return err
	}
	var eval *data.Files
	if len(c.eval) > 0 {
		if eval, err = data.Find(c.eval, c.Options); err != nil {
			return err
		}
	}
	report := check.Files(files, eval, renderer)
	if c.loss {
		scores, err := c.scores(ctx, files, renderer)
		if err != nil {
			return err
		}
		report.Outliers(scores)
	}
	if c.json {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		err = report.Print(s.out, c.examples)
	}
	return errors.Join(err, verdict(report, c.strict))
}

// scores computes the loss of every sample.
func (c *checking) scores(ctx context.Context, files *data.Files, r *data.Renderer) (scores []check.Score, err error) {
	if r == nil {
		return nil, usagef("--loss needs --model")
	}
	o, err := (&source{model: c.model}).open()
	if err != nil {
		return nil, err
	}
	defer o.close()
	pass := o.model.NewPass()
	defer pass.Close()
	for item, err := range files.Read(r) {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		for _, s := range item.Samples {
			var loss model.Loss
			if err := pass.Loss(model.Batch{Tokens: s.Tokens, Labels: s.Labels, Starts: []int32{0}}, &loss); err != nil {
				return nil, err
			}
			scores = append(scores, check.Score{Source: s.Source, Loss: loss.Mean()})
		}
	}
	return scores, nil
}

// verdict is the error of a report with findings that are bad enough.
func verdict(r *check.Report, strict bool) error {
	worst, any := r.Worst()
	switch {
	case any && worst == check.Error:
		return errors.New("there are errors")
	case any && strict && worst == check.Warning:
		return errors.New("there are warnings")
	}
	return nil
}

var cleanCommand = command{
	name: "data clean", arguments: "PATH ... --out FILE [flags]", summary: "write the rows that have no faults",
	details: "Writes the rows as JSON Lines with the columns that they came with, but for those that\n" +
		"have a finding of some kinds, and beside it FILE.removed.json, which says what was left\n" +
		"out and why. The kinds are those of graft data check.",
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		c := &cleaning{}
		c.inputs.flags(f)
		f.StringVar(&c.out, "out", "", "`FILE` to write, .jsonl")
		f.Var((*paths)(&c.remove), "remove", "also leave out rows with findings of these `KINDS`, such as near-duplicate,secret,personal-data")
		return c.run
	},
}

// cleaning is the flags of graft data clean.
type cleaning struct {
	inputs
	out    string
	remove []string
}

func (c *cleaning) run(_ context.Context, s streams, args []string) error {
	if c.out == "" {
		return usagef("--out is missing")
	}
	kinds := check.Removable
	for _, k := range c.remove {
		if !check.Known(check.Kind(k)) {
			return usagef("--remove %s: no such kind", k)
		}
		kinds = append(kinds[:len(kinds):len(kinds)], check.Kind(k))
	}
	files, renderer, err := c.open(args)
	if err != nil {
		return err
	}
	var kept int
	removed := []check.Removal{}
	err = atomicfile.Write(c.out, func(f io.Writer) error {
		var gone []check.Removal
		kept, gone, err = check.Clean(f, files, renderer, kinds)
		removed = append(removed, gone...)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: %d rows kept, %d removed\n", c.out, kept, len(removed))
	return atomicfile.Write(c.out+".removed.json", func(f io.Writer) error {
		e := json.NewEncoder(f)
		e.SetIndent("", "  ")
		return e.Encode(removed)
	})
}

var splitCommand = command{
	name: "data split", arguments: "PATH ... --out DIR [flags]", summary: "part rows into train and eval without overlap",
	details: "Writes train.jsonl and eval.jsonl to DIR. Rows that are alike, or that have the same\n" +
		"prompt, go the same way together, so that eval tells what the model has not seen.",
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		c := &splitting{}
		c.dataset.flags(f)
		f.StringVar(&c.out, "out", "", "`DIR` to write to")
		f.Float64Var(&c.Share, "share", 0.1, "share of the rows for eval")
		f.Uint64Var(&c.Seed, "seed", 0, "of the choice")
		return c.run
	},
}

// splitting is the flags of graft data split.
type splitting struct {
	inputs
	check.Splitter
	out string
}

func (c *splitting) run(_ context.Context, s streams, args []string) error {
	if c.out == "" {
		return usagef("--out is missing")
	}
	files, _, err := c.open(args)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.out, 0o777); err != nil {
		return err
	}
	train, eval := filepath.Join(c.out, "train.jsonl"), filepath.Join(c.out, "eval.jsonl")
	return atomicfile.Write(train, func(a io.Writer) error {
		return atomicfile.Write(eval, func(b io.Writer) error {
			n, m, err := c.Split(a, b, files)
			if err == nil {
				fmt.Fprintf(s.out, "%s: %d rows\n%s: %d rows\n", train, n, eval, m)
			}
			return err
		})
	})
}
