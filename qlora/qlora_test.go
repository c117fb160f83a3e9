package qlora_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
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
	"github.com/seed-5afa5581/graft/model/safetensors"
	"github.com/seed-5afa5581/graft/qlora"
	"github.com/seed-5afa5581/graft/quant"
	"github.com/seed-5afa5581/graft/train"
)

// checkpoint writes a random bfloat16 model.
func checkpoint(t *testing.T) string {
	c := tiny.New(tiny.Config(nil), 1)
	c.DType = safetensors.BF16
	return c.Write(t)
}

func device() kernels.Device { return kernels.Checked(cpu.New(2)) }

func open(t *testing.T, dev kernels.Device, dir string, c qlora.Config) (*model.Model, *lora.Adapter) {
	t.Helper()
	m, a, err := qlora.Open(dev, dir, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m, a
}

func batch() model.Batch {
	ids := tiny.Tokens(20, 5)
	return model.Batch{Tokens: ids, Labels: ids, Starts: []int32{0, 7}}
}

func logits(t *testing.T, m *model.Model) []float32 {
	t.Helper()
	p := m.NewPass()
	defer p.Close()
	v, err := p.Logits(batch())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// values returns a weight as float32.
func values(t *testing.T, m *model.Model, w kernels.Matrix) []float32 {
	t.Helper()
	mem, err := m.Device.Alloc(kernels.Float32, w.Rows*w.Cols)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Device.Free(mem)
	x := kernels.Tensor{Rows: w.Rows, Cols: w.Cols, Kind: kernels.Float32, Mem: mem}
	m.Device.Expand(x, w, 0)
	v := make([]float32, x.Len())
	m.Device.Read(v, x)
	return v
}

func TestPaperDefaults(t *testing.T) {
	dir := checkpoint(t)
	m, a := open(t, device(), dir, qlora.Config{})
	dense, err := model.Open(device(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer dense.Close()
	adapted := 0
	for l := range m.Linears() {
		if l == &m.Head {
			continue
		}
		adapted++
		q := tensor(t, m, l)
		if l.Delta == nil || l.W.Format != kernels.NF4 || q == nil {
			t.Fatalf("%s: format %v, adapted %v", l.Name, l.W.Format, l.Delta != nil)
		}
		if q.Config() != (quant.Config{Type: quant.NF4, Block: 64}) {
			t.Errorf("%s: %+v", l.Name, q.Config())
		}
	}
	if adapted != 14 || len(a.Params()) != 28 || a.Params()[0].Value.Rows != 16 || a.Config.Alpha != 32 {
		t.Errorf("%d layers, %d parameters of rank %d", adapted, len(a.Params()), a.Params()[0].Value.Rows)
	}
	if m.Head.Delta != nil || m.Head.W.Format != kernels.BF16 || m.Embedding.W.Format != kernels.BF16 {
		t.Errorf("head in %v, embedding in %v", m.Head.W.Format, m.Embedding.W.Format)
	}
	for _, pair := range [][2]kernels.Matrix{
		{m.Head.W, dense.Head.W}, {m.Embedding.W, dense.Embedding.W}, {m.Norm.Gain.Matrix(), dense.Norm.Gain.Matrix()},
	} {
		if !slices.Equal(values(t, m, pair[0]), values(t, dense, pair[1])) {
			t.Error("head, embedding or norm is not as stored")
		}
	}
}

// tensor returns what is behind a quantised layer.
func tensor(t *testing.T, m *model.Model, l *model.Linear) *quant.Tensor {
	t.Helper()
	q, err := m.Quantized(l)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestConfig(t *testing.T) {
	dir := checkpoint(t)
	c := qlora.Config{Config: lora.Config{Rank: 3, Targets: []string{"v_proj"}}, Quant: quant.Config{Type: quant.FP4, Block: 128, PlainScales: true}}
	m, a := open(t, device(), dir, c)
	if q := tensor(t, m, &m.Blocks[1].Attention.Q); q.Config() != c.Quant {
		t.Errorf("%+v", q.Config())
	}
	if len(a.Params()) != 4 || a.Params()[0].Value.Rows != 3 {
		t.Errorf("%d parameters", len(a.Params()))
	}
}

// A quantised checkpoint is taken as it is, whatever Config.Quant says, and what
// it was before is known again.
func TestOpenQuantized(t *testing.T) {
	for kind, format := range map[quant.Type]kernels.Format{quant.NF4: kernels.NF4, quant.Int8: kernels.Int8} {
		m, a := open(t, device(), checkpoint(t), qlora.Config{Quant: quant.Config{Type: kind}})
		want := logits(t, m)
		a.Detach()
		dir := filepath.Join(t.TempDir(), kind.String())
		if err := m.Save(dir); err != nil {
			t.Fatal(err)
		}
		again, _ := open(t, device(), dir, qlora.Config{Quant: quant.Config{Type: quant.FP4}})
		up := &again.Blocks[0].MLP.Up
		if up.W.Format != format || !slices.Equal(logits(t, again), want) {
			t.Errorf("%v: the saved model is another one, in %v", kind, up.W.Format)
		}
		if q := tensor(t, again, up); q.DType != quant.BFloat16 {
			t.Errorf("%v: made of %v, want bfloat16", kind, q.DType)
		}
	}
}

func set() (s data.List) {
	for i := range 5 {
		ids := tiny.Tokens(6+7*i, uint64(i))
		s = append(s, data.Sample{Tokens: ids, Labels: ids, Source: "random"})
	}
	return s
}

// trained trains an adapter, checks that the base is what it was, and returns
// the losses and the adapter's file.
func trained(t *testing.T, dev kernels.Device, dir string, kind quant.Type, c train.Config) (losses []float64, file []byte) {
	t.Helper()
	m, a := open(t, dev, dir, qlora.Config{Config: lora.Config{Rank: 4, Base: "tiny"}, Quant: quant.Config{Type: kind}})
	before := values(t, m, m.Blocks[1].MLP.Down.W)
	c.Steps, c.Batch, c.LR = 12, 5, 2e-2
	run, err := train.New(m, set(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	for step, err := range run.Steps(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, step.Loss)
	}
	if !slices.Equal(values(t, m, m.Blocks[1].MLP.Down.W), before) {
		t.Error("training changed the base")
	}
	out := t.TempDir()
	if err := a.Save(out); err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(filepath.Join(out, "adapter_model.safetensors")); err != nil {
		t.Fatal(err)
	}
	return losses, file
}

// Training through a quantised base has the guarantees of a dense one: the same
// bytes with activations computed again or kept, for any number of workers and
// any split of a step.
func TestTraining(t *testing.T) {
	for _, kind := range []quant.Type{quant.NF4, quant.Int8} {
		t.Run(kind.String(), func(t *testing.T) { testTraining(t, kind) })
	}
}

func testTraining(t *testing.T, kind quant.Type) {
	dir := checkpoint(t)
	losses, want := trained(t, device(), dir, kind, train.Config{})
	if !(losses[11] < 0.8*losses[0]) {
		t.Errorf("losses %v", losses)
	}
	for name, c := range map[string]train.Config{"activations kept": {NoRecompute: true}, "in parts": {MicroTokens: 30}} {
		if _, got := trained(t, device(), dir, kind, c); !bytes.Equal(got, want) {
			t.Errorf("%s: other bytes", name)
		}
	}
	if _, got := trained(t, kernels.Checked(cpu.New(3)), dir, kind, train.Config{}); !bytes.Equal(got, want) {
		t.Error("three workers: other bytes")
	}
	losses, _ = trained(t, kernels.Checked(kerneltest.NewOpaque(cpu.New(2))), dir, kind, train.Config{})
	if !(losses[11] < 0.8*losses[0]) {
		t.Errorf("device out of reach: losses %v", losses)
	}
}

// Evaluation and generation go through the same weights: the loss is that of the
// logits, and the first token generated the most likely one.
func TestEvaluateAndGenerate(t *testing.T) {
	m, a := open(t, device(), checkpoint(t), qlora.Config{})
	for i, p := range a.Params() {
		v := make([]float32, p.Value.Len())
		for j := range v {
			v[j] = float32((j*7+i)%11-5) / 40
		}
		m.Device.Write(p.Value, v)
	}
	prompt := tiny.Tokens(9, 3)
	p := m.NewPass()
	defer p.Close()
	row, err := p.Logits(model.Batch{Tokens: prompt, Labels: prompt, Starts: []int32{0}})
	if err != nil {
		t.Fatal(err)
	}
	row = row[len(row)-m.Config.Vocab:]
	var ids []int32
	for token, err := range m.Generate(context.Background(), prompt, model.Generation{MaxTokens: 5, IgnoreEOS: true}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, token.ID)
	}
	if len(ids) != 5 || int(ids[0]) != slices.Index(row, slices.Max(row)) {
		t.Errorf("generated %v, want %d first", ids, slices.Index(row, slices.Max(row)))
	}
	var loss, again model.Loss
	if err := p.Loss(batch(), &loss); err != nil {
		t.Fatal(err)
	}
	if err := p.LossGrad(batch(), 18, &again); err != nil {
		t.Fatal(err)
	}
	if loss.Labels != 18 || loss.Sum != again.Sum {
		t.Errorf("loss %+v, with gradient %+v", loss, again)
	}
}

func TestFaults(t *testing.T) {
	dir := checkpoint(t)
	for want, c := range map[string]struct {
		dir    string
		config qlora.Config
	}{
		"no such directory":    {filepath.Join(dir, "none"), qlora.Config{}},
		"block of 48 elements": {dir, qlora.Config{Quant: quant.Config{Block: 48}}},
		"rank -1":              {dir, qlora.Config{Config: lora.Config{Rank: -1}}},
		`target "w" names no`:  {dir, qlora.Config{Config: lora.Config{Targets: []string{"w"}}}},
	} {
		m, a, err := qlora.Open(device(), c.dir, c.config)
		if err == nil || !strings.Contains(err.Error(), want) || m != nil || a != nil {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
