package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/internal/atomicfile"
	"github.com/seed-5afa5581/graft/train"
)

var resumeCommand = command{
	name: "resume", arguments: "DIR", summary: "go on with a run that was interrupted or killed",
	details: "Goes on with the run whose --out is DIR, from its newest whole snapshot, with the flags\n" +
		"that it was started with. It ends in the same bytes as if it had never stopped. It\n" +
		"refuses when the base, the data or the adapter are not what they were, and says which.",
	prepare: func(*flag.FlagSet) func(context.Context, streams, []string) error { return resume },
}

// recordFile, beside the snapshots, says how a run was started.
const recordFile = "run.json"

// pathFlags are the flags of graft train that hold paths.
var pathFlags = []string{"model", "adapter", "data", "eval", "out"}

// record writes the flags of the run, once. What said where a result before it
// came from goes.
func (t *training) record() error {
	path := filepath.Join(t.out, recordFile)
	if t.resume && exists(t.out, recordFile) {
		return nil
	}
	if err := os.Remove(filepath.Join(t.out, train.ProvenanceFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r, err := t.command()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Bytes(path, append(text, '\n'))
}

// command returns the flags that graft train was given, and where.
func (t *training) command() (r train.Command, err error) {
	r.Flags = map[string]string{}
	t.flagSet.Visit(func(f *flag.Flag) { r.Flags[f.Name] = f.Value.String() })
	delete(r.Flags, "resume")
	delete(r.Flags, "overwrite")
	r.Directory, err = os.Getwd()
	return r, err
}

// arguments returns those of graft train that start the run again from this
// directory, with changes to its flags.
func arguments(r train.Command, changes map[string]string) (args []string) {
	flags, here := maps.Clone(r.Flags), false
	if wd, err := os.Getwd(); err == nil {
		here = wd == r.Directory
	}
	for _, name := range pathFlags {
		if v := flags[name]; v != "" && !here {
			flags[name] = absolute(r.Directory, v)
		}
	}
	maps.Copy(flags, changes)
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		args = append(args, "--"+name+"="+flags[name])
	}
	return args
}

// absolute returns paths, with commas between, as seen from a directory.
func absolute(dir, list string) string {
	all := strings.Split(list, ",")
	for i, path := range all {
		if !filepath.IsAbs(path) {
			all[i] = filepath.Join(dir, path)
		}
	}
	return strings.Join(all, ",")
}

func readRecord(dir string) (r train.Command, err error) {
	text, err := os.ReadFile(filepath.Join(dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%s: no %s: graft train --out %s began no run here", dir, recordFile, dir)
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("%s: %w", filepath.Join(dir, recordFile), err)
	}
	return r, nil
}

func resume(ctx context.Context, s streams, args []string) error {
	if len(args) != 1 {
		return usagef("one directory is needed: the --out of the run")
	}
	r, err := readRecord(args[0])
	if err != nil {
		return err
	}
	return retrain(ctx, s, arguments(r, map[string]string{"out": args[0], "resume": "true"}))
}

// retrain runs graft train with the given arguments.
func retrain(ctx context.Context, s streams, args []string) error {
	f := flag.NewFlagSet("train", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	do := trainCommand.prepare(f)
	if err := f.Parse(args); err != nil {
		return fmt.Errorf("%s: %w", recordFile, err)
	}
	return do(ctx, s, f.Args())
}

// quoted writes a path as a shell reads it.
func quoted(path string) string {
	if strings.ContainsFunc(path, func(c rune) bool {
		return !strings.ContainsRune("/._-+=:,@%", c) && !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z')
	}) {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
