package model

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/model/safetensors"
)

func testDevice() kernels.Device { return kernels.Checked(cpu.New(2)) }

// openTiny opens a random model with changes to its configuration.
func openTiny(t *testing.T, dev kernels.Device, changes map[string]any) *Model {
	t.Helper()
	return openDir(t, dev, tiny.Dir(t, changes))
}

func openDir(t *testing.T, dev kernels.Device, dir string) *Model {
	t.Helper()
	m, err := Open(dev, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestOpenNamesFaults(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*tiny.Checkpoint)
		want   string
	}{
		"missing in a layer": {func(c *tiny.Checkpoint) { delete(c.Tensors, "model.layers.1.mlp.down_proj.weight") }, "model: layer 1: missing mlp.down_proj.weight"},
		"missing head":       {func(c *tiny.Checkpoint) { delete(c.Tensors, "lm_head.weight") }, "model: missing lm_head.weight"},
		"wrong shape": {func(c *tiny.Checkpoint) {
			c.Tensors["model.layers.0.self_attn.k_proj.weight"] = tiny.Tensor{Shape: []int{16, 16}, Values: make([]float32, 256)}
		}, "model: layer 0: self_attn.k_proj.weight has shape [16 16], but config.json says [8 16]"},
		"wrong rank": {func(c *tiny.Checkpoint) {
			c.Tensors["model.norm.weight"] = tiny.Tensor{Shape: []int{1, 16}, Values: make([]float32, 16)}
		}, "model: model.norm.weight has shape [1 16], but config.json says [16]"},
	} {
		t.Run(name, func(t *testing.T) {
			c1 := tiny.New(tiny.Config(nil), 1)
			c.change(c1)
			dir := c1.Write(t)
			_, err := Open(testDevice(), dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %v, want %q and the directory", err, c.want)
			}
		})
	}
}

func TestOpenNamesEveryFault(t *testing.T) {
	c := tiny.New(tiny.Config(nil), 1)
	delete(c.Tensors, "model.norm.weight")
	delete(c.Tensors, "model.layers.0.mlp.up_proj.weight")
	_, err := Open(testDevice(), c.Write(t))
	for _, want := range []string{"missing model.norm.weight", "layer 0: missing mlp.up_proj.weight"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestOpenIntegerWeight(t *testing.T) {
	dir := tiny.Dir(t, nil)
	path := filepath.Join(dir, safetensors.SingleFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), `"model.norm.weight":{"dtype":"F32"`, `"model.norm.weight":{"dtype":"I32"`, 1))
	if err := os.WriteFile(path, text, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(testDevice(), dir); err == nil || !strings.Contains(err.Error(), "model.norm.weight is I32") {
		t.Errorf("error %v", err)
	}
}

func TestOpenReportsUnexpected(t *testing.T) {
	c := tiny.New(tiny.Config(nil), 1)
	c.Tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = tiny.Tensor{Shape: []int{2}, Values: make([]float32, 2)}
	c.Tensors["model.layers.0.self_attn.q_proj.bias"] = tiny.Tensor{Shape: []int{16}, Values: make([]float32, 16)}
	m := openDir(t, testDevice(), c.Write(t))
	if !slices.Equal(m.Unexpected, []string{"model.layers.0.self_attn.q_proj.bias"}) {
		t.Errorf("unexpected: %v", m.Unexpected)
	}
}

func TestOpenWithoutFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(testDevice(), dir); err == nil || !strings.Contains(err.Error(), "neither model.safetensors nor") {
		t.Errorf("error %v", err)
	}
	if err := os.Remove(filepath.Join(tiny.Dir(t, nil), "config.json")); err != nil {
		t.Fatal(err)
	}
	bad := tiny.Dir(t, nil)
	os.WriteFile(filepath.Join(bad, "tokenizer.json"), []byte("{"), 0o666)
	if _, err := Open(testDevice(), bad); err == nil || !strings.Contains(err.Error(), "tokenizer.json") {
		t.Errorf("error %v", err)
	}
}

func TestSaveKeepsEveryBit(t *testing.T) {
	for _, dtype := range []safetensors.DType{safetensors.F32, safetensors.BF16, safetensors.F16} {
		for _, tied := range []bool{false, true} {
			c := tiny.New(tiny.Config(map[string]any{"tie_word_embeddings": tied, "attention_bias": true}), 3)
			c.DType = dtype
			from := c.Write(t)
			to := filepath.Join(t.TempDir(), "saved")
			if err := openDir(t, testDevice(), from).Save(to); err != nil {
				t.Fatal(err)
			}
			compareFiles(t, from, to)
		}
	}
}

