package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/kerneltest"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
)

// A trial is a run to be started as often as a test asks for.
type trial struct {
	dir    string // of the base
	dev    kernels.Device
	set    Set
	lora   lora.Config
	config Config
}

func newTrial(t *testing.T) trial {
	return trial{
		dir: tiny.Dir(t, nil), dev: kernels.Checked(cpu.New(1)), set: randomSet(5), lora: lora.Config{Rank: 4, Dropout: 0.1},
		config: Config{Epochs: 2, Batch: 2, MicroTokens: 1, LR: 1e-2},
	}
}

func (x trial) start(t *testing.T) (*Run, *lora.Adapter) {
	t.Helper()
	m, a := adaptedDir(t, x.dev, x.lora, x.dir)
	run, err := New(m, x.set, x.config)
	if err != nil {
		t.Fatal(err)
	}
	return run, a
}

// resume starts again from the newest snapshot in dir.
func (x trial) resume(t *testing.T, dir string) (*Run, *lora.Adapter) {
	t.Helper()
	run, a := x.start(t)
	s, _, err := (&Snapshots{Dir: dir}).Newest()
	if err == nil {
		err = run.Resume(s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return run, a
}

// rest runs to the end, or the end of ctx.
func rest(t *testing.T, run *Run, ctx context.Context) {
	t.Helper()
	for _, err := range run.Steps(ctx) {
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
	}
}

func cut(batches int) context.Context { return countdown{context.Background(), &batches} }

func (x trial) whole(t *testing.T) [][]float32 {
	t.Helper()
	run, a := x.start(t)
	rest(t, run, context.Background())
	return values(run.model, a)
}

func equal(a, b [][]float32) bool { return slices.EqualFunc(a, b, slices.Equal[[]float32]) }

// A run that is cut after any batch and goes on from its snapshot in another
// process ends in the same bits, with other workers and batches too.
func TestResumeChangesNoBit(t *testing.T) {
	x := newTrial(t)
	want := x.whole(t)
	for batches := range 10 {
		dir := t.TempDir()
		run, _ := x.start(t)
		rest(t, run, cut(batches))
		saved, err := (&Snapshots{Dir: dir, disk: fastDisk{}}).Save(run)
		if err != nil {
			t.Fatal(err)
		}
		y := x
		y.dev, y.config.MicroTokens = kernels.Checked(cpu.New(1+batches%3*2)), []int{1, 30, 0}[batches%3]
		again, a := y.resume(t, dir)
		if saved.Step != again.Done() {
			t.Errorf("batch %d: saved at step %d, resumed at %d", batches, saved.Step, again.Done())
		}
		rest(t, again, context.Background())
		if !equal(values(again.model, a), want) {
			t.Errorf("cut after batch %d: other bits", batches)
		}
	}
}

// Resuming works where Go cannot reach the tensors, and for weights of the base.
func TestResumeElsewhere(t *testing.T) {
	x := newTrial(t)
	x.dev = kernels.Checked(kerneltest.NewOpaque(cpu.New(2)))
	want, dir := x.whole(t), t.TempDir()
	run, _ := x.start(t)
	rest(t, run, cut(5))
	if _, err := (&Snapshots{Dir: dir, disk: fastDisk{}}).Save(run); err != nil {
		t.Fatal(err)
	}
	again, a := x.resume(t, dir)
	rest(t, again, context.Background())
	if !equal(values(again.model, a), want) {
		t.Error("on an opaque device: other bits")
	}
}

// tuned opens a model whose embedding is its head and whose every weight trains,
// and starts a run.
func tuned(t *testing.T, base string, c Config) *Run {
	t.Helper()
	m, err := model.Open(kernels.Checked(cpu.New(2)), base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if err := m.Unfreeze(func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	r, err := New(m, randomSet(5), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestResumeFullFineTuning(t *testing.T) {
	dir, base := t.TempDir(), tiny.Dir(t, map[string]any{"tie_word_embeddings": true})
	c := Config{Batch: 2, Epochs: 2, LR: 1e-3, MicroTokens: 1}
	whole, part := tuned(t, base, c), tuned(t, base, c)
	rest(t, whole, context.Background())
	rest(t, part, cut(5))
	saved, err := (&Snapshots{Dir: dir, disk: fastDisk{}}).Save(part)
	if err != nil {
		t.Fatal(err)
	}
	s, err := OpenSnapshot(saved.Path)
	if err != nil {
		t.Fatal(err)
	}
	again := tuned(t, base, c)
	if err := again.Resume(s); err != nil {
		t.Fatal(err)
	}
	rest(t, again, context.Background())
	for i, p := range again.grads.params {
		a, b := make([]float32, p.Value.Len()), make([]float32, p.Value.Len())
		again.model.Device.Read(a, p.Value)
		whole.model.Device.Read(b, whole.grads.params[i].Value)
		if !slices.Equal(a, b) {
			t.Errorf("%s: other bits", p.Name)
		}
	}
	c.MicroTokens = 100 // changes the order of two sums here
	if err := tuned(t, base, c).Resume(s); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), "Config.MicroTokens: 1 in the snapshot, 100 now") {
		t.Errorf("error %v", err)
	}
}

// A snapshot is refused by a run that differs from its own, which says in what.
func TestResumeRefuses(t *testing.T) {
	x, dir := newTrial(t), t.TempDir()
	run, _ := x.start(t)
	rest(t, run, cut(3))
	if _, err := (&Snapshots{Dir: dir, disk: fastDisk{}}).Save(run); err != nil {
		t.Fatal(err)
	}
	quantized := func(y *trial) { y.dir = tiny.New(tiny.Config(nil), 2).Write(t) }
	for want, change := range map[string]func(y *trial){
		"the base model's hash: ":                           quantized,
		"the data's hash: ":                                 func(y *trial) { y.set = randomSet(6) },
		"Config.LR: 0.01 in the snapshot, 0.02 now":         func(y *trial) { y.config.LR = 0.02 },
		"Config.Schedule: cosine in the snapshot, linear":   func(y *trial) { y.config.Schedule = Linear },
		"Config.Warmup: ":                                   func(y *trial) { y.config.Warmup = 0.5 },
		"Config.Epochs: 2 in the snapshot, 3 now":           func(y *trial) { y.config.Epochs = 3 },
		"Config.Steps: ":                                    func(y *trial) { y.config.Steps = 9 },
		"Config.Batch: ":                                    func(y *trial) { y.config.Batch = 3 },
		"Config.Clip: ":                                     func(y *trial) { y.config.Clip = 2 },
		"Config.Beta1: ":                                    func(y *trial) { y.config.Beta1 = 0.8 },
		"Config.Beta2: ":                                    func(y *trial) { y.config.Beta2 = 0.8 },
		"Config.Eps: ":                                      func(y *trial) { y.config.Eps = 1e-6 },
		"Config.WeightDecay: ":                              func(y *trial) { y.config.WeightDecay = 0.1 },
		"Config.NoShuffle: false in the snapshot, true now": func(y *trial) { y.config.NoShuffle = true },
		"Config.Seed: ":                                     func(y *trial) { y.config.Seed = 5 },
		"layer model.layers.0.mlp.down_proj: lora rank 4 scale 8 dropout 0.1 in the snapshot, lora rank 8":                  func(y *trial) { y.lora.Rank, y.lora.Alpha = 8, 64 },
		"dropout 0.1 in the snapshot, lora rank 4 scale 8 dropout 0.2 now":                                                  func(y *trial) { y.lora.Dropout = 0.2 },
		"scale 8 dropout 0.1 in the snapshot, lora rank 4 scale 4":                                                          func(y *trial) { y.lora.Alpha = 16 },
		"layer model.layers.0.mlp.down_proj: lora rank 4 scale 8 dropout 0.1 in the snapshot, as the checkpoint has it now": func(y *trial) { y.lora.Targets = []string{"q_proj"} },
		"Config.LR: 0.01 in the snapshot, 0.5 now\nConfig.Seed: 0 in the snapshot, 1 now":                                   func(y *trial) { y.config.LR, y.config.Seed = 0.5, 1 },
	} {
		y := x
		change(&y)
		other, a := y.start(t)
		before := values(other.model, a)
		s, _, err := (&Snapshots{Dir: dir}).Newest()
		if err != nil {
			t.Fatal(err)
		}
		err = other.Resume(s)
		if !errors.Is(err, ErrMismatch) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if other.Done() != 0 || !equal(values(other.model, a), before) {
			t.Errorf("%s: the refused snapshot was loaded", want)
		}
	}
}

// Every setting but those that change no bit is compared.
func TestEveryFieldIsCompared(t *testing.T) {
	run, _ := newTrial(t).start(t)
	free := run.free()
	for i := range reflect.TypeFor[Config]().NumField() {
		c, name := run.Config, reflect.TypeFor[Config]().Field(i).Name
		switch v := reflect.ValueOf(&c).Elem().Field(i); v.Kind() {
		case reflect.Float64:
			v.SetFloat(v.Float() + 1)
		case reflect.Int:
			v.SetInt(v.Int() + 1)
		case reflect.Uint8, reflect.Uint64:
			v.SetUint(v.Uint() + 1)
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		default:
			t.Fatalf("%s is of a kind that this test does not know", name)
		}
		err := (&manifest{Config: run.Config}).mismatch(Origin{}, c, free)
		if slices.Contains(free, name) != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), "Config."+name+": ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// Whatever happens to a file of the newest snapshot, it is noticed and the one
// before is used.
func TestTornSnapshots(t *testing.T) {
	x := newTrial(t)
	damage := map[string]func(text []byte) []byte{
		"cut":     func(b []byte) []byte { return b[:len(b)/2] },
		"emptied": func(b []byte) []byte { return nil },
		"longer":  func(b []byte) []byte { return append(b, 0) },
		"flipped": func(b []byte) []byte { b[len(b)*2/3] ^= 4; return b },
		"removed": nil,
	}
	for _, name := range []string{manifestFile, optimizerFile, "adapter_model.safetensors", "adapter_config.json"} {
		for what, change := range damage {
			dir := t.TempDir()
			shots := &Snapshots{Dir: dir, disk: fastDisk{}, Weights: "adapter_model.safetensors", Beside: map[string][]byte{"adapter_config.json": []byte("{}")}}
			run, _ := x.start(t)
			for n := range 2 {
				rest(t, run, cut(2+n))
				if _, err := shots.Save(run); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(dir, run.state.name(), name)
			if change == nil {
				os.Remove(path)
			} else {
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, change(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			s, faults, err := shots.Newest()
			if err != nil || s.Step() != 1 || len(faults) != 1 || !strings.Contains(faults[0].Error(), name) {
				t.Errorf("%s %s: %v, %v", name, what, faults, err)
				continue
			}
			again, a := x.start(t)
			if err := again.Resume(s); err != nil {
				t.Fatal(err)
			}
			rest(t, again, cut(3))
			if _, err := shots.Save(again); err != nil { // over the one that was damaged
				t.Fatal(err)
			}
			if _, err := OpenSnapshot(filepath.Join(dir, again.state.name())); err != nil {
				t.Error(err)
			}
			_ = a
		}
	}
}

func TestEditedManifest(t *testing.T) {
	x, dir := newTrial(t), t.TempDir()
	run, _ := x.start(t)
	rest(t, run, cut(2))
	saved, err := (&Snapshots{Dir: dir, disk: fastDisk{}}).Save(run)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(saved.Path, manifestFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{`"step": 1`: `"step": 2`, `"LR": 0.01`: `"LR": 0.02`, `"format": 1`: `"format": 2`, `"manifest"`: `"manifests"`} {
		edited := bytes.Replace(text, []byte(from), []byte(to), 1)
		if bytes.Equal(edited, text) {
			t.Fatalf("no %s in %s", from, text)
		}
		os.WriteFile(path, edited, 0o666)
		if _, err := OpenSnapshot(saved.Path); err == nil || !strings.Contains(err.Error(), manifestFile) {
			t.Errorf("%s: error %v", to, err)
		}
	}
	os.WriteFile(path, bytes.ReplaceAll(text, []byte("\n"), []byte("\n\t")), 0o666)
	if _, err := OpenSnapshot(saved.Path); err != nil {
		t.Errorf("other spaces: %v", err)
	}
}

// A manifest that is whole may still be of no use.
func TestManifestFiles(t *testing.T) {
	dir := t.TempDir()
	sum := Checksum{}
	for want, m := range map[string]manifest{
		`no checksum of "optimizer.safetensors"`: {Format: 1, Weights: "w", Files: map[string]Checksum{"w": sum}},
		`no checksum of "w"`:                     {Format: 1, Weights: "w", Files: map[string]Checksum{optimizerFile: sum}},
		`"../w" is no file name`:                 {Format: 1, Weights: "../w", Files: map[string]Checksum{optimizerFile: sum, "../w": sum}},
		"format 7":                               {Format: 7},
	} {
		text, err := m.seal()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, manifestFile), text, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSnapshot(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// A fastDisk does not wait for the real one.
type fastDisk struct{ realDisk }

func (fastDisk) SyncDir(string) error { return nil }

func (d fastDisk) Create(name string) (file, error) {
	f, err := d.realDisk.Create(name)
	return fastFile{f}, err
}

type fastFile struct{ file }

func (fastFile) Sync() error { return nil }

// A badDisk fails at one of its operations, and with dead at all after it, as
// when the program is killed there.
type badDisk struct {
	fastDisk
	left int
	dead bool
}

var errDisk = errors.New("no space left on device")

func (d *badDisk) fault() error {
	d.left--
	if d.left == 0 || d.left < 0 && d.dead {
		return errDisk
	}
	return nil
}

func (d *badDisk) MkdirTemp(dir, pattern string) (string, error) {
	if err := d.fault(); err != nil {
		return "", err
	}
	return d.fastDisk.MkdirTemp(dir, pattern)
}

func (d *badDisk) Create(name string) (file, error) {
	if err := d.fault(); err != nil {
		return nil, err
	}
	f, err := d.fastDisk.Create(name)
	return badFile{f, d}, err
}

func (d *badDisk) Rename(from, to string) error {
	if err := d.fault(); err != nil {
		return err
	}
	return d.fastDisk.Rename(from, to)
}

func (d *badDisk) RemoveAll(name string) error {
	if err := d.fault(); err != nil {
		return err
	}
	return d.fastDisk.RemoveAll(name)
}

func (d *badDisk) SyncDir(name string) error {
	if err := d.fault(); err != nil {
		return err
	}
	return d.fastDisk.SyncDir(name)
}

type badFile struct {
	file
	disk *badDisk
}

// Write writes half of b when it fails.
func (f badFile) Write(b []byte) (int, error) {
	if err := f.disk.fault(); err != nil {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, err
	}
	return f.file.Write(b)
}

func (f badFile) Sync() error {
	if err := f.disk.fault(); err != nil {
		return err
	}
	return f.file.Sync()
}

// Whichever operation fails, or is the last before the program is killed, there
// is a whole snapshot to go on from: the new one or the one before.
func TestBadDisks(t *testing.T) {
	x := newTrial(t)
	x.config.MicroTokens, x.lora.Targets = 0, []string{"q_proj"} // few tensors: few operations
	for _, dead := range []bool{false, true} {
		failed := true
		at := 0
		for at = 1; failed; at++ {
			dir := t.TempDir()
			run, _ := x.start(t)
			rest(t, run, cut(1))
			if _, err := (&Snapshots{Dir: dir, Keep: 1, disk: fastDisk{}}).Save(run); err != nil {
				t.Fatal(err)
			}
			rest(t, run, cut(1))
			d := &badDisk{left: at, dead: dead}
			_, err := (&Snapshots{Dir: dir, Keep: 1, disk: d}).Save(run)
			failed = d.left <= 0
			s, faults, fault := (&Snapshots{Dir: dir}).Newest()
			if fault != nil || len(faults) > 0 || err == nil && s.Step() != 2 {
				t.Fatalf("operation %d: Save %v; step %d, %v, %v", at, err, s.Step(), faults, fault)
			}
			if err != nil && !errors.Is(err, errDisk) {
				t.Errorf("operation %d: error %v", at, err)
			}
			if _, err := (&Snapshots{Dir: dir, Keep: 1, disk: fastDisk{}}).Save(run); err != nil { // the disk is well again
				t.Fatal(err)
			}
			if names := dirNames(t, dir); !slices.Equal(names, []string{"step-00000002"}) {
				t.Errorf("operation %d: %v stay", at, names)
			}
		}
		if at < 20 {
			t.Errorf("a snapshot takes only %d operations", at)
		}
	}
}

func dirNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestReadOnlyFolder(t *testing.T) {
	x := newTrial(t)
	run, _ := x.start(t)
	parent := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(parent, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Snapshots{Dir: filepath.Join(parent, "snapshots")}).Save(run); err == nil {
		t.Error("saved below a file")
	}
	if _, _, err := (&Snapshots{Dir: filepath.Join(t.TempDir(), "none")}).Newest(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestKeep(t *testing.T) {
	x, dir := newTrial(t), t.TempDir()
	run, _ := x.start(t)
	shots := &Snapshots{Dir: dir, Keep: 3, disk: fastDisk{}}
	for n := range 6 {
		run.state.Step = n
		run.state.Evaluations = append(run.state.Evaluations, Evaluation{Step: n, Loss: math.Abs(float64(n) - 1)})
		if saved, err := shots.Save(run); err != nil || saved.Best != (n <= 1) || saved.Step != n {
			t.Errorf("%+v, %v", saved, err)
		}
	}
	if got, want := dirNames(t, dir), []string{"step-00000001", "step-00000003", "step-00000004", "step-00000005"}; !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	if s, err := shots.Best(run); err != nil || s.Step() != 1 {
		t.Errorf("best: %v", err)
	}
}

// What trains is never taken from a snapshot of other tensors, whatever its
// manifest says.
func TestForeignTensors(t *testing.T) {
	x, dir := newTrial(t), t.TempDir()
	run, _ := x.start(t)
	rest(t, run, cut(2))
	saved, err := (&Snapshots{Dir: dir, disk: fastDisk{}}).Save(run)
	if err != nil {
		t.Fatal(err)
	}
	s, err := OpenSnapshot(saved.Path)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(y *trial){
		"no tensor base_model.model.lm_head.lora_A.weight":    func(y *trial) { y.lora.Targets = []string{"lm_head"} },
		"lora_A.weight is F32 [4 16], the run has F32 [3 16]": func(y *trial) { y.lora.Rank = 3 },
	} {
		y := x
		change(&y)
		other, _ := y.start(t)
		if err := other.restore(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// A bytesOptimizer is AdamW with a state on the host.
type bytesOptimizer struct {
	*AdamW
	host []byte
}

func (o *bytesOptimizer) State() ([]State, error) {
	list, err := o.AdamW.State()
	return append(list, State{Name: "codes", Bytes: o.host}), err
}

func TestStateOnTheHost(t *testing.T) {
	x, dir := newTrial(t), t.TempDir()
	run, _ := x.start(t)
	run.opt = &bytesOptimizer{run.opt.(*AdamW), []byte{3, 1, 4}}
	if _, err := (&Snapshots{Dir: dir, disk: fastDisk{}}).Save(run); err != nil {
		t.Fatal(err)
	}
	again, _ := x.start(t)
	host := make([]byte, 3)
	again.opt = &bytesOptimizer{again.opt.(*AdamW), host}
	s, _, err := (&Snapshots{Dir: dir}).Newest()
	if err == nil {
		err = again.Resume(s)
	}
	if err != nil || !bytes.Equal(host, []byte{3, 1, 4}) {
		t.Errorf("%v, %v", host, err)
	}
}

var _ Set = (*data.Set)(nil)
