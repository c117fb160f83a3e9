package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/quant"
	"github.com/seed-5afa5581/graft/train"
)

// llama8B is the architecture of Llama 3.1 8B.
const llama8B = `{"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
	"num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
	"hidden_act": "silu", "tie_word_embeddings": false, "torch_dtype": "bfloat16"}`

func job(t *testing.T, config string) (j Job) {
	t.Helper()
	var err error
	if j.Model, err = model.ParseConfig([]byte(config)); err != nil {
		t.Fatal(err)
	}
	if j.Storage, err = model.ParseStorage([]byte(config)); err != nil {
		t.Fatal(err)
	}
	return j
}

func (p Plan) bytes(name string) (n int64) {
	for _, x := range p.Parts {
		if x.Name == name {
			n += x.Bytes
		}
	}
	return n
}

// The number of parameters, and so the bytes of weights, are those that the
// model's makers and PEFT give.
func TestLlama8B(t *testing.T) {
	j := job(t, llama8B)
	j.LoRA, j.MaxLen, j.Train = &lora.Config{Rank: 16}, 2048, train.Config{Batch: 1, MicroTokens: 2048}
	dense, err := New(j, GPU("a GPU", 80e9))
	if err != nil {
		t.Fatal(err)
	}
	const parameters, norms, adapter, head = 8_030_261_248, 65 * 4096, 41_943_040, 128256 * 4096
	if dense.Trained != adapter || dense.bytes("weights bf16") != 2*(parameters-norms-head) || dense.HostBytes != 2*head || dense.bytes("norms and biases") != 4*norms {
		t.Errorf("%d parameters train; %+v", dense.Trained, dense.Parts)
	}
	if dense.bytes("adapter") != 4*adapter || dense.bytes("gradients") != 4*adapter || dense.bytes("optimiser") != 8*adapter {
		t.Errorf("adapter %+v", dense.Parts)
	}
	j.Storage.Linears = &quant.Config{}
	four, err := New(j, GPU("a GPU", 24e9))
	if err != nil {
		t.Fatal(err)
	}
	linears := int64(parameters - norms - 2*head)
	const tables = 7 * 32 * (256 + 1024) // what codes stand for, beside each weight
	if want := linears/2 + linears/64 + linears/64/64 + tables; four.bytes("weights nf4") != want || four.bytes("weights bf16") != 2*head {
		t.Errorf("nf4 %d, want %d", four.bytes("weights nf4"), want)
	}
	bytes := j
	bytes.Storage.Linears = &quant.Config{Type: quant.Int8}
	eight, err := New(bytes, GPU("a GPU", 24e9))
	const rows = 32 * (4096 + 1024 + 1024 + 4096 + 14336 + 14336 + 4096)
	if want := linears + 4*rows; err != nil || eight.bytes("weights int8") != want || eight.Total()-four.Total() != want-four.bytes("weights nf4") {
		t.Errorf("int8 %d, want %d: %v", eight.bytes("weights int8"), want, err)
	}
	// Recompute keeps the input of each block as an activation; the residual stream
	// behind the last one and its gradient are float32.
	const stream = 2048 * 4096
	if kept := four.bytes("block inputs kept") - stream*(32*2+2*4); kept < 0 || kept > 1e6 {
		t.Errorf("%d bytes more than the block inputs", kept)
	}
	j.HeldOut = true
	evaluated, err := New(j, GPU("a GPU", 24e9))
	if err != nil {
		t.Fatal(err)
	}
	const limit = 13 << 29 // 6.5 GiB
	if !four.Fits() || four.Total() < 6<<30 || evaluated.Total() < four.Total() || evaluated.Total() > limit {
		t.Errorf("QLoRA takes %d bytes, %d with evaluation", four.Total(), evaluated.Total())
	}
	full := four
	full.Machine.Free = 5e9
	if err := full.Check(); !errors.Is(err, ErrNoRoom) || !strings.Contains(err.Error(), "not even one token fits: choose a smaller model") {
		t.Errorf("error %v", err)
	}
}

