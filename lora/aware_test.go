package lora

import (
	"testing"

	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/quant"
)

// BenchmarkRequantize merges and quantises one layer, as each step of
// merge-aware training does.
func BenchmarkRequantize(b *testing.B) {
	dir := tiny.Dir(b, map[string]any{"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 1, "num_attention_heads": 9, "num_key_value_heads": 3})
	m, err := model.OpenWith(cpu.New(2), dir, model.Options{Quantize: &quant.Config{}})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	a, err := Attach(m, Config{Targets: []string{"down_proj"}})
	if err != nil {
		b.Fatal(err)
	}
	layer := a.branches[0]
	b.SetBytes(int64(layer.linear.Out() * layer.linear.In()))
	for b.Loop() {
		var w kernels.Matrix
		if w, err = layer.requantized(layer.linear.W); err != nil {
			b.Fatal(err)
		}
		m.Device.Free(w.Mem)
	}
}
