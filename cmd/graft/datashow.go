package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/data/chunk"
	"github.com/seed-5afa5581/graft/data/show"
	"github.com/seed-5afa5581/graft/internal/atomicfile"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

var showCommand = command{
	name: "data show", arguments: "PATH ... --model DIR [flags]", summary: "print samples as the model sees them",
	details: "Prints samples with their special tokens and line ends; what carries a loss is green, or\n" +
		"between ⟦ and ⟧ where there is no terminal.",
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		c := &showing{}
		c.inputs.flags(f)
		f.IntVar(&c.count, "n", 3, "`NUMBER` of samples")
		f.IntVar(&c.skip, "skip", 0, "`NUMBER` of samples to pass over before them")
		f.StringVar(&c.html, "html", "", "write a page to `FILE` instead")
		f.BoolVar(&c.color, "color", false, "use colours where the output is no terminal too")
		return c.run
	},
}

// showing is the flags of graft data show.
type showing struct {
	inputs
	count, skip int
	html        string
	color       bool
}

func (c *showing) run(_ context.Context, s streams, args []string) error {
	if c.model == "" {
		return usagef("--model is missing: samples are made by its tokenizer")
	}
	files, renderer, err := c.open(args)
	if err != nil {
		return err
	}
	t := renderer.Tokenizer
	if c.html == "" {
		color := c.color || isTerminal(s.out)
		return c.each(files, renderer, func(x data.Sample) error { return show.Text(s.out, t, x, color) })
	}
	page := show.Page{Title: strings.Join(args, ", ")}
	if err := c.each(files, renderer, func(x data.Sample) error { page.Add(t, x); return nil }); err != nil {
		return err
	}
	return atomicfile.Write(c.html, func(w io.Writer) error { return page.Write(w) })
}

// each visits the samples that are to be shown.
func (c *showing) each(files *data.Files, r *data.Renderer, visit func(data.Sample) error) error {
	n := 0
	for item, err := range files.Read(r) {
		if err == nil {
			err = item.Err
		}
		if err != nil {
			return err
		}
		for _, x := range item.Samples {
			if n++; n <= c.skip {
				continue
			}
			if n > c.skip+c.count {
				return nil
			}
			if err := visit(x); err != nil {
				return err
			}
		}
	}
	return nil
}

// isTerminal tells whether people look at a stream.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

var chunkCommand = command{
	name: "data chunk", arguments: "PATH ... --out FILE [flags]", summary: "cut documents into passages to write questions for",
	details: "Cuts text and Markdown into passages that know their file, lines and headings. Each has\n" +
		"an empty question and answer for a person or a model to write; training leaves a passage\n" +
		"out until it has them.",
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		c := &chunking{}
		f.StringVar(&c.out, "out", "", "`FILE` to write, .jsonl")
		f.IntVar(&c.config.Size, "size", 1000, "longest passage in characters, or in tokens with --model")
		f.StringVar(&c.model, "model", "", "`DIR` of the model whose tokens are counted")
		f.StringVar(&c.begin, "begin", "", "`EXPRESSION` for paragraphs that begin a passage, such as '^第.+条' for articles")
		return c.run
	},
}

// chunking is the flags of graft data chunk.
type chunking struct {
	out, model, begin string
	config            chunk.Config
}

func (c *chunking) run(_ context.Context, s streams, args []string) (err error) {
	if c.out == "" {
		return usagef("--out is missing")
	}
	if c.begin != "" {
		if c.config.Begin, err = regexp.Compile(c.begin); err != nil {
			return usagef("--begin: %v", err)
		}
	}
	if c.model != "" {
		t, err := tokenizer.Open(c.model)
		if err != nil {
			return err
		}
		c.config.Measure = t.Count
	}
	found, err := data.Find(args, dataset{}.Options)
	if err != nil {
		return err
	}
	var all []chunk.Passage
	for _, f := range found.List {
		passages, err := chunk.Read(f.File.Path, c.config)
		if err != nil {
			return err
		}
		all = append(all, passages...)
	}
	if err := atomicfile.Write(c.out, func(w io.Writer) error { return chunk.Write(w, all) }); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: %d passages of %d files\n", c.out, len(all), len(found.List))
	return nil
}
