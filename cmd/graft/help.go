package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A flagGroup is flags of a command that help shows together.
type flagGroup struct{ title, names string }

func (g flagGroup) has(name string) bool { return slices.Contains(strings.Fields(g.names), name) }

// trainGroups orders the flags of graft train: what nearly every run says first.
var trainGroups = []flagGroup{
	{"what to train on what", "model data out overwrite adapter quantize full device"},
	{"adapter", "rank alpha rslora dropout targets freeze-layers lora-plus merge-aware"},
	{"records", "shape field template system date train-on max-len overflow packing mix weights no-shuffle no-check"},
	{"learning", "epochs steps batch batch-tokens lr schedule warmup cycles decay optimizer weight-decay clip seed"},
	{"methods", "neftune average label-smoothing z-loss"},
	{"memory", "auto micro-tokens no-recompute"},
	{"evaluation", "eval eval-every patience min-gain"},
	{"snapshots", "resume save-after save-every keep no-snapshots"},
	{"watching", "quiet json listen listen-anywhere tensorboard samples no-report"},
}

// help shows how a command is used. Flags in no group come first.
func (c command) help(w io.Writer, f *flag.FlagSet) {
	fmt.Fprintf(w, "usage: graft %s %s\n\n%s\n", c.name, c.arguments, c.details)
	others := flagGroup{title: "flags"}
	f.VisitAll(func(o *flag.Flag) {
		if !slices.ContainsFunc(c.groups, func(g flagGroup) bool { return g.has(o.Name) }) {
			others.names += " " + o.Name
		}
	})
	for _, g := range append([]flagGroup{others}, c.groups...) {
		g.help(w, f)
	}
}

func (g flagGroup) help(w io.Writer, f *flag.FlagSet) {
	list := slices.DeleteFunc(strings.Fields(g.names), func(name string) bool { return f.Lookup(name) == nil })
	if len(list) == 0 {
		return
	}
	if g.title != "" {
		fmt.Fprintf(w, "\n%s\n", g.title)
	}
	for _, name := range list {
		helpFlag(w, f.Lookup(name))
	}
}

func helpFlag(w io.Writer, o *flag.Flag) {
	value, text := flag.UnquoteUsage(o)
	name := "--" + o.Name
	if value != "" {
		name += " " + value
	}
	if o.DefValue != "" && o.DefValue != "0" && o.DefValue != "false" {
		text += " (" + o.DefValue + ")"
	}
	fmt.Fprintf(w, "  %-24s %s\n", name, text)
}

// help lists the commands.
func help(w io.Writer) {
	fmt.Fprint(w, "graft fine-tunes LLaMA-style language models.\n\nusage: graft COMMAND [flags]\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "  version    print the version\n\ngraft COMMAND --help shows a command's flags.\n")
}
