package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/train"
)

// A job is a small run: its flags but --out.
func job(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "data.jsonl")
	lines := ""
	for _, word := range []string{"zip", "zap", "zop"} {
		lines += `{"prompt":"Once upon a time","completion":", ` + word + `."}` + "\n"
	}
	if err := os.WriteFile(file, []byte(lines), 0o666); err != nil {
		t.Fatal(err)
	}
	return []string{"train", "--model", storiesDir, "--data", file, "--batch", "2", "--steps", "6", "--lr", "0.01", "--dropout", "0.1", "--seed", "3"}
}

// interrupted starts a run and stops it after some steps.
func interrupted(t *testing.T, steps int, args ...string) (out string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var o bytes.Buffer
	if code := run(ctx, streams{nil, &o, &stopper{after: steps, stop: cancel}}, args); code != 0 {
		t.Fatalf("exit %d: %s", code, o.String())
	}
	return o.String()
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// An interrupted run exits with 0 and says how to go on; that ends in the same
// files.
func TestInterruptAndResume(t *testing.T) {
	args, dir := job(t), t.TempDir()
	whole, cut := filepath.Join(dir, "whole"), filepath.Join(dir, "a cut")
	must(t, append(args, "--out", whole)...)
	out := interrupted(t, 2, append(args, "--out", cut)...)
	if !strings.Contains(out, "interrupted after 2 of 6 steps; go on with\n\n  graft resume '"+cut+"'\n") {
		t.Errorf("it says %s", out)
	}
	must(t, "generate", "--model", storiesDir, "--adapter", filepath.Join(cut, "snapshots", "step-00000002"), "--prompt", "Once", "--max-tokens", "2")
	code, _, message := graft(t, "", append(args, "--out", cut)...)
	if code != 1 || !strings.Contains(message, "holds snapshots of a run: go on with it by --resume") {
		t.Errorf("exit %d: %s", code, message)
	}
	out, progress := must(t, "resume", cut)
	if !strings.Contains(out, "saved after 6 steps") || !strings.Contains(progress, "resumed from") || strings.Contains(progress, "step 2/6") || !strings.Contains(progress, "step 3/6") {
		t.Errorf("%s%s", out, progress)
	}
	for _, file := range []string{"adapter_model.safetensors", "adapter_config.json"} {
		if !bytes.Equal(read(t, whole, file), read(t, cut, file)) {
			t.Errorf("%s: other bytes", file)
		}
	}
}

// A run that has ended is not begun again, unless it was killed before it said
// where its result comes from.
func TestResumeOfAnEndedRun(t *testing.T) {
	for _, how := range []string{"", "--full"} {
		args, out := job(t), filepath.Join(t.TempDir(), "out")
		result := "adapter_model.safetensors"
		if how != "" {
			args, result = append(args, how), "model.safetensors"
		}
		must(t, append(args, "--out", out, "--save-every", "4")...)
		code, _, message := graft(t, "", "resume", out)
		if code != 1 || !strings.Contains(message, "has ended: graft verify") {
			t.Errorf("exit %d: %s", code, message)
		}
		want := read(t, out, result)
		os.Remove(filepath.Join(out, "provenance.json"))
		must(t, "resume", out)
		if !bytes.Equal(read(t, out, result), want) || len(read(t, out, "provenance.json")) == 0 {
			t.Errorf("%s: other bytes", result)
		}
	}
}

// A run that fails says where to go on from, if there is anything.
func TestFailureNamesTheSnapshot(t *testing.T) {
	x := training{out: filepath.Join(t.TempDir(), "out")}
	interrupted(t, 2, append(job(t), "--out", x.out)...)
	nan := errors.New("the loss is NaN")
	care := train.Care{Snapshots: &train.Snapshots{Dir: x.snapshots()}}
	if got, want := x.failed(nan, care).Error(), "the loss is NaN\nThe last snapshot holds 2 steps; graft resume "+x.out+" goes on from it"; got != want {
		t.Errorf("it says %s", got)
	}
	care.Snapshots.Dir = t.TempDir()
	if x.failed(nan, care) != nan || x.failed(nan, train.Care{}) != nan {
		t.Error("a snapshot is named where there is none")
	}
}

// Going on with other settings, or other files, is refused with what differs.
func TestResumeRefuses(t *testing.T) {
	args, out := job(t), filepath.Join(t.TempDir(), "out")
	interrupted(t, 2, append(args, "--out", out)...)
	for want, change := range map[string][]string{
		"Config.LR: 0.01 in the snapshot, 0.02 now": {"--lr", "0.02"},
		"lora rank 16 scale 2 dropout 0.1":          {"--rank", "8"},
	} {
		code, _, message := graft(t, "", append(append(args, "--out", out, "--resume"), change...)...)
		if code != 1 || !strings.Contains(message, want) {
			t.Errorf("exit %d: %s", code, message)
		}
	}
	if err := os.WriteFile(args[4], []byte(`{"text":"Once upon a time"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	code, _, message := graft(t, "", "resume", out)
	if code != 1 || !strings.Contains(message, "the data's hash") {
		t.Errorf("exit %d: %s", code, message)
	}
	code, _, message = graft(t, "", "resume", t.TempDir())
	if code != 1 || !strings.Contains(message, "no run.json") {
		t.Errorf("exit %d: %s", code, message)
	}
	must(t, append(args, "--out", out, "--overwrite")...)
}

func TestCaringFaults(t *testing.T) {
	for want, args := range map[string][]string{
		"--patience needs --eval and --eval-every": {"--patience", "2"},
		"--eval-every needs --eval":                {"--eval-every", "2"},
		"--no-snapshots excludes":                  {"--no-snapshots", "--resume"},
		"must not be negative":                     {"--save-every", "-1"},
		"--keep must be positive":                  {"--keep", "0"},
	} {
		code, _, message := graft(t, "", append(append(job(t), "--out", t.TempDir()), args...)...)
		if code != 2 || !strings.Contains(message, want) {
			t.Errorf("exit %d: %s", code, message)
		}
	}
}

// With patience the best evaluation's adapter is what is saved.
func TestEarlyStopping(t *testing.T) {
	args, out := job(t), filepath.Join(t.TempDir(), "out")
	args = append(args, "--steps", "40", "--lr", "0.2", "--schedule", "constant", "--warmup", "0", "--out", out, "--eval", args[4], "--eval-every", "1", "--patience", "2", "--save-every", "3")
	said, progress := must(t, args...)
	if !strings.Contains(said, "the best") || !strings.Contains(progress, "held out after 1 steps: loss") || !strings.Contains(progress, "no evaluation has been better") {
		t.Errorf("%s%s", said, progress)
	}
	var p struct {
		Results struct {
			Steps       int
			Evaluations []struct {
				Step int
				Loss float64
			}
		}
	}
	if said, _ := must(t, "verify", out); !strings.Contains(said, "ok      held out "+args[4]) {
		t.Errorf("verify says %s", said)
	}
	if err := json.Unmarshal(read(t, out, "provenance.json"), &p); err != nil || p.Results.Steps == 40 || len(p.Results.Evaluations) != p.Results.Steps {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestVerify(t *testing.T) {
	args, dir := job(t), t.TempDir()
	out := filepath.Join(dir, "out")
	must(t, append(args, "--out", out)...)
	base, err := filepath.Abs(storiesDir)
	if err != nil {
		t.Fatal(err)
	}
	said, _ := must(t, "verify", out, "--reproduce")
	for _, want := range []string{"ok      2 files", "ok      base " + base, "ok      data " + args[4], "ok      trained again"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in %s", want, said)
		}
	}
	fails := func(want string, args ...string) {
		t.Helper()
		if code, said, _ := graft(t, "", append([]string{"verify", out}, args...)...); code != 1 || !strings.Contains(said, want) {
			t.Errorf("exit %d: %s", code, said)
		}
	}
	adapter := filepath.Join(out, "adapter_model.safetensors")
	text := read(t, adapter)
	text[len(text)-1] ^= 1
	os.WriteFile(adapter, text, 0o666)
	fails("FAILED  2 files: " + adapter + ": its content is not what was written")
	text[len(text)-1] ^= 1
	os.WriteFile(adapter, text, 0o666)
	fails("FAILED  data /none: ", "--data", "/none")
	fails("FAILED  base "+dir, "--model", dir)
	os.WriteFile(args[4], []byte("{}"), 0o666)
	fails("FAILED  data " + args[4] + ": its hash is ")
	if code, _, message := graft(t, "", "verify", dir); code != 1 || !strings.Contains(message, "provenance.json") {
		t.Errorf("exit %d: %s", code, message)
	}
}
