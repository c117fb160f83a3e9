// Command graft fine-tunes LLaMA-style language models, continues texts with
// them, merges adapters and shows what is in a checkpoint.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// A command is one of graft's verbs.
type command struct {
	name, arguments, summary, details string
	groups                            []flagGroup // of help, if there are many flags
	// prepare defines the flags and returns what runs once they are parsed.
	prepare func(f *flag.FlagSet) func(ctx context.Context, io streams, args []string) error
	sub     []command // verbs of a command that has several, instead of prepare
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

var commands = []command{dataCommand, trainCommand, planCommand, lrCommand, resumeCommand, verifyCommand, generateCommand, mergeCommand, quantizeCommand, inspectCommand}

// usageError is a mistake in the command line: exit code 2.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// garbagePercent is how much garbage waits to be collected, of what is in use.
// That is weights and activations, which stay: as much garbage again, which is
// Go's way, would double the memory, and there is next to none to collect.
const garbagePercent = 10

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	os.Exit(run(ctx, streams{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
}

// run executes a command line and returns the exit code: 0, 1 for a failure, 2
// for a mistake in the command line, 130 for an interruption.
func run(ctx context.Context, s streams, args []string) int {
	if len(args) == 0 {
		help(s.err)
		return 2
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		help(s.out)
		return 0
	case "version", "-version", "--version":
		fmt.Fprintln(s.out, "graft", version())
		return 0
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.start(ctx, s, args[1:])
		}
	}
	fmt.Fprintf(s.err, "graft: unknown command %q; graft help lists them\n", args[0])
	return 2
}

// start runs a command, or the one of its verbs that the arguments begin with,
// and returns the exit code.
func (c command) start(ctx context.Context, s streams, args []string) int {
	if c.sub == nil {
		return exitCode(s, c.name, c.run(ctx, s, args))
	}
	if len(args) > 0 {
		for _, verb := range c.sub {
			if verb.name == c.name+" "+args[0] {
				return exitCode(s, verb.name, verb.run(ctx, s, args[1:]))
			}
		}
	}
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help" || args[0] == "help") {
		c.verbs(s.out)
		return 0
	}
	c.verbs(s.err)
	return 2
}

// verbs lists what a command with several verbs can do.
func (c command) verbs(w io.Writer) {
	fmt.Fprintf(w, "usage: graft %s %s\n\n%s\n\n", c.name, c.arguments, c.details)
	for _, verb := range c.sub {
		fmt.Fprintf(w, "  %-12s %s\n", verb.name, verb.summary)
	}
	fmt.Fprintf(w, "\ngraft %s VERB --help shows a verb's flags.\n", c.name)
}

func exitCode(s streams, name string, err error) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(s.err, "graft: interrupted")
		return 130
	case errors.As(err, &usage):
		fmt.Fprintf(s.err, "graft %s: %v; graft %s --help shows how\n", name, err, name)
		return 2
	}
	fmt.Fprintf(s.err, "graft %s: %v\n", name, err)
	return 1
}

func (c command) run(ctx context.Context, s streams, args []string) error {
	f := flag.NewFlagSet(c.name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	do := c.prepare(f)
	rest, err := parse(f, args)
	if errors.Is(err, flag.ErrHelp) {
		c.help(s.out, f)
		return err
	}
	if err != nil {
		return usageError{err}
	}
	return do(ctx, s, rest)
}

// parse parses flags before, between and after the arguments, which it returns.
func parse(f *flag.FlagSet, args []string) (rest []string, err error) {
	for len(args) > 0 {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		if args = f.Args(); len(args) > 0 {
			rest, args = append(rest, args[0]), args[1:]
		}
	}
	return rest, nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
