package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/tiny"
)

var storiesDir = filepath.Join("..", "..", "examples", "quickstart", "model")

// graft runs a command line.
func graft(t *testing.T, in string, args ...string) (code int, out, err string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(context.Background(), streams{strings.NewReader(in), &o, &e}, args)
	return code, o.String(), e.String()
}

// must runs a command line that must succeed.
func must(t *testing.T, args ...string) (out, err string) {
	t.Helper()
	code, out, err := graft(t, "", args...)
	if code != 0 {
		t.Fatalf("graft %v: exit %d\n%s%s", args, code, out, err)
	}
	return out, err
}

func TestTrainGenerateMergeInspect(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "data.jsonl")
	if err := os.WriteFile(file, []byte(strings.Repeat(`{"prompt":"Once upon a time","completion":", zzz zzz zzz."}`+"\n", 8)), 0o666); err != nil {
		t.Fatal(err)
	}
	adapter, merged := filepath.Join(dir, "adapter"), filepath.Join(dir, "merged")
	out, progress := must(t, "train", "--model", storiesDir, "--data", file, "--out", adapter, "--steps", "30", "--batch", "2", "--lr", "0.01", "--seed", "1")
	if !strings.Contains(out, adapter+": saved after 30 steps") || len(regexp.MustCompile(`step \d+/30  loss \d`).FindAllString(progress, -1)) != 30 {
		t.Errorf("%s\n%s", out, progress)
	}
	const want = "Once upon a time"
	out, _ = must(t, "generate", "--model", storiesDir, "--adapter", adapter, "--prompt", want, "--max-tokens", "20")
	if out != ", zzz zzz zzz.\n" {
		t.Errorf("the adapted model says %q", out)
	}
	must(t, "merge", "--model", storiesDir, "--adapter", adapter, "--out", merged)
	code, out, stats := graft(t, want+"\n", "generate", "--model", merged, "--stats")
	if code != 0 || out != ", zzz zzz zzz.\n" || !strings.Contains(stats, "tok/s") {
		t.Errorf("the merged model says %q %s", out, stats)
	}
	out, _ = must(t, "inspect", adapter, merged, filepath.Join(merged, "model.safetensors"))
	for _, want := range []string{"rank      16", "base      " + storiesDir, "layers    5 of width 64", "8 queries, 4 keys/values of 8", "tied head", "47 F32", "format: pt", "260K parameters", "model.norm.weight"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	code, _, message := graft(t, "", "train", "--model", storiesDir, "--data", file, "--out", adapter)
	if code != 1 || !strings.Contains(message, "holds an adapter already") {
		t.Errorf("exit %d: %s", code, message)
	}
	must(t, "train", "--model", storiesDir, "--data", file, "--adapter", adapter, "--out", adapter, "--overwrite", "--steps", "1", "--batch", "2")
}

func TestFullFineTuning(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "data.txt")
	if err := os.WriteFile(file, []byte("Once upon a time, qqq."), 0o666); err != nil {
		t.Fatal(err)
	}
	full := filepath.Join(dir, "full")
	must(t, "train", "--full", "--model", storiesDir, "--data", file, "--out", full, "--steps", "20", "--lr", "0.003")
	if out, _ := must(t, "generate", "--model", full, "--prompt", "Once upon a time"); out != ", qqq.\n" {
		t.Errorf("the tuned model says %q", out)
	}
}

func TestFaults(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "data.jsonl")
	if err := os.WriteFile(file, []byte(`{"text":"a"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	train := []string{"train", "--model", storiesDir, "--data", file, "--out", out}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "usage: graft COMMAND", nil},
		{2, `unknown command "fly"`, []string{"fly"}},
		{2, "flag provided but not defined: -fast", []string{"train", "--fast"}},
		{2, "--model is missing", []string{"train"}},
		{2, "--data is missing", []string{"train", "--model", storiesDir}},
		{2, `unexpected argument "x"`, append(train[:len(train):len(train)], "x")},
		{2, "exclude each other", append(train[:len(train):len(train)], "--full", "--adapter", "x")},
		{2, `schedule "steps"`, append(train[:len(train):len(train)], "--schedule", "steps")},
		{2, `optimiser "adam"`, append(train[:len(train):len(train)], "--optimizer", "adam")},
		{2, "merge-aware 2", append(train[:len(train):len(train)], "--merge-aware", "2")},
		{2, "rank -1", append(train[:len(train):len(train)], "--rank", "-1")},
		{2, "learning rate -1", append(train[:len(train):len(train)], "--lr", "-1")},
		{1, `target "query" names no linear layer`, append(train[:len(train):len(train)], "--targets", "query")},
		{1, `unknown device "tpu"`, append(train[:len(train):len(train)], "--device", "tpu")},
		{1, "is neither a number of workers nor float32", append(train[:len(train):len(train)], "--device", "cpu:many")},
		{1, "no-such-file", []string{"train", "--model", storiesDir, "--data", "no-such-file.jsonl", "--out", out}},
		{1, "neither model.safetensors nor", []string{"generate", "--model", dir, "--prompt", "x"}},
		{2, "no prompt", []string{"generate", "--model", storiesDir}},
		{2, "temperature -1", []string{"generate", "--model", storiesDir, "--temperature", "-1"}},
		{1, "has no tokenizer.json", []string{"generate", "--model", tiny.Dir(t, nil), "--prompt", "x"}},
		{2, "--adapter and --out are needed", []string{"merge", "--model", storiesDir}},
		{1, "adapter_config.json", []string{"merge", "--model", storiesDir, "--adapter", dir, "--out", out}},
		{2, "no path given", []string{"inspect"}},
		{1, "neither a model", []string{"inspect", dir}},
		{1, "no such file", []string{"inspect", filepath.Join(dir, "no")}},
		{1, "too few for the length of a header", []string{"inspect", emptyish(t)}},
	} {
		code, _, message := graft(t, "", c.args...)
		if code != c.code || !strings.Contains(message, c.want) {
			t.Errorf("graft %v: exit %d, %s; want %d, %q", c.args, code, message, c.code, c.want)
		}
		if strings.Contains(message, "goroutine ") {
			t.Errorf("graft %v: a stack trace", c.args)
		}
	}
	if entries, _ := os.ReadDir(out); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func emptyish(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := os.WriteFile(path, []byte("abc"), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHelp(t *testing.T) {
	out, _ := must(t, "help")
	for _, c := range commands {
		if !strings.Contains(out, "  "+c.name+" ") {
			t.Errorf("help does not name %s", c.name)
		}
		text, _ := must(t, c.name, "--help")
		if !strings.HasPrefix(text, "usage: graft "+c.name) {
			t.Errorf("graft %s --help: %s", c.name, text)
		}
	}
	if out, _ := must(t, "version"); !strings.HasPrefix(out, "graft ") {
		t.Error(out)
	}
}

// A stopper stops a run after it has shown some steps.
type stopper struct {
	after int
	stop  func()
}

func (s *stopper) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte("step ")) {
		if s.after--; s.after == 0 {
			s.stop()
		}
	}
	return len(b), nil
}
