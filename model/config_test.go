package model

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/tiny"
)

func parseWith(t *testing.T, changes map[string]any) (Config, error) {
	t.Helper()
	text, err := json.Marshal(tiny.Config(changes))
	if err != nil {
		t.Fatal(err)
	}
	return ParseConfig(text)
}

func TestConfigRefusals(t *testing.T) {
	type m = map[string]any
	for name, c := range map[string]struct {
		changes m
		want    string
	}{
		"unknown family":    {m{"model_type": "mamba"}, `model_type "mamba" is not supported: graft knows llama, mistral, qwen2, qwen3`},
		"no family":         {m{"model_type": nil}, `model_type "" is not supported`},
		"activation":        {m{"hidden_act": "gelu"}, `hidden_act "gelu" is not supported: graft knows silu`},
		"attention dropout": {m{"attention_dropout": 0.1}, "attention_dropout 0.1 is not supported"},
		"partial rotary":    {m{"partial_rotary_factor": 0.5}, "partial_rotary_factor 0.5 is not supported"},
		"quantised":         {m{"quantization_config": m{"quant_method": "gptq"}}, `quantization_config with quant_method "gptq" is not supported: graft knows bitsandbytes with load_in_4bit or load_in_8bit`},
		"bias of mistral":   {m{"model_type": "mistral", "attention_bias": true}, "attention_bias or mlp_bias true is not supported"},
		"layer type":        {m{"layer_types": []string{"full_attention", "mamba"}}, `layer_types "mamba" is not supported`},
		"layer types":       {m{"layer_types": []string{"full_attention"}}, "layer_types has 1 entries for num_hidden_layers 2"},
		"dynamic rope":      {m{"rope_scaling": m{"type": "dynamic", "factor": 2.0}}, `rope_scaling: rope_type "dynamic" is not supported: graft knows default, linear and llama3`},
		"yarn":              {m{"rope_parameters": m{"rope_type": "yarn", "factor": 2.0}}, `rope_parameters: rope_type "yarn" is not supported`},
		"rope per layer":    {m{"rope_parameters": m{"full_attention": m{"rope_type": "default"}}}, "one set a layer type is not supported"},
		"linear factor":     {m{"rope_scaling": m{"type": "linear"}}, `rope_type "linear" needs a factor of at least 1`},
		"llama3 fields":     {m{"rope_scaling": m{"rope_type": "llama3", "factor": 8.0}}, "rope_type llama3 needs 0 < low_freq_factor < high_freq_factor"},
		"llama3 original":   {m{"rope_scaling": m{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}}, "needs original_max_position_embeddings"},
		"rope base":         {m{"rope_theta": 0.0}, "rope_theta must be positive, not 0"},
		"no width":          {m{"hidden_size": nil}, "hidden_size must be a positive number, not 0"},
		"negative layers":   {m{"num_hidden_layers": -1}, "num_hidden_layers must be a positive number, not -1"},
		"odd groups":        {m{"num_key_value_heads": 3}, "num_attention_heads 4 is no multiple of num_key_value_heads 3"},
		"odd head":          {m{"head_dim": 5}, "head_dim 5 must be even"},
		"eps":               {m{"rms_norm_eps": 0.0}, "rms_norm_eps must be positive"},
		"wrong type":        {m{"hidden_size": "wide"}, "config.json: json:"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseWith(t, c.changes)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	_, err := parseWith(t, map[string]any{"hidden_act": "gelu", "vocab_size": 0, "attention_dropout": 1})
	for _, want := range []string{"hidden_act", "vocab_size", "attention_dropout"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestConfigFamilies(t *testing.T) {
	type m = map[string]any
	for name, c := range map[string]struct {
		changes m
		holds   func(Config) bool
	}{
		"defaults of llama": {m{"num_key_value_heads": nil, "rms_norm_eps": nil, "rope_theta": nil, "max_position_embeddings": nil},
			func(c Config) bool {
				return c.KVHeads == 4 && c.HeadDim == 4 && c.NormEps == 1e-6 && c.Rope.Theta == 10000 && c.MaxPositions == 2048
			}},
		"eos list":               {m{"eos_token_id": []int{5, 6}}, func(c Config) bool { return slices.Equal(c.EOS, []int32{5, 6}) }},
		"no eos":                 {m{"eos_token_id": nil, "bos_token_id": nil}, func(c Config) bool { return c.EOS == nil && c.BOS == -1 }},
		"llama biases":           {m{"attention_bias": true, "mlp_bias": true}, func(c Config) bool { return c.QKVBias && c.OBias && c.MLPBias }},
		"qwen2 biases":           {m{"model_type": "qwen2"}, func(c Config) bool { return c.QKVBias && !c.OBias && !c.QKNorm }},
		"qwen3 norms":            {m{"model_type": "qwen3", "head_dim": nil}, func(c Config) bool { return c.QKNorm && c.HeadDim == 128 && !c.QKVBias }},
		"mistral window":         {m{"model_type": "mistral"}, func(c Config) bool { return slices.Equal(c.Windows, []int{4096, 4096}) }},
		"no window":              {m{"model_type": "mistral", "sliding_window": json.RawMessage("null")}, func(c Config) bool { return slices.Equal(c.Windows, []int{0, 0}) }},
		"llama ignores a window": {m{"sliding_window": 8}, func(c Config) bool { return slices.Equal(c.Windows, []int{0, 0}) }},
		"qwen2 window off":       {m{"model_type": "qwen2", "sliding_window": 8}, func(c Config) bool { return slices.Equal(c.Windows, []int{0, 0}) }},
		"qwen2 window from a layer": {m{"model_type": "qwen2", "sliding_window": 8, "use_sliding_window": true, "max_window_layers": 1},
			func(c Config) bool { return slices.Equal(c.Windows, []int{0, 8}) }},
		"window by layer types": {m{"model_type": "qwen3", "head_dim": 8, "sliding_window": 8, "use_sliding_window": true, "layer_types": []string{"sliding_attention", "full_attention"}},
			func(c Config) bool { return slices.Equal(c.Windows, []int{8, 0}) }},
		"both spellings": {m{"rope_theta": 5.0, "rope_parameters": m{"rope_theta": 7.0, "rope_type": "default"}}, func(c Config) bool { return c.Rope.Theta == 7 }},
		"old spelling":   {m{"rope_scaling": m{"type": "linear", "factor": 4.0}}, func(c Config) bool { return c.Rope.Kind == "linear" && c.Rope.Factor == 4 }},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseWith(t, c.changes)
			if err != nil {
				t.Fatal(err)
			}
			if !c.holds(got) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// The wavelengths of Llama 3.1: short ones stay, long ones stretch by the
// factor, those between lie between.
func TestLlama3Frequencies(t *testing.T) {
	r := Rope{Theta: 500000, Kind: "llama3", Factor: 8, LowFreq: 1, HighFreq: 4, Original: 8192}
	plain := Rope{Theta: 500000, Kind: "default"}.frequencies(128)
	kept, mixed, divided := 0, 0, 0
	for i, f := range r.frequencies(128) {
		switch turns := 8192 * float64(plain[i]) / (2 * math.Pi); {
		case turns > 4 && f == plain[i]:
			kept++
		case turns < 1 && f == plain[i]/8:
			divided++
		case turns >= 1 && turns <= 4 && f < plain[i] && f > plain[i]/8:
			mixed++
		default:
			t.Errorf("frequency %d: %v became %v", i, plain[i], f)
		}
	}
	if kept == 0 || mixed == 0 || divided == 0 {
		t.Errorf("%d kept, %d mixed, %d divided", kept, mixed, divided)
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, changes := range []map[string]any{nil, {"model_type": "qwen2"}, {"rope_parameters": map[string]any{"rope_type": "llama3"}}, {"layer_types": []string{}}} {
		text, err := json.Marshal(tiny.Config(changes))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"model_type":"llama","num_hidden_layers":99999999999}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := ParseConfig(text); err == nil && (c.Layers <= 0 || len(c.Windows) != c.Layers) {
			t.Errorf("accepted %+v", c)
		}
	})
}
