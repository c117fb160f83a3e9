package train

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-5afa5581/graft/data"
)

func TestProvenance(t *testing.T) {
	x, dir := newTrial(t), t.TempDir()
	run, a := x.start(t)
	rest(t, run, context.Background())
	if err := a.Save(dir); err != nil {
		t.Fatal(err)
	}
	p, err := run.Provenance(90 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if p.Results.Steps != run.Total || p.Results.Samples != 10 || !(p.Results.Loss > 0) || p.Seconds != 90 || p.Origin.Data != run.source.Hash() || len(p.Origin.Base) != 64 || p.Machine.Workers != 1 || p.Version == "" {
		t.Errorf("%+v", p)
	}
	p.Inputs, p.Command = map[string]Input{"base": {Path: x.dir}}, Command{Flags: map[string]string{"batch": "2"}}
	if err := p.Write(dir, []string{"adapter_model.safetensors", "adapter_config.json"}); err != nil {
		t.Fatal(err)
	}
	again, err := ReadProvenance(dir)
	if err != nil {
		t.Fatal(err)
	}
	p.Files = again.Files
	if len(again.Files) != 2 || !reflect.DeepEqual(again, p) {
		t.Errorf("read %+v\nwrote %+v", again, p)
	}
	if err := again.Check(dir); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "adapter_config.json"), []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "adapter_model.safetensors"))
	for _, want := range []string{"adapter_config.json: 2 bytes of", "adapter_model.safetensors: no such file"} {
		if err := again.Check(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if err := p.Write(dir, []string{"none"}); err == nil {
		t.Error("a missing file was described")
	}
}

func TestProvenanceFaults(t *testing.T) {
	for text, want := range map[string]string{
		"{":  "provenance.json: unexpected end",
		"{}": "names no file",
		`{"files":{"../x":{"size":1,"sha256":""}}}`:   `"../x" is no file name`,
		`{"files":{"a/b":{"size":1,"sha256":""}}}`:    `"a/b" is no file name`,
		`{"files":{"x":{"size":"1","sha256":""}}}`:    "cannot unmarshal",
		`{"files":{"x":{}},"config":{"LR":"little"}}`: "cannot unmarshal",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ProvenanceFile), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadProvenance(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

// A brokenSet is on a disk that went away.
type brokenSet struct{ data.List }

func (brokenSet) Err() error { return os.ErrClosed }

func TestUnreadableSet(t *testing.T) {
	x := newTrial(t)
	run, _ := x.start(t)
	if _, err := run.Evaluate(context.Background(), brokenSet{randomSet(2)}); err == nil || !strings.Contains(err.Error(), os.ErrClosed.Error()) {
		t.Errorf("error %v", err)
	}
	x.set = brokenSet{randomSet(2)}
	run, _ = x.start(t)
	for _, err := range run.Steps(context.Background()) {
		if err == nil || !strings.Contains(err.Error(), "train: step 1: "+os.ErrClosed.Error()) {
			t.Errorf("error %v", err)
		}
	}
}

// What is left is told by the steps after the first.
func TestTimeLeft(t *testing.T) {
	now := time.Now()
	c := clock{start: now.Add(-time.Minute)}
	if left := c.left(3); left.Round(time.Second) != 3*time.Minute {
		t.Errorf("after one step: %v", left)
	}
	c.first = now.Add(-10 * time.Second)
	if left := c.left(3); left.Round(time.Second) != 30*time.Second {
		t.Errorf("after two: %v", left)
	}
	if left := c.left(0); left != 0 {
		t.Errorf("at the end: %v", left)
	}
}

// No content of a snapshot.json makes unseal panic, and what it accepts is what
// seal writes.
func FuzzUnseal(f *testing.F) {
	text, err := manifest{Format: snapshotFormat, Total: 3, Files: map[string]Checksum{"a": {1, "b"}}}.seal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"manifest":{"format":1},"sha256":""}`))
	f.Add([]byte(`{"manifest":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := unseal(text)
		if err != nil {
			return
		}
		again, err := m.seal()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := unseal(again); err != nil || !reflect.DeepEqual(back, m) {
			t.Errorf("%+v became %+v, %v", m, back, err)
		}
	})
}
