package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seed-5afa5581/graft/train"
)

// writeRecords writes a file of n records with the same answer.
func writeRecords(t *testing.T, dir string, n int) string {
	t.Helper()
	path := filepath.Join(dir, "data.jsonl")
	record := `{"prompt":"Once upon a time","completion":", zzz zzz zzz."}` + "\n"
	if err := os.WriteFile(path, []byte(strings.Repeat(record, n)), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A run leaves a report that shows the model before and after, a line of metrics
// a step, and an event file.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	file, out := writeRecords(t, dir, 8), filepath.Join(dir, "out")
	must(t, "train", "--model", storiesDir, "--data", file, "--out", out, "--steps", "40", "--batch", "2", "--lr", "0.01", "--eval", file,
		"--eval-every", "20", "--tensorboard", filepath.Join(dir, "board"), "--samples", "2")
	report := contents(t, filepath.Join(out, reportFile))
	for _, want := range []string{"model on data.jsonl", "LoRA of rank 16", "Once upon a time", ", zzz zzz zzz.", "held-out", "SHA-256", "adapter_model.safetensors", "cosine"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report has no %q", want)
		}
	}
	answers := regexp.MustCompile(`<em>(before|after)</em><span class="text">([^<]*)</span>`).FindAllStringSubmatch(report, -1)
	if len(answers) != 4 || strings.Contains(answers[0][2], "zzz zzz") || !strings.Contains(answers[1][2], ", zzz zzz zzz.") {
		t.Errorf("answers %q", answers)
	}
	metrics := contents(t, filepath.Join(out, metricsFile))
	for event, n := range map[string]int{"step": 40, "evaluation": 2, "sample": 6} {
		if got := strings.Count(metrics, `"event":"`+event+`"`); got != n {
			t.Errorf("%d lines of %s, want %d", got, event, n)
		}
	}
	if boards, _ := filepath.Glob(filepath.Join(dir, "board", "events.out.tfevents.*")); len(boards) != 1 {
		t.Errorf("event files %v", boards)
	}
	must(t, "verify", out)
}

// An interrupted run's metrics go on where it goes on, every step once.
func TestMetricsOfAResumedRun(t *testing.T) {
	dir := t.TempDir()
	file, out := writeRecords(t, dir, 8), filepath.Join(dir, "out")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	code := run(ctx, streams{nil, io.Discard, &stopper{after: 12, stop: cancel}}, []string{"train", "--model", storiesDir, "--data", file, "--out", out, "--steps", "30", "--batch", "2"})
	if code != 0 {
		t.Fatalf("exit %d", code)
	}
	must(t, "resume", out)
	n := 0
	for _, line := range strings.Split(contents(t, filepath.Join(out, metricsFile)), "\n") {
		if strings.Contains(line, `"event":"step"`) {
			n++
			if !strings.Contains(line, fmt.Sprintf(`"step":%d,`, n)) {
				t.Errorf("line %d is %s", n, line)
			}
		}
	}
	if n != 30 {
		t.Errorf("%d steps", n)
	}
}

func TestJSONAndQuiet(t *testing.T) {
	dir := t.TempDir()
	file := writeRecords(t, dir, 4)
	arguments := []string{"train", "--model", storiesDir, "--data", file, "--steps", "3", "--batch", "2", "--no-report", "--out"}
	out, err := must(t, append(arguments, filepath.Join(dir, "a"), "--json")...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Errorf("not JSON: %s", l)
		}
	}
	if len(lines) < 3 || !strings.Contains(lines[0], `"event":"step"`) || !strings.Contains(err, "saved after 3 steps") {
		t.Errorf("%s\n%s", out, err)
	}
	out, err = must(t, append(arguments, filepath.Join(dir, "b"), "--quiet", "--no-check")...)
	if err != "" || !strings.Contains(out, "saved after 3 steps") {
		t.Errorf("quiet: %s\n%s", out, err)
	}
	for _, name := range []string{metricsFile, reportFile} {
		if _, err := os.Stat(filepath.Join(dir, "b", name)); err == nil {
			t.Errorf("%s is there in spite of --no-report", name)
		}
	}
}

// A run with --listen answers while it lasts.
func TestListen(t *testing.T) {
	dir := t.TempDir()
	file := writeRecords(t, dir, 4)
	asked := &visitor{t: t, pages: map[string]string{}}
	code := run(t.Context(), streams{nil, io.Discard, asked}, []string{"train", "--model", storiesDir, "--data", file, "--out", filepath.Join(dir, "out"),
		"--steps", "5", "--batch", "2", "--listen", "127.0.0.1:0"})
	if code != 0 || !strings.Contains(asked.pages["/"], "model on data.jsonl") || !strings.Contains(asked.pages["/metrics"], "\ngraft_step 2\n") {
		t.Errorf("exit %d: %v", code, asked.pages)
	}
	code, _, err := graft(t, "", "train", "--model", storiesDir, "--data", file, "--out", filepath.Join(dir, "other"), "--listen", "0.0.0.0:0")
	if code != 1 || !strings.Contains(err, "other machines could reach the page") {
		t.Errorf("exit %d: %s", code, err)
	}
}

// A visitor looks at the pages of a run when its second step is told.
type visitor struct {
	t     *testing.T
	seen  bytes.Buffer
	pages map[string]string
}

var address = regexp.MustCompile(`http://(\S+) shows the run`)

