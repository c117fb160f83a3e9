package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/train"
	"github.com/seed-5afa5581/graft/watch"
)

// Files beside a result that tell of its run.
const (
	metricsFile = "metrics.jsonl"
	reportFile  = "report.html"
)

// watching is the flags of graft train for how a run is seen.
type watching struct {
	listen, board                 string
	anywhere, quiet, json, silent bool
	samples                       int
}

func (w *watching) flags(f *flag.FlagSet) {
	f.StringVar(&w.listen, "listen", "", "show the run live at `ADDRESS`, such as 127.0.0.1:8080; /metrics there is for Prometheus")
	f.BoolVar(&w.anywhere, "listen-anywhere", false, "let --listen take an address that other machines reach")
	f.StringVar(&w.board, "tensorboard", "", "write an event file for TensorBoard into `DIR`")
	f.IntVar(&w.samples, "samples", 3, "`PROMPTS` of the data that the model answers before and after training, for the report")
	f.BoolVar(&w.silent, "no-report", false, "write neither "+metricsFile+" nor "+reportFile)
	f.BoolVar(&w.quiet, "quiet", false, "show no progress")
	f.BoolVar(&w.json, "json", false, "write what happens to standard output as lines of JSON")
}

func (w *watching) settle() error {
	switch {
	case w.samples < 0:
		return usagef("--samples must not be negative")
	case w.anywhere && w.listen == "":
		return usagef("--listen-anywhere needs --listen")
	}
	return nil
}

// words returns where to say things to people.
func (w *watching) words(s streams) io.Writer {
	if w.json {
		return s.err
	}
	return s.out
}

// sampler is an observer that shows samples as well.
type sampler interface {
	train.Observer
	AddSample(watch.Sample) error
}

// A viewer shows one run.
type viewer struct {
	*training
	to           streams
	of           opened
	set, heldOut *data.Set
	settled      train.Config // with its defaults
	bar          *progress
	history      *watch.History
	observers    []train.Observer
	samplers     []sampler
	questions    []question
	closers      []func() error
}

// newViewer returns a viewer of a run about to start: the model answers the
// questions as it is.
func (t *training) newViewer(ctx context.Context, s streams, o opened, set, heldOut *data.Set) (*viewer, error) {
	v := &viewer{training: t, to: s, of: o, set: set, heldOut: heldOut, bar: newProgress(s.err), history: watch.NewHistory()}
	if !t.quiet && !t.json {
		v.observers = append(v.observers, v.bar)
	}
	if !t.silent {
		v.questions = questions(o.model, v.asked(), t.samples)
	}
	for i := range v.questions {
		if err := v.questions[i].ask(ctx, o.model, &v.questions[i].before); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// asked returns the set that questions come from.
func (v *viewer) asked() *data.Set {
	if v.heldOut != nil {
		return v.heldOut
	}
	return v.set
}

// start opens everything that shows the run, which may have been resumed.
func (v *viewer) start(ctx context.Context, job *train.Run) error {
	v.settled, v.samplers = job.Config, []sampler{v.history}
	if !v.silent {
		book, err := watch.OpenLogbook(filepath.Join(v.out, metricsFile), job.Done(), v.history)
		if err != nil {
			return err
		}
		v.samplers = append(v.samplers, book)
		v.closers = append(v.closers, book.Close)
	}
	if v.json {
		v.samplers = append(v.samplers, watch.NewJSONLines(v.to.out))
	}
	if v.board != "" {
		board, err := watch.NewTensorBoard(v.board)
		if err != nil {
			return err
		}
		v.samplers = append(v.samplers, board)
		v.closers = append(v.closers, board.Close)
	}
	for _, s := range v.samplers {
		v.observers = append(v.observers, s)
	}
	return v.serve(ctx)
}

// serve shows the run live until ctx ends or the viewer is closed.
func (v *viewer) serve(ctx context.Context) error {
	if v.listen == "" {
		return nil
	}
	l, err := watch.Listen(v.listen, v.anywhere)
	if err != nil {
		return err
	}
	fmt.Fprintf(v.to.err, "http://%s shows the run\n", l.Addr())
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	server := watch.Server{Title: v.title(), History: v.history, Tables: v.facts()}
	go func() { done <- server.Serve(ctx, l) }()
	v.closers = append(v.closers, func() error {
		cancel()
		return <-done
	})
	return nil
}

// observe shows an event, and, to those who look on while the run is under way,
// what the model answers after an evaluation.
func (v *viewer) observe(ctx context.Context, e train.Event) error {
	v.observers = slices.DeleteFunc(v.observers, func(o train.Observer) bool { return v.lost(o.Observe(e)) })
	if x, ok := e.(train.Evaluation); ok && (v.listen != "" || v.board != "") {
		return v.sample(ctx, x.Step)
	}
	return nil
}

// lost reports whether what shows the run has failed. The run itself goes on
// without it.
func (v *viewer) lost(err error) bool {
	if err != nil {
		v.bar.line("no longer written: %v", err)
	}
	return err != nil
}

func (v *viewer) sample(ctx context.Context, step int) error {
	for i := range v.questions {
		q := &v.questions[i]
		if err := q.ask(ctx, v.of.model, &q.after); err != nil {
			if ctx.Err() != nil {
				return nil // the run's own interruption follows
			}
			return err
		}
		x := watch.Sample{Step: step, Prompt: q.prompt, Text: q.after}
		v.samplers = slices.DeleteFunc(v.samplers, func(s sampler) bool { return v.lost(s.AddSample(x)) })
	}
	return nil
}

// end leaves the terminal for what comes next.
func (v *viewer) end() { v.bar.end() }

// close ends everything that shows the run.
func (v *viewer) close() error {
	v.end()
	var faults []error
	for _, c := range v.closers {
		faults = append(faults, c())
	}
	v.closers = nil
	return errors.Join(faults...)
}
