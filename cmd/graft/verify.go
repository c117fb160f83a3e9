package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/train"
)

var verifyCommand = command{
	name: "verify", arguments: "DIR [flags]", summary: "check where an adapter comes from",
	details: "Checks the adapter or model in DIR against the provenance.json beside it: that its files\n" +
		"are those that the run wrote, and that the base and the data it names are still the\n" +
		"same. With --reproduce it trains once more and compares the bytes.",
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		v := &verification{}
		f.StringVar(&v.base, "model", "", "`DIR` of the base, if it is elsewhere now")
		f.StringVar(&v.data, "data", "", "`FILE` of records, if it is elsewhere now")
		f.BoolVar(&v.reproduce, "reproduce", false, "run the training again and compare")
		return v.run
	},
}

// verification is the flags of graft verify.
type verification struct {
	base, data string
	reproduce  bool
	failed     bool
}

// beside are the files that tell of a run and are no part of its result.
var beside = map[string]bool{recordFile: true, train.ProvenanceFile: true, metricsFile: true, reportFile: true}

// results returns the files of a run's result that are in dir.
func (t *training) results() (names []string, err error) {
	entries, err := os.ReadDir(t.out)
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && name[0] != '.' && !beside[name] {
			names = append(names, name)
		}
	}
	return names, err
}

// writeProvenance writes where the result comes from beside it.
func (t *training) writeProvenance(job *train.Run, took time.Duration) error {
	p, err := job.Provenance(took)
	if err != nil {
		return err
	}
	if p.Command, err = t.command(); err != nil {
		return err
	}
	if p.Inputs, err = t.inputs(); err != nil {
		return err
	}
	p.Inputs["base"] = train.Input{Path: t.model, SHA256: p.Origin.Base}
	files, err := t.results()
	if err != nil {
		return err
	}
	return p.Write(t.out, files)
}

// inputs returns the files of records that the run has read.
func (t *training) inputs() (map[string]train.Input, error) {
	all := map[string]train.Input{}
	for name, path := range map[string]string{"data": t.data.String(), "eval": t.heldOut} {
		if path == "" {
			continue
		}
		sum, err := sumOf(path)
		if err != nil {
			return nil, err
		}
		all[name] = train.Input{Path: path, SHA256: sum}
	}
	return all, nil
}

func (v *verification) run(ctx context.Context, s streams, args []string) error {
	if len(args) != 1 {
		return usagef("one directory is needed: that of an adapter or a model")
	}
	p, err := train.ReadProvenance(args[0])
	if err != nil {
		return err
	}
	base, file := v.at(v.base, p, "base"), v.at(v.data, p, "data")
	v.report(s.out, fmt.Sprintf("%d files", len(p.Files)), p.Check(args[0]))
	v.report(s.out, "base "+base, checkBase(base, p.Origin.Base))
	v.report(s.out, "data "+file, checkData(file, p.Inputs["data"].SHA256))
	if eval, ok := p.Inputs["eval"]; ok {
		file := v.at("", p, "eval")
		v.report(s.out, "held out "+file, checkData(file, eval.SHA256))
	}
	if v.reproduce && !v.failed {
		v.report(s.out, "trained again", reproduce(ctx, s, p, map[string]string{"model": base, "data": file}))
	}
	if v.failed {
		return errors.New("not all is as provenance.json says")
	}
	return nil
}

// at returns where an input is: where it is said to be now, or where it was.
func (v *verification) at(now string, p train.Provenance, input string) string {
	was := p.Inputs[input].Path
	if now != "" || filepath.IsAbs(was) {
		return cmp.Or(now, was)
	}
	return absolute(p.Command.Directory, was)
}

// report prints a line about one check.
func (v *verification) report(w io.Writer, what string, err error) {
	if err == nil {
		fmt.Fprintf(w, "ok      %s\n", what)
		return
	}
	v.failed = true
	fmt.Fprintf(w, "FAILED  %s: %v\n", what, err)
}

func checkBase(dir, want string) error {
	got, err := model.Hash(os.DirFS(dir))
	return differs(got, want, err)
}

func checkData(file, want string) error {
	sum, err := sumOf(file)
	return differs(sum, want, err)
}

func differs(got, want string, err error) error {
	if err == nil && got != want {
		err = fmt.Errorf("its hash is %s, the run's was %s", got, want)
	}
	return err
}

// reproduce trains again, into another directory, and compares the weights.
func reproduce(ctx context.Context, s streams, p train.Provenance, inputs map[string]string) error {
	out, err := os.MkdirTemp("", "graft-verify-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(out)
	inputs["out"] = out
	if err := retrain(ctx, streams{s.in, io.Discard, s.err}, arguments(p.Command, inputs)); err != nil {
		return err
	}
	again, err := train.ReadProvenance(out)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		if filepath.Ext(name) == ".safetensors" && again.Files[name] != p.Files[name] {
			return fmt.Errorf("%s: other bytes%s", name, elsewhere(p, again))
		}
	}
	return nil
}

// elsewhere says what may be the reason.
func elsewhere(p, again train.Provenance) string {
	if was, is := p.Machine.Device, again.Machine.Device; was != is {
		return fmt.Sprintf(" (the run was on %s, this is %s)", was, is)
	}
	if p.Version != again.Version {
		return fmt.Sprintf(" (the run was made by graft %s, this is %s)", p.Version, again.Version)
	}
	return ""
}
