package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed-5afa5581/graft/model"
)

var generateCommand = command{
	name: "generate", arguments: "--model DIR [--adapter DIR] [--prompt TEXT] [flags]", summary: "continue a text",
	details: "Continues a prompt, given by --prompt or on standard input, and writes the text as it\n" +
		"comes. Greedy unless --temperature is over 0.",
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		g := &generation{}
		g.source.flags(f, "`DIR` of an adapter to use")
		f.StringVar(&g.prompt, "prompt", "", "`TEXT` to continue")
		f.IntVar(&g.config.MaxTokens, "max-tokens", 256, "most tokens to add")
		f.Float64Var(&g.config.Temperature, "temperature", 0, "0 takes the most likely token, 1 the model's own odds")
		f.IntVar(&g.config.TopK, "top-k", 0, "keep the `k` most likely tokens")
		f.Float64Var(&g.config.TopP, "top-p", 0, "keep the most likely tokens up to this `share` of the odds")
		f.Float64Var(&g.config.MinP, "min-p", 0, "keep tokens of at least this `share` of the likeliest one's odds")
		f.Float64Var(&g.config.RepetitionPenalty, "repetition-penalty", 0, "over 1 avoids tokens seen before")
		f.Uint64Var(&g.config.Seed, "seed", 0, "of the choice of tokens")
		f.Func("stop", "end before this `TEXT`; may be given several times", func(v string) error {
			g.config.Stop = append(g.config.Stop, v)
			return nil
		})
		f.BoolVar(&g.config.IgnoreEOS, "ignore-eos", false, "go on after the end of text")
		f.BoolVar(&g.stats, "stats", false, "say how fast it went")
		return g.run
	},
}

// generation is the flags of graft generate.
type generation struct {
	source
	prompt string
	config model.Generation
	stats  bool
}

func (g *generation) run(ctx context.Context, s streams, args []string) error {
	if err := noArguments(args); err != nil {
		return err
	}
	if err := g.config.Validate(); err != nil {
		return usageError{err}
	}
	o, err := g.open()
	if err != nil {
		return err
	}
	defer o.close()
	if o.model.Tokenizer == nil {
		return fmt.Errorf("%s has no tokenizer.json", g.model)
	}
	if g.prompt == "" {
		text, err := io.ReadAll(s.in)
		if err != nil {
			return err
		}
		if g.prompt = strings.TrimSuffix(string(text), "\n"); g.prompt == "" {
			return usagef("no prompt: give --prompt or write it to standard input")
		}
	}
	return g.write(ctx, s, o.model)
}

func (g *generation) write(ctx context.Context, s streams, m *model.Model) error {
	start, first, tokens := time.Now(), time.Duration(0), 0
	for t, err := range m.Generate(ctx, m.Tokenizer.Encode(g.prompt), g.config) {
		if err != nil {
			fmt.Fprintln(s.out)
			return err
		}
		if tokens++; tokens == 1 {
			first = time.Since(start)
		}
		if _, err := io.WriteString(s.out, t.Text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(s.out)
	if g.stats && tokens > 1 {
		rate := float64(tokens-1) / (time.Since(start) - first).Seconds()
		fmt.Fprintf(s.err, "first token after %v, then %.1f tok/s\n", first.Round(time.Millisecond), rate)
	}
	return errors.Join(err, ctx.Err())
}