func (v *visitor) Write(b []byte) (int, error) {
	v.seen.Write(b)
	at := address.FindStringSubmatch(v.seen.String())
	if at == nil || !strings.HasPrefix(string(b), "step 3/") {
		return len(b), nil
	}
	for _, path := range []string{"/", "/metrics"} {
		client := http.Client{Timeout: 10 * time.Second}
		answer, err := client.Get("http://" + at[1] + path)
		if err != nil {
			v.t.Error(err)
			continue
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			v.t.Error(err)
		}
		v.pages[path] = string(text)
	}
	return len(b), nil
}

// The bar fits the terminal, and loses what matters least first.
func TestBar(t *testing.T) {
	s := train.Step{N: 120, Of: 400, Smoothed: 2.1334, LR: 1.8e-4, GradNorm: 0.62, TokensPerSec: 912, Memory: 1.62e9, Left: 231 * time.Second}
	full := "███████░░░░░░░░░░░░░░░░░ 120/400  loss 2.1334  lr 1.8e-04  norm 0.62  912 tok/s  1.62 GB  3m51s left"
	for width, want := range map[int]string{
		200: full, utf8.RuneCountInString(full): full,
		79: "███░░░░░░░░░ 120/400  loss 2.1334  lr 1.8e-04  norm 0.62  912 tok/s  3m51s left",
		50: "█████░░░░░░░░░░░░ 120/400  loss 2.1334  3m51s left",
		36: "120/400  loss 2.1334  3m51s left",
		12: "120/400", 3: "",
	} {
		got := bar(s, width)
		if n := utf8.RuneCountInString(got); n > width || got != want {
			t.Errorf("in %d columns: %q of %d, want %q", width, got, n, want)
		}
	}
	var b bytes.Buffer
	p := &progress{w: &b, columns: func() int { return 80 }}
	p.Observe(s)
	p.Observe(train.Evaluation{Step: 120, Loss: 2})
	if text := b.String(); !strings.HasPrefix(text, "\r\x1b[K█") || !strings.Contains(text, "left\nheld out after 120 steps: loss 2.0000  perplexity 7.39") {
		t.Errorf("%q", text)
	}
}

func TestMethods(t *testing.T) {
	dir := t.TempDir()
	file := writeRecords(t, dir, 8)
	for name, extra := range map[string][]string{
		"lion":      {"--optimizer", "lion", "--schedule", "wsd", "--lora-plus", "4", "--neftune", "5"},
		"adafactor": {"--optimizer", "adafactor", "--schedule", "cosine-restarts", "--batch-tokens", "40", "--label-smoothing", "0.1", "--z-loss", "1e-4"},
		"average":   {"--optimizer", "sgd", "--schedule", "inverse-sqrt", "--average", "0.9", "--freeze-layers", "3"},
	} {
		out := filepath.Join(dir, name)
		text, _ := must(t, append([]string{"train", "--model", storiesDir, "--data", file, "--out", out, "--steps", "3", "--batch", "2", "--samples", "0"}, extra...)...)
		if name == "average" {
			if !strings.Contains(text, "the average of the weights") {
				t.Error(text)
			}
			if list, _ := must(t, "inspect", "--tensors", out); strings.Contains(list, "layers.2.") || !strings.Contains(list, "layers.3.") {
				t.Errorf("frozen layers are adapted: %s", list)
			}
		}
	}
	full := filepath.Join(dir, "full")
	must(t, "train", "--full", "--model", storiesDir, "--data", file, "--out", full, "--steps", "2", "--batch", "2", "--freeze-layers", "4", "--samples", "0")
	before, _ := must(t, "inspect", "--tensors", storiesDir)
	after, _ := must(t, "inspect", "--tensors", full)
	same := func(tensor string) bool {
		line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(tensor) + `.*$`)
		return line.FindString(before) == line.FindString(after)
	}
	if !same("model.layers.3.mlp.up_proj.weight") || !same("model.embed_tokens.weight") || same("model.layers.4.mlp.up_proj.weight") {
		t.Errorf("frozen weights moved, or the others did not:\n%s\n%s", before, after)
	}
	for want, arguments := range map[string][]string{
		"the model has 5 layers":  {"--freeze-layers", "5"},
		"must not be negative":    {"--lora-plus", "-1"},
		`optimiser "muon"`:        {"--optimizer", "muon"},
		"--samples must not be":   {"--samples", "-1"},
		"--listen-anywhere needs": {"--listen-anywhere"},
	} {
		code, _, message := graft(t, "", append([]string{"train", "--model", storiesDir, "--data", file, "--out", filepath.Join(dir, "x")}, arguments...)...)
		if code == 0 || !strings.Contains(message, want) {
			t.Errorf("%v: exit %d, %s", arguments, code, message)
		}
	}
}

// What shows a run may fail, such as a metrics file on a full disk: the run says
// so once and goes on.
func TestLostObserver(t *testing.T) {
	var b bytes.Buffer
	v := &viewer{training: &training{}, bar: newProgress(&b)}
	full := &failing{after: 2}
	v.observers = []train.Observer{full, v.bar}
	for n := 1; n <= 5; n++ {
		if err := v.observe(t.Context(), train.Step{N: n, Of: 5}); err != nil {
			t.Fatal(err)
		}
	}
	if full.told != 2 || strings.Count(b.String(), "no longer written: disk full") != 1 || !strings.Contains(b.String(), "step 5/5") {
		t.Errorf("told %d times: %s", full.told, b.String())
	}
}

// A failing observer fails when it is told for the after-th time.
type failing struct{ told, after int }

func (f *failing) Observe(train.Event) error {
	if f.told++; f.told == f.after {
		return errors.New("disk full")
	}
	return nil
}
