// Random-model writes a checkpoint of random bfloat16 weights in the shape of a
// well-known model, to measure memory and time with.
//
//	random-model SHAPE DIR
//
// SHAPE is smollm2-135m, tinyllama-1.1b or llama-7b.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/model/safetensors"
)

type shape struct {
	Hidden       int  `json:"hidden_size"`
	Intermediate int  `json:"intermediate_size"`
	Layers       int  `json:"num_hidden_layers"`
	Heads        int  `json:"num_attention_heads"`
	KVHeads      int  `json:"num_key_value_heads"`
	Vocab        int  `json:"vocab_size"`
	Tied         bool `json:"tie_word_embeddings"`
}

var shapes = map[string]shape{
	"smollm2-135m":   {576, 1536, 30, 9, 3, 49152, true},
	"tinyllama-1.1b": {2048, 5632, 22, 32, 4, 32000, false},
	"llama-7b":       {4096, 11008, 32, 32, 32, 32000, false},
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 || shapes[os.Args[1]].Hidden == 0 {
		log.Fatalf("usage: random-model SHAPE DIR, with one of %v", slices.Sorted(maps.Keys(shapes)))
	}
	if err := write(shapes[os.Args[1]], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func write(s shape, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := safetensors.WriteSharded(dir, 5<<30, nil, s.entries()); err != nil {
		return err
	}
	config, err := json.MarshalIndent(struct {
		Type string `json:"model_type"`
		shape
		Positions int     `json:"max_position_embeddings"`
		Eps       float64 `json:"rms_norm_eps"`
		Theta     float64 `json:"rope_theta"`
		DType     string  `json:"dtype"`
	}{"llama", s, 4096, 1e-5, 10000, "bfloat16"}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), config, 0o666)
}

func (s shape) entries() (list []safetensors.Entry) {
	noise := make([]float32, 1<<20)
	random.New(1, random.Adapter, 0).Normal(noise, 0.02)
	small := safetensors.Encode(safetensors.BF16, noise)
	for i := range noise {
		noise[i] = 1
	}
	ones := safetensors.Encode(safetensors.BF16, noise[:s.Hidden])
	add := func(name string, shape ...int) {
		n := 2
		for _, d := range shape {
			n *= d
		}
		list = append(list, safetensors.Entry{Name: name, DType: safetensors.BF16, Shape: shape, Write: func(w io.Writer) error {
			if len(shape) == 1 {
				_, err := w.Write(ones)
				return err
			}
			for at := len(name) * 1000; n > 0; at = 0 {
				piece := small[at:min(len(small), at+n)]
				if _, err := w.Write(piece); err != nil {
					return err
				}
				n -= len(piece)
			}
			return nil
		}})
	}
	kv := s.Hidden / s.Heads * s.KVHeads
	add("model.embed_tokens.weight", s.Vocab, s.Hidden)
	for i := range s.Layers {
		at := fmt.Sprintf("model.layers.%d.", i)
		add(at+"input_layernorm.weight", s.Hidden)
		add(at+"post_attention_layernorm.weight", s.Hidden)
		add(at+"self_attn.q_proj.weight", s.Hidden, s.Hidden)
		add(at+"self_attn.k_proj.weight", kv, s.Hidden)
		add(at+"self_attn.v_proj.weight", kv, s.Hidden)
		add(at+"self_attn.o_proj.weight", s.Hidden, s.Hidden)
		add(at+"mlp.gate_proj.weight", s.Intermediate, s.Hidden)
		add(at+"mlp.up_proj.weight", s.Intermediate, s.Hidden)
		add(at+"mlp.down_proj.weight", s.Hidden, s.Intermediate)
	}
	add("model.norm.weight", s.Hidden)
	if !s.Tied {
		add("lm_head.weight", s.Vocab, s.Hidden)
	}
	return list
}