// A plan's activations are those that a step on a real device takes, to the byte.
func TestPlanIsWhatAStepTakes(t *testing.T) {
	for name, c := range map[string]struct {
		changes  map[string]any
		quantize *quant.Config
		full     bool
		keep     bool
		lora     lora.Config
	}{
		"lora": {}, "lora, kept": {keep: true}, "dropout": {lora: lora.Config{Dropout: 0.5}}, "one layer": {lora: lora.Config{Targets: []string{"layers.1.mlp.up_proj"}}},
		"qlora": {quantize: &quant.Config{}}, "qlora, kept": {quantize: &quant.Config{}, keep: true}, "int8": {quantize: &quant.Config{Type: quant.Int8}}, "full": {full: true}, "full, kept": {full: true, keep: true},
		"tied":  {changes: map[string]any{"tie_word_embeddings": true}, full: true},
		"qwen3": {changes: map[string]any{"model_type": "qwen3", "head_dim": 8}, keep: true},
		"qwen2": {changes: map[string]any{"model_type": "qwen2"}, full: true},
	} {
		t.Run(name, func(t *testing.T) {
			config := tiny.Config(c.changes)
			config["hidden_size"], config["intermediate_size"] = 64, 192 // whole blocks of codes
			dir := tiny.New(config, 1).Write(t)
			text, err := os.ReadFile(filepath.Join(dir, "config.json"))
			if err != nil {
				t.Fatal(err)
			}
			j := job(t, string(text))
			options := model.Options{Quantize: c.quantize}
			j.Storage.Linears = c.quantize
			dev := &measured{Device: cpu.New(1)}
			m, err := model.OpenWith(kernels.Checked(dev), dir, options)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if c.full {
				err = m.Unfreeze(func(string) bool { return true })
			} else {
				j.LoRA = &c.lora
				_, err = lora.Attach(m, c.lora)
			}
			if err != nil {
				t.Fatal(err)
			}
			j.MaxLen, j.HeldOut, j.Train = 30, true, train.Config{Batch: 2, MicroTokens: 45, NoRecompute: c.keep}
			p, err := New(j, CPU(1))
			if err != nil {
				t.Fatal(err)
			}
			pass := m.NewPass()
			defer pass.Close()
			pass.Recompute = !c.keep
			b := batch(45, 30)
			for i := range b.Tokens {
				b.Tokens[i], b.Labels[i] = int32(3+i%40), int32(3+i%40)
			}
			var loss model.Loss
			if err := pass.LossGrad(b, b.CountLabels(), &loss); err != nil {
				t.Fatal(err)
			}
			if got, is := p.bytes("activations kept")+p.bytes("block inputs kept")+p.bytes("activations at work"), touched(pass); got != is {
				t.Errorf("planned %d bytes of activations, a step takes %d", got, is)
			}
			before := touched(pass)
			if err := pass.Loss(b, &loss); err != nil {
				t.Fatal(err)
			}
			if got, is := p.bytes("evaluation"), touched(pass)-before; got != is {
				t.Errorf("planned %d bytes for evaluation, it takes %d", got, is)
			}
			trained := int64(0)
			for _, x := range m.Params() {
				trained += int64(x.Value.Len())
			}
			if p.Trained != trained || p.bytes("gradients") != 4*trained {
				t.Errorf("planned %d parameters, %d train", p.Trained, trained)
			}
			if got := p.bytes("weights nf4") + p.bytes("weights int8") + p.bytes("weights f32"); !c.full && got != dev.weights {
				t.Errorf("planned %d bytes of weights, the model has %d", got, dev.weights)
			}
		})
	}
}

// touched returns the bytes of a pass's arena that were in use.
func touched(p *model.Pass) int64 {
	return 4 * int64(p.Arena.Touched(kernels.Activation)+p.Arena.Touched(kernels.Float32)+p.Arena.Touched(kernels.Int32))
}

// measured is a device that counts the bytes of the weights it is given.
type measured struct {
	kernels.Device
	weights int64
}

