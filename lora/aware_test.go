package lora

import (
	"math"
	"testing"

	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/quant"
)

// A sum that is not finite shows in the loss, by way of the branch.
func TestMergeAwareNotFinite(t *testing.T) {
	m := openQuantized(t, bf16Dir(t))
	a := attachRandom(t, m, Config{Rank: 4})
	if err := a.SetMergeAware(true); err != nil {
		t.Fatal(err)
	}
	p := a.Params()[1]
	m.Device.Fill(p.Value, float32(math.Inf(1)))
	p.Version++
	if v := logits(t, m); !math.IsNaN(float64(v[0])) {
		t.Errorf("logit %v", v[0])
	}
}

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
		w, finite := layer.requantized(layer.linear.W)
		if !finite {
			b.Fatal("not finite")
		}
		m.Device.Free(w.Mem)
	}
}
