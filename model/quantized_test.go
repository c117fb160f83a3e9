package model

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model/safetensors"
	"github.com/seed-5afa5581/graft/quant"
)

// saveQuantized writes a random model, quantised.
func saveQuantized(t *testing.T, c quant.Config) (dir string) {
	t.Helper()
	m, err := OpenWith(testDevice(), tiny.Dir(t, nil), Options{Quantize: &c})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	dir = filepath.Join(t.TempDir(), c.Type.String())
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Faults of a base in 8 bits name the layer, its weight and the part of it.
func TestOpenInt8NamesFaults(t *testing.T) {
	const weight, name = `"model.layers.1.mlp.up_proj.weight":{"dtype":"I8"`, "model: layer 1: mlp.up_proj.weight: quant: "
	for _, c := range []struct{ old, new, want string }{
		{"model.layers.1.mlp.up_proj.SCB", "model.layers.1.mlp.up_proj.SCX", name + "SCB is missing"},
		{"model.layers.1.mlp.up_proj.SCB", "model.layers.1.mlp.ux_proj.SCB", name + "SCB is missing"},
		{weight, strings.Replace(weight, "I8", "U8", 1), name + "weight is U8, want I8"},
		{`_proj.weight_format":{"dtype":"U8"`, `_proj.weight_format":{"dtype":"I8"`, name + "weight_format is I8, want U8"},
	} {
		dir := saveQuantized(t, quant.Config{Type: quant.Int8})
		path := filepath.Join(dir, safetensors.SingleFile)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), c.old) {
			t.Fatalf("no %s in the file", c.old)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), c.old, c.new)), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(testDevice(), dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.new, err, c.want)
		}
	}
}

// What is written says how, for whoever plans with config.json alone.
func TestStorage(t *testing.T) {
	for _, c := range []quant.Config{{}, {PlainScales: true}, {Type: quant.FP4}, {Type: quant.Int8}} {
		text, err := os.ReadFile(filepath.Join(saveQuantized(t, c), configName))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseStorage(text)
		if err != nil || got.Linears == nil || *got.Linears != c || got.Dense != kernels.F32 {
			t.Errorf("%+v is read as %+v, %v", c, got.Linears, err)
		}
	}
}