func (d *measured) For(kernels.Format) kernels.Device { return d }

func (d *measured) NewMatrix(w kernels.Weights) (kernels.Matrix, error) {
	d.weights += int64(len(w.Data))
	if q := w.Quantized; q != nil {
		d.weights += int64(len(q.Packed) + len(q.Scales.Codes) + 4*len(q.Scales.Nested) + 4*len(q.Scales.Plain))
	}
	return d.Device.NewMatrix(w)
}

// small is a model of the size that tests have time for.
var small = strings.NewReplacer(`"num_hidden_layers": 32`, `"num_hidden_layers": 4`, "4096", "512", "14336", "1024", "128256", "4000").Replace(llama8B)

// What methods of training add is planned too.
func TestMethods(t *testing.T) {
	j := job(t, small)
	j.Storage.Linears = &quant.Config{}
	const largest = 4000 * 512 // the embedding
	parts := func(change func(j *Job)) func(name string) int64 {
		k := j
		change(&k)
		p, err := New(k, CPU(1))
		if err != nil {
			t.Fatal(err)
		}
		return p.bytes
	}
	plain := parts(func(*Job) {})
	all := plain("gradients")
	if lion := parts(func(j *Job) { j.Train.Optimizer = train.ByLion }); lion("optimiser") != all+3*4*largest {
		t.Errorf("Lion: %d bytes, %d of gradients", lion("optimiser"), all)
	}
	if half := parts(func(j *Job) { j.Trains = func(name string) bool { return strings.Contains(name, "embed") } }); half("gradients") != 4*largest || half("weights nf4") == 0 {
		t.Errorf("the embedding alone: %d bytes of gradients", half("gradients"))
	}
	adapter := func(j *Job) { j.LoRA = &lora.Config{Rank: 2} }
	aware := parts(func(j *Job) { adapter(j); j.Train.MergeAware = 0.5 })
	if n := aware("merged weights"); n == 0 || n != aware("weights nf4") || parts(adapter)("merged weights") != 0 {
		t.Errorf("merge-aware: %d bytes", n)
	}
}

// What Most returns fits, and one token more does not.
func TestMost(t *testing.T) {
	j := job(t, small)
	j.LoRA, j.Storage.Linears, j.MaxLen = &lora.Config{Rank: 2}, &quant.Config{}, 1<<17
	m := GPU("a GPU", 7e8)
	var found [2]int
	for i, keep := range []bool{false, true} {
		n, err := Most(j, m, keep)
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
		found[i] = n
		for extra, fits := range []bool{true, false} {
			k := j
			k.MaxLen, k.Train = n+extra, train.Config{Batch: 1, MicroTokens: n + extra, NoRecompute: keep}
			if p, err := New(k, m); err != nil || p.Fits() != fits {
				t.Errorf("%d tokens, kept %v: fits %v, %v", n+extra, keep, p.Fits(), err)
			}
		}
	}
	if found[1] >= found[0] {
		t.Errorf("%d tokens with recompute, %d without", found[0], found[1])
	}
}

// Fit keeps activations if there is room, computes them again if not, takes
// smaller batches if it must, and refuses when not even that helps.
func TestFit(t *testing.T) {
	j := job(t, small)
	j.LoRA, j.Storage.Linears, j.MaxLen = &lora.Config{Rank: 2}, &quant.Config{}, 1024
	size := func(tokens int, keep bool) int64 {
		k := j
		k.MaxLen, k.Train = min(tokens, 1024), train.Config{MicroTokens: tokens, NoRecompute: keep}
		p, err := New(k, GPU("", 0))
		if err != nil {
			t.Fatal(err)
		}
		return p.Total()
	}
	for _, c := range []struct {
		free     int64
		keep     bool
		from, to int // tokens
		fault    string
	}{
		{size(2048, true), true, 2048, 2048, ""}, {size(2048, true) - 1, false, 2048, 2048, ""},
		{size(2048, false) - 1, false, 1024, 2047, ""}, {size(1024, false), false, 1024, 2047, ""},
		{size(1024, false) - 1, false, 1024, 1024, "at most "}, {contextBytes, false, 1024, 1024, "not even one token"},
	} {
		p, err := Fit(j, GPU("a GPU", c.free))
		if c.fault == "" && err != nil || !strings.Contains(fmt.Sprint(err), c.fault) {
			t.Errorf("%v bytes: error %v", c.free, err)
		}
		if n := p.Job.Train.MicroTokens; p.Job.Train.NoRecompute != c.keep || n < c.from || n > c.to || p.Fits() != (c.fault == "") {
			t.Errorf("%v bytes: %d tokens, kept %v, takes %d", c.free, n, p.Job.Train.NoRecompute, p.Total())
		}
	}
}

