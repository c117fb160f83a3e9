package main

import (
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// dataset is the flags that say how records become samples.
type dataset struct{ data.Config }

func (d *dataset) flags(f *flag.FlagSet) {
	f.StringVar(&d.Shape, "shape", "", "accept rows of one `SHAPE` only, such as alpaca, messages or text")
	f.Var(fields{&d.Fields}, "field", "a column by another name: `NAME=COLUMN`, such as question=q or answer=meta.reply; may be repeated")
	f.StringVar(&d.Template, "template", "", "chat template: a `NAME` that is built in or the model's, a .jinja file, or none")
	f.StringVar(&d.System, "system", "", "system message of chats that have none")
	f.TextVar(&d.Train, "train-on", data.Answers, "what carries a loss: answers, last-answer or everything")
	f.IntVar(&d.MaxLen, "max-len", 2048, "longest sample in tokens; longer texts are cut into several")
	f.TextVar(&d.Overflow, "overflow", data.Drop, "what becomes of longer chats: drop, refuse, cut-prompt or cut-answer")
	f.StringVar(&d.Date, "date", "", "`DAY` that templates write, as 2006-01-02 (today)")
}

// fields is a flag of pairs NAME=COLUMN.
type fields struct{ to *map[string]string }

// Set takes one pair or several with commas between.
func (x fields) Set(text string) error {
	for pair := range strings.SplitSeq(text, ",") {
		name, column, ok := strings.Cut(pair, "=")
		if !ok || name == "" || column == "" {
			return fmt.Errorf("%q is not NAME=COLUMN", pair)
		}
		if *x.to == nil {
			*x.to = map[string]string{}
		}
		(*x.to)[name] = column
	}
	return nil
}

// String writes the pairs as Set takes them.
func (x fields) String() string {
	if x.to == nil {
		return ""
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(*x.to)) {
		pairs = append(pairs, name+"="+(*x.to)[name])
	}
	return strings.Join(pairs, ",")
}

// paths is a flag of one path or several.
type paths []string

// Set takes one path or several with commas between.
func (p *paths) Set(text string) error {
	*p = append(*p, strings.Split(text, ",")...)
	return nil
}

// String writes the paths as Set takes them.
func (p *paths) String() string { return strings.Join(*p, ",") }

// names writes the last elements of the paths, for people.
func (p paths) names() string {
	list := make([]string, len(p))
	for i, path := range p {
		list[i] = filepath.Base(path)
	}
	return strings.Join(list, ", ")
}

// inputs is the flags of the verbs of graft data.
type inputs struct {
	dataset
	model string // "" if none is needed
}

func (r *inputs) flags(f *flag.FlagSet) {
	f.StringVar(&r.model, "model", "", "`DIR` of the model whose tokenizer and template are used")
	r.dataset.flags(f)
}

// renderer returns what makes samples for the model, nil if none is given.
func (r *inputs) renderer() (*data.Renderer, error) {
	if r.model == "" {
		return nil, nil
	}
	t, err := tokenizer.Open(r.model)
	if err != nil {
		return nil, err
	}
	return data.NewRenderer(t, r.Config)
}

// open finds the files at some paths, and what renders them.
func (r *inputs) open(paths []string) (*data.Files, *data.Renderer, error) {
	if len(paths) == 0 {
		return nil, nil, usagef("no file given")
	}
	if err := r.Validate(); err != nil {
		return nil, nil, usageError{err}
	}
	renderer, err := r.renderer()
	if err != nil {
		return nil, nil, err
	}
	files, err := data.Find(paths, r.Options)
	return files, renderer, err
}
