// Package tiny writes checkpoints of tiny random models for tests.
package tiny

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/model/safetensors"
)

// Config returns the config.json of a llama of two blocks, with changes to its
// fields; a nil removes a field.
func Config(changes map[string]any) map[string]any {
	c := map[string]any{
		"model_type": "llama", "hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
		"num_key_value_heads": 2, "vocab_size": 48, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
		"hidden_act": "silu", "tie_word_embeddings": false, "bos_token_id": 1, "eos_token_id": 2,
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// A Checkpoint is a model about to be written.
type Checkpoint struct {
	Config  map[string]any
	DType   safetensors.DType
	Tensors map[string]Tensor
}

// A Tensor is a shape and its values.
type Tensor struct {
	Shape  []int
	Values []float32
}

// New returns a random checkpoint of a configuration.
func New(config map[string]any, seed uint64) *Checkpoint {
	c := &Checkpoint{Config: config, DType: safetensors.F32, Tensors: map[string]Tensor{}}
	n := func(key string) int { v, _ := config[key].(int); return v }
	on := func(key string) bool { v, _ := config[key].(bool); return v }
	add := func(name string, shape ...int) {
		t := Tensor{shape, make([]float32, product(shape))}
		r := random.New(seed, random.Adapter, uint64(1000+len(c.Tensors)))
		if len(shape) == 1 {
			r.Normal(t.Values, 0.1)
			for i := range t.Values {
				t.Values[i]++
			}
		} else {
			r.Normal(t.Values, 1/math.Sqrt(float64(shape[1])))
		}
		c.Tensors[name] = t
	}
	family, hidden, heads := config["model_type"], n("hidden_size"), n("num_attention_heads")
	headDim := n("head_dim")
	if headDim == 0 {
		headDim = hidden / heads
	}
	linear := func(name string, out, in int, bias bool) {
		add(name+".weight", out, in)
		if bias {
			add(name+".bias", out)
		}
	}
	add("model.embed_tokens.weight", n("vocab_size"), hidden)
	for i := range n("num_hidden_layers") {
		at, q, kv := fmt.Sprintf("model.layers.%d.", i), heads*headDim, n("num_key_value_heads")*headDim
		qkvBias := on("attention_bias") || family == "qwen2"
		add(at+"input_layernorm.weight", hidden)
		linear(at+"self_attn.q_proj", q, hidden, qkvBias)
		linear(at+"self_attn.k_proj", kv, hidden, qkvBias)
		linear(at+"self_attn.v_proj", kv, hidden, qkvBias)
		linear(at+"self_attn.o_proj", hidden, q, on("attention_bias"))
		if family == "qwen3" {
			add(at+"self_attn.q_norm.weight", headDim)
			add(at+"self_attn.k_norm.weight", headDim)
		}
		add(at+"post_attention_layernorm.weight", hidden)
		linear(at+"mlp.gate_proj", n("intermediate_size"), hidden, on("mlp_bias"))
		linear(at+"mlp.up_proj", n("intermediate_size"), hidden, on("mlp_bias"))
		linear(at+"mlp.down_proj", hidden, n("intermediate_size"), on("mlp_bias"))
	}
	add("model.norm.weight", hidden)
	if !on("tie_word_embeddings") {
		add("lm_head.weight", n("vocab_size"), hidden)
	}
	return c
}

func product(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// Write writes the checkpoint into a new directory and returns that.
func (c *Checkpoint) Write(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	text, err := json.Marshal(c.Config)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o666); err != nil {
		tb.Fatal(err)
	}
	var entries []safetensors.Entry
	for name, t := range c.Tensors {
		entries = append(entries, safetensors.Float32Entry(name, c.DType, t.Shape, t.Values))
	}
	if err := safetensors.Write(filepath.Join(dir, safetensors.SingleFile), nil, entries); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// Dir writes a random checkpoint of a configuration with changes.
func Dir(tb testing.TB, changes map[string]any) string {
	return New(Config(changes), 1).Write(tb)
}

// Tokens returns n random tokens of the vocabulary that Config has.
func Tokens(n int, seed uint64) []int32 {
	r, ids := random.New(seed, random.Shuffle, 7), make([]int32, n)
	for i := range ids {
		ids[i] = int32(3 + r.Intn(45))
	}
	return ids
}