func TestTokens(t *testing.T) {
	for _, c := range []struct {
		config train.Config
		maxLen int
		want   int
	}{
		{train.Config{}, 0, 2048}, {train.Config{Batch: 2}, 500, 1000}, {train.Config{MicroTokens: 1}, 700, 700},
		{train.Config{MicroTokens: 9000}, 700, 9000}, {train.Config{Batch: 1, MicroTokens: 9000}, 700, 700}, {train.Config{Batch: 1, BatchTokens: 5000}, 700, 2048},
		{train.Config{Batch: 1}, 1 << 20, 131072},
	} {
		j := job(t, llama8B)
		j.Train, j.MaxLen = c.config, c.maxLen
		if got := j.Tokens(); got != c.want {
			t.Errorf("%+v with samples of %d: %d tokens, want %d", c.config, c.maxLen, got, c.want)
		}
	}
}

func TestFaults(t *testing.T) {
	j := job(t, llama8B)
	j.Train.Batch = -1
	if _, err := New(j, CPU(1)); err == nil || !strings.Contains(err.Error(), "batch of -1") {
		t.Errorf("error %v", err)
	}
	j.Train.Batch, j.LoRA = 0, &lora.Config{Targets: []string{"none"}}
	if _, err := New(j, CPU(1)); err == nil || !strings.Contains(err.Error(), `target "none"`) {
		t.Errorf("error %v", err)
	}
}

func TestTable(t *testing.T) {
	j := job(t, llama8B)
	j.LoRA = &lora.Config{Rank: 1, Targets: []string{"q_proj"}}
	p, err := New(j, GPU("a GPU", 24e9))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := p.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"weights bf16", "15.01 GB", "adapter", "1.049 MB", "embedding, on the host", "1.051 GB", "free on a GPU", "24 GB"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1e3: "1 kB", 123456: "123.5 kB", 5e9: "5 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
}

// The documented table is what the plan says.
func TestDocumentedTable(t *testing.T) {
	j := job(t, llama8B)
	j.LoRA, j.Storage.Linears, j.MaxLen, j.Train = &lora.Config{Rank: 16}, &quant.Config{}, 2048, train.Config{Batch: 1}
	p, err := New(j, GPU("a GPU of 24GB", 24e9))
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	if err := p.Write(&table); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/cuda.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(table.String()) {
		if !strings.Contains(string(page), line) {
			t.Errorf("docs/cuda.md lacks %q", line)
		}
	}
}

func TestMachineHere(t *testing.T) {
	m := CPU(0)
	if text, _ := json.Marshal(m); m.Workers < 1 || m.Total < m.Free || m.Activation != 4 || !m.Paged {
		t.Errorf("%s", text)
	}
	if g := On(kernels.Info{Name: "cuda:1", Memory: 80e9, Workers: 1}); g.Name != "cuda:1" || g.Free != 80e9 || g.Activation != 2 || g.Workers != 0 {
		t.Errorf("GPU %+v", g)
	}
	if c := On(cpu.New(3).Info()); c.Name != "cpu" || c.Workers != 3 {
		t.Errorf("CPU %+v", c)
	}
	unknown := Plan{Parts: []Part{{"x", 1 << 60}}}
	if !unknown.Fits() || unknown.Check() != nil {
		t.Error("a machine that does not tell its memory refuses")
	}
}
