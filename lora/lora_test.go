package lora

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/kerneltest"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/safetensors"
)

func openTiny(t *testing.T, changes map[string]any) *model.Model {
	t.Helper()
	return openDir(t, kernels.Checked(cpu.New(2)), tiny.Dir(t, changes))
}

func openDir(t *testing.T, dev kernels.Device, dir string) *model.Model {
	t.Helper()
	m, err := model.Open(dev, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// attachRandom attaches an adapter whose B is not zero.
func attachRandom(t *testing.T, m *model.Model, c Config) *Adapter {
	t.Helper()
	a, err := Attach(m, c)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range a.Params() {
		v := make([]float32, p.Value.Len())
		random.New(9, random.Adapter, uint64(i)).Normal(v, 0.2)
		m.Device.Write(p.Value, v)
	}
	return a
}

func batch(n int) model.Batch {
	ids := tiny.Tokens(n, 5)
	return model.Batch{Tokens: ids, Labels: ids, Starts: []int32{0, int32(n / 3)}}
}

func logits(t *testing.T, m *model.Model) []float32 {
	t.Helper()
	p := m.NewPass()
	defer p.Close()
	l, err := p.Logits(batch(20))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func worst(a, b []float32) (d float64) {
	for i := range a {
		d = max(d, math.Abs(float64(a[i])-float64(b[i])))
	}
	return d
}

func names(a *Adapter) (list []string) {
	for _, b := range a.branches {
		list = append(list, b.linear.Name)
	}
	return list
}

func TestTargets(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		n      int
		first  string
	}{
		"zero value":    {Config{}, 14, "model.layers.0.self_attn.q_proj"},
		"all-linear":    {Config{Targets: []string{"all-linear"}}, 14, "model.layers.0.self_attn.q_proj"},
		"suffixes":      {Config{Targets: []string{"v_proj", "down_proj"}}, 4, "model.layers.0.self_attn.v_proj"},
		"longer suffix": {Config{Targets: []string{"layers.1.mlp.up_proj"}}, 1, "model.layers.1.mlp.up_proj"},
		"whole name":    {Config{Targets: []string{"model.layers.0.self_attn.k_proj"}}, 1, "model.layers.0.self_attn.k_proj"},
		"head":          {Config{Targets: []string{"lm_head"}}, 1, "lm_head"},
		"pattern":       {Config{Pattern: `.*\.1\..*(q|k)_proj`}, 2, "model.layers.1.self_attn.q_proj"},
	} {
		a, err := Attach(openTiny(t, nil), c.config)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := names(a); len(got) != c.n || got[0] != c.first {
			t.Errorf("%s: adapts %v", name, got)
		}
	}
}

// An adapter of some layers is that of all with the others left out: what it
// has and what it learns is the same, and its file says which layers.
func TestLayers(t *testing.T) {
	m, whole := openTiny(t, nil), openTiny(t, nil)
	if _, err := Attach(m, Config{Layers: []int{2}}); err == nil || !strings.Contains(err.Error(), "layer 2: the model has 2") {
		t.Errorf("error %v", err)
	}
	a, b := attachRandom(t, m, Config{Layers: []int{1}}), attachRandom(t, whole, Config{})
	if n := len(a.branches); n != 7 || a.branches[0].linear.Name != "model.layers.1.self_attn.q_proj" {
		t.Errorf("%d branches from %s", n, a.branches[0].linear.Name)
	}
	for i, p := range a.Params() {
		m.Device.Write(p.Value, read(whole.Device, b.Params()[14+i].Value))
	}
	for _, p := range b.Params()[:14] {
		whole.Device.Fill(p.Value, 0)
	}
	for _, m := range []*model.Model{m, whole} {
		p := m.NewPass()
		if err := p.LossGrad(batch(20), 18, &model.Loss{}); err != nil {
			t.Fatal(err)
		}
		p.Close()
	}
	for i, p := range a.Params() {
		if !slices.Equal(read(m.Device, p.Grad), read(whole.Device, b.Params()[14+i].Grad)) {
			t.Errorf("the gradient of %s differs", p.Name)
		}
	}
	dir := t.TempDir()
	if err := a.Save(dir); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(openTiny(t, nil), dir)
	if err != nil || !slices.Equal(loaded.Config.Layers, []int{1}) || len(loaded.branches) != 7 {
		t.Errorf("loaded %+v, %v", loaded, err)
	}
}

func read(dev kernels.Device, t kernels.Tensor) []float32 {
	v := make([]float32, t.Len())
	dev.Read(v, t)
	return v
}

func TestConfigFaults(t *testing.T) {
	m := openTiny(t, nil)
	for want, c := range map[string]Config{
		"rank -1: must be positive":                     {Rank: -1},
		"alpha -2: must be positive":                    {Alpha: -2},
		"dropout 1: must be at least 0 and less than 1": {Dropout: 1},
		"both targets and a pattern":                    {Targets: []string{"q_proj"}, Pattern: "x"},
		`target "all-linear" stands alone`:              {Targets: []string{"all-linear", "lm_head"}},
		"pattern: error parsing regexp":                 {Pattern: "("},
		`target "query" names no linear layer of the model: it has q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head`: {Targets: []string{"q_proj", "query"}},
		`target "_proj" names no linear layer`:     {Targets: []string{"_proj"}},
		`pattern "q_proj" matches no linear layer`: {Pattern: "q_proj"},
	} {
		if _, err := Attach(m, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if len(m.Params()) != 0 {
		t.Error("a refused adapter left branches behind")
	}
}

func TestFreshAdapterChangesNothing(t *testing.T) {
	m := openTiny(t, nil)
	before := logits(t, m)
	a, err := Attach(m, Config{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, logits(t, m)) {
		t.Error("logits changed")
	}
	if err := a.Save(t.TempDir()); !errors.Is(err, ErrUntrained) {
		t.Errorf("error %v", err)
	}
	if err := a.SaveUntrained(t.TempDir()); err != nil {
		t.Error(err)
	}
	if _, err := Attach(m, Config{}); err == nil || !strings.Contains(err.Error(), "has an adapter already") {
		t.Errorf("error %v", err)
	}
	a.Detach()
	if _, err := Attach(m, Config{}); err != nil {
		t.Error(err)
	}
}

// A starts uniform within 1/√in, by the seed and the layer alone.
func TestInitialValues(t *testing.T) {
	read := func(c Config) map[string][]float32 {
		m, all := openTiny(t, nil), map[string][]float32{}
		a, err := Attach(m, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range a.Params() {
			v := make([]float32, p.Value.Len())
			m.Device.Read(v, p.Value)
			all[p.Name] = v
		}
		return all
	}
	all, part, other := read(Config{Seed: 1}), read(Config{Seed: 1, Targets: []string{"v_proj"}}), read(Config{Seed: 2})
	for name, v := range all {
		bound := 1 / math.Sqrt(float64(len(v)/16))
		if strings.Contains(name, "lora_B") {
			bound = 0
		}
		if top := worst(v, make([]float32, len(v))); top > bound || bound > 0 && top < 0.9*bound {
			t.Errorf("%s reaches %v, want %v", name, top, bound)
		}
		if bound > 0 && slices.Equal(v, other[name]) {
			t.Errorf("%s is the same for two seeds", name)
		}
		if p, ok := part[name]; ok && !slices.Equal(v, p) {
			t.Errorf("%s depends on which layers are adapted", name)
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	for name, c := range map[string]Config{
		"default": {}, "rslora": {Rank: 4, Alpha: 8, RSLoRA: true}, "some": {Rank: 3, Targets: []string{"v_proj", "q_proj"}, Dropout: 0.25},
		"pattern": {Pattern: `.*\.up_proj`}, "head": {Targets: []string{"lm_head", "k_proj"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, out := tiny.Dir(t, nil), filepath.Join(t.TempDir(), "new", "adapter")
			m := openDir(t, kernels.Checked(cpu.New(2)), dir)
			a := attachRandom(t, m, c)
			want := logits(t, m)
			if err := a.Save(out); err != nil {
				t.Fatal(err)
			}
			m = openDir(t, kernels.Checked(cpu.New(2)), dir)
			b, err := Load(m, out)
			if err != nil {
				t.Fatal(err)
			}
			if got := logits(t, m); !slices.Equal(got, want) {
				t.Errorf("logits differ by %v", worst(got, want))
			}
			if b.Config.Rank != a.Config.Rank || b.Config.Alpha != a.Config.Alpha || b.Config.RSLoRA != c.RSLoRA || b.Config.Dropout != c.Dropout || b.Config.Base != dir {
				t.Errorf("config %+v", b.Config)
			}
			again := filepath.Join(t.TempDir(), "again")
			if err := b.Save(again); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{tensorFile, configFile} {
				x, _ := os.ReadFile(filepath.Join(out, file))
				y, _ := os.ReadFile(filepath.Join(again, file))
				if len(x) == 0 || !bytes.Equal(x, y) {
					t.Errorf("%s saved again differs", file)
				}
			}
		})
	}
}

func TestSavedConfig(t *testing.T) {
	m, out := openTiny(t, nil), t.TempDir()
	if err := attachRandom(t, m, Config{Base: "org/base"}).Save(out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(out, configFile))
	const want = `{
  "base_model_name_or_path": "org/base",
  "bias": "none",
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "lora_alpha": 32,
  "lora_dropout": 0,
  "peft_type": "LORA",
  "r": 16,
  "target_modules": [
    "down_proj",
    "gate_proj",
    "k_proj",
    "o_proj",
    "q_proj",
    "up_proj",
    "v_proj"
  ],
  "task_type": "CAUSAL_LM",
  "use_rslora": false
}
`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}

func TestSaveRefusesNaN(t *testing.T) {
	m, out := openTiny(t, nil), t.TempDir()
	a := attachRandom(t, m, Config{})
	if err := a.Save(out); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(filepath.Join(out, tensorFile))
	p := a.Params()[3]
	v := make([]float32, p.Value.Len())
	v[7] = float32(math.NaN())
	m.Device.Write(p.Value, v)
	if err := a.Save(out); err == nil || !strings.Contains(err.Error(), p.Name+": element 7 is NaN") {
		t.Errorf("error %v", err)
	}
	if after, _ := os.ReadFile(filepath.Join(out, tensorFile)); !bytes.Equal(before, after) {
		t.Error("the adapter before was overwritten")
	}
}

func TestMergeComputesTheSame(t *testing.T) {
	for _, c := range []struct {
		dtype safetensors.DType
		bound float64
	}{{safetensors.F32, 2e-5}, {safetensors.BF16, 0.2}, {safetensors.F16, 0.02}} {
		ck := tiny.New(tiny.Config(nil), 1)
		ck.DType = c.dtype
		m := openDir(t, kernels.Checked(cpu.New(2)), ck.Write(t))
		base := logits(t, m)
		a := attachRandom(t, m, Config{Rank: 4, Alpha: 8})
		want := logits(t, m)
		format := m.Blocks[0].MLP.Up.W.Format
		if err := a.Merge(); err != nil {
			t.Fatal(err)
		}
		got := logits(t, m)
		if d := worst(got, want); !(d < c.bound) || worst(base, want) < 5*c.bound {
			t.Errorf("%s: merged logits differ by %v of %v", c.dtype, d, worst(base, want))
		}
		if m.Blocks[0].MLP.Up.W.Format != format || len(m.Params()) != 0 {
			t.Errorf("%s: format %v, %d parameters", c.dtype, m.Blocks[0].MLP.Up.W.Format, len(m.Params()))
		}
		if err := a.Merge(); err == nil {
			t.Error("merged twice")
		}
		out := filepath.Join(t.TempDir(), "merged")
		if err := m.Save(out); err != nil {
			t.Fatal(err)
		}
		if again := logits(t, openDir(t, kernels.Checked(cpu.New(2)), out)); !slices.Equal(again, got) {
			t.Errorf("%s: saved logits differ by %v", c.dtype, worst(again, got))
		}
	}
}

func TestMergeRefusesATiedHead(t *testing.T) {
	m := openTiny(t, map[string]any{"tie_word_embeddings": true})
	a := attachRandom(t, m, Config{Targets: []string{"lm_head", "q_proj"}})
	want := logits(t, m)
	if err := a.Merge(); err == nil || !strings.Contains(err.Error(), "lm_head is the embedding as well") {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(logits(t, m), want) {
		t.Error("a refused merge changed the model")
	}
	if err := m.Save(filepath.Join(t.TempDir(), "x")); err == nil || !strings.Contains(err.Error(), "has an adapter") {
		t.Errorf("error %v", err)
	}
}

// step returns the loss and gradients of one batch.
func step(t *testing.T, m *model.Model, recompute bool) (float64, [][]float32) {
	t.Helper()
	p := m.NewPass()
	defer p.Close()
	p.Recompute, p.Seed, p.Step = recompute, 5, 3
	var loss model.Loss
	b := batch(20)
	if err := p.LossGrad(b, b.CountLabels(), &loss); err != nil {
		t.Fatal(err)
	}
	var all [][]float32
	for _, param := range m.Params() {
		g := make([]float32, param.Grad.Len())
		m.Device.Read(g, param.Grad)
		m.Device.Fill(param.Grad, 0)
		all = append(all, g)
	}
	return loss.Mean(), all
}

// With dropout, the gradient must be that of the loss under the same masks: a
// small step along it changes the loss by its squared length.
func TestDropoutGradient(t *testing.T) {
	m := openTiny(t, nil)
	a := attachRandom(t, m, Config{Rank: 4, Alpha: 2, Dropout: 0.3})
	plain, _ := step(t, m, false)
	loss, grads := step(t, m, false)
	again, same := step(t, m, true)
	if loss != plain || loss != again || !slices.EqualFunc(grads, same, slices.Equal[[]float32]) {
		t.Error("the same step gives other masks")
	}
	var length float64
	move := func(by float32) {
		for i, p := range a.Params() {
			v := make([]float32, p.Value.Len())
			m.Device.Read(v, p.Value)
			for j := range v {
				v[j] += by * grads[i][j]
			}
			m.Device.Write(p.Value, v)
		}
	}
	for _, g := range grads {
		for _, x := range g {
			length += float64(x) * float64(x)
		}
	}
	h := float32(1e-3 / math.Sqrt(length))
	move(h)
	up, _ := step(t, m, false)
	move(-2 * h)
	down, _ := step(t, m, false)
	if slope := (up - down) / float64(2*h); !(math.Abs(slope-length) < 0.01*length) {
		t.Errorf("slope %v, squared gradient %v", slope, length)
	}
	p := m.NewPass()
	defer p.Close()
	var eval model.Loss
	move(h)
	if err := p.Loss(batch(20), &eval); err != nil || math.Abs(eval.Mean()-loss) < 1e-6 {
		t.Errorf("evaluation drops out too: %v", eval.Mean())
	}
}

// The second device keeps activations in bfloat16 where Go cannot reach them.
func TestOpaqueDevice(t *testing.T) {
	dir := tiny.Dir(t, nil)
	m := openDir(t, kernels.Checked(cpu.New(2)), dir)
	attachRandom(t, m, Config{Rank: 3, Alpha: 3, Dropout: 0.2})
	want, exact := step(t, m, false)
	m = openDir(t, kernels.Checked(kerneltest.NewOpaque(cpu.New(2))), dir)
	a := attachRandom(t, m, Config{Rank: 3, Alpha: 3, Dropout: 0.2})
	got, rough := step(t, m, true)
	if !(math.Abs(got-want) < 0.02*want) || got == want {
		t.Errorf("loss %v, in float32 %v", got, want)
	}
	for i, g := range rough {
		var off, length float64
		for j := range g {
			off += math.Pow(float64(g[j]-exact[i][j]), 2)
			length += math.Pow(float64(exact[i][j]), 2)
		}
		if !(math.Sqrt(off/length) < 0.1) {
			t.Errorf("gradient %s is off by %v", a.Params()[i].Name, math.Sqrt(off/length))
		}
	}
	if err := a.Merge(); err != nil {
		t.Error(err)
	}
}