func compareFiles(t *testing.T, from, to string) {
	t.Helper()
	a, err := safetensors.OpenCheckpoint(from)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := safetensors.OpenCheckpoint(to)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if len(a.Names()) != len(b.Names()) {
		t.Errorf("%d tensors became %d", len(a.Names()), len(b.Names()))
	}
	for _, n := range a.Names() {
		x, _ := a.Tensor(n)
		y, _ := b.Tensor(n)
		if x.DType != y.DType || !slices.Equal(x.Shape, y.Shape) || !slices.Equal(x.Data, y.Data) {
			t.Errorf("%s: %s %v became %s %v, or its bytes differ", n, x.DType, x.Shape, y.DType, y.Shape)
		}
	}
	x, _ := os.ReadFile(filepath.Join(from, "config.json"))
	y, _ := os.ReadFile(filepath.Join(to, "config.json"))
	if len(x) == 0 || string(x) != string(y) {
		t.Error("config.json differs")
	}
}

func TestSaveRefusesToOverwrite(t *testing.T) {
	dir := tiny.Dir(t, nil)
	m := openDir(t, testDevice(), dir)
	if err := m.Save(dir); err == nil || !strings.Contains(err.Error(), "holds a model already") {
		t.Errorf("error %v", err)
	}
}

func TestUnfreezeSavesWhatWasTrained(t *testing.T) {
	c := tiny.New(tiny.Config(map[string]any{"tie_word_embeddings": true}), 3)
	c.DType = safetensors.BF16
	m := openDir(t, testDevice(), c.Write(t))
	if m.BaseTrains() || len(m.Params()) != 0 {
		t.Error("something trains before Unfreeze")
	}
	if err := m.Unfreeze(func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if got, want := len(m.Params()), len(c.Tensors); got != want || !m.BaseTrains() {
		t.Errorf("%d parameters for %d tensors", got, want)
	}
	m.Device.Fill(m.Embedding.Param.Value, 0.75)
	to := filepath.Join(t.TempDir(), "saved")
	if err := m.Save(to); err != nil {
		t.Fatal(err)
	}
	again := openDir(t, testDevice(), to)
	row := kernels.Tensor{Rows: 1, Cols: 16, Kind: kernels.Float32}
	row.Mem, _ = m.Device.Alloc(kernels.Float32, 16)
	again.Device.Expand(row, again.Embedding.W, 47)
	got := make([]float32, 16)
	again.Device.Read(got, row)
	if again.Embedding.W.Format != kernels.BF16 || got[15] != 0.75 {
		t.Errorf("saved as %v: %v", again.Embedding.W.Format, got)
	}
}

// The embedding is for lookups alone, unless it is the head too or trains.
func TestEmbeddingIsForLookups(t *testing.T) {
	for _, tied := range []bool{false, true} {
		m := openTiny(t, testDevice(), map[string]any{"tie_word_embeddings": tied})
		if m.Embedding.W.Lookup == tied || m.Head.W.Lookup {
			t.Errorf("tied %v: for lookups %v, the head %v", tied, m.Embedding.W.Lookup, m.Head.W.Lookup)
		}
		if err := m.Unfreeze(func(name string) bool { return name == "model.embed_tokens.weight" }); err != nil || m.Embedding.W.Lookup {
			t.Errorf("tied %v: for lookups when it trains: %v", tied, err)
		}
	}
}

func TestNonFinite(t *testing.T) {
	for _, name := range []string{"model.embed_tokens.weight", "model.layers.1.mlp.up_proj.weight", "model.norm.weight"} {
		c := tiny.New(tiny.Config(nil), 1)
		c.Tensors[name].Values[5] = float32(inf())
		m := openDir(t, testDevice(), c.Write(t))
		if got, err := m.NonFinite(); got != name || err != nil {
			t.Errorf("found %q, %v; want %q", got, err, name)
		}
	}
	if got, err := openTiny(t, testDevice(), nil).NonFinite(); got != "" || err != nil {
		t.Errorf("found %q, %v in a finite model", got, err)
	}
}

func inf() float64 { var zero float64; return 1 / zero }
