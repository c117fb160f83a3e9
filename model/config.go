package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Config is a model's architecture, as its config.json gives it.
type Config struct {
	Type         string  // model_type: llama, mistral, qwen2 or qwen3
	Hidden       int     // C: width of the residual stream
	Intermediate int     // F: width of the feed-forward layers
	Layers       int     // number of blocks
	Heads        int     // query heads
	KVHeads      int     // key/value heads, a divisor of Heads
	HeadDim      int     // D: width of a head
	Vocab        int     // V: rows of the embedding
	MaxPositions int     // longest sequence the model was made for
	NormEps      float32 // added to the mean square in RMSNorm
	Tied         bool    // the head's weight is the embedding's
	QKVBias      bool    // biases on q, k and v
	OBias        bool    // and on o
	MLPBias      bool    // and on gate, up and down
	QKNorm       bool    // RMSNorm over each head of q and k
	Windows      []int   // attention window of each block, 0 for none
	Rope         Rope    // rotary position embedding
	BOS          int32   // first token of a text, -1 if none
	EOS          []int32 // tokens that end a text
}

// A family is what a model_type implies where config.json does not say it.
type family struct {
	kvHeads      int // default of num_key_value_heads; 0: as many as heads
	headDim      int // default of head_dim; 0: hidden_size / heads
	maxPositions int
	window       int // default of sliding_window; 0: none
	qkvBias      bool
	qkNorm       bool
	biases       bool // attention_bias is a field of this family
	mlpBias      bool // so is mlp_bias
	windowSwitch bool // use_sliding_window and max_window_layers are
}

// The defaults are those of transformers' configuration classes.
var families = map[string]family{
	"llama":   {maxPositions: 2048, biases: true, mlpBias: true},
	"mistral": {maxPositions: 131072, kvHeads: 8, window: 4096},
	"qwen2":   {maxPositions: 32768, kvHeads: 32, window: 4096, qkvBias: true, windowSwitch: true},
	"qwen3":   {maxPositions: 32768, kvHeads: 32, headDim: 128, window: 4096, qkNorm: true, biases: true, windowSwitch: true},
}

// rawConfig is config.json. Pointers tell an absent field from a zero.
type rawConfig struct {
	ModelType        string        `json:"model_type"`
	Hidden           int           `json:"hidden_size"`
	Intermediate     int           `json:"intermediate_size"`
	Layers           int           `json:"num_hidden_layers"`
	Heads            int           `json:"num_attention_heads"`
	KVHeads          *int          `json:"num_key_value_heads"`
	HeadDim          *int          `json:"head_dim"`
	Vocab            int           `json:"vocab_size"`
	MaxPositions     *int          `json:"max_position_embeddings"`
	NormEps          *float64      `json:"rms_norm_eps"`
	Activation       *string       `json:"hidden_act"`
	Tied             bool          `json:"tie_word_embeddings"`
	AttentionBias    bool          `json:"attention_bias"`
	MLPBias          bool          `json:"mlp_bias"`
	AttentionDropout float64       `json:"attention_dropout"`
	Window           optional[int] `json:"sliding_window"`
	UseWindow        bool          `json:"use_sliding_window"`
	MaxWindowLayers  *int          `json:"max_window_layers"`
	LayerTypes       []string      `json:"layer_types"`
	PartialRotary    *float64      `json:"partial_rotary_factor"`
	Quantization     *quantization `json:"quantization_config"`
	BOS              *int32        `json:"bos_token_id"`
	EOS              oneOrMany     `json:"eos_token_id"`
	ropeFields
}

// quantization is the part of quantization_config that says who quantised the
// checkpoint. How, its tensors say.
type quantization struct {
	Method string `json:"quant_method"`
	Load4  bool   `json:"load_in_4bit"`
	Load8  bool   `json:"load_in_8bit"`
}

// optional tells an absent field from one that is null.
type optional[T any] struct {
	set   bool
	value *T
}

func (o *optional[T]) UnmarshalJSON(b []byte) error {
	o.set = true
	return json.Unmarshal(b, &o.value)
}

// oneOrMany is a number or a list of numbers.
type oneOrMany []int32

func (m *oneOrMany) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]int32)(m))
	}
	var one *int32
	if err := json.Unmarshal(b, &one); err != nil || one == nil {
		return err
	}
	*m = []int32{*one}
	return nil
}

// ParseConfig reads the content of a config.json. Its error lists everything
// that graft does not support, by the field's name.
func ParseConfig(data []byte) (Config, error) {
	var raw rawConfig
	if err := json.Unmarshal(data, &raw); err != nil {
		return Config{}, fmt.Errorf("model: config.json: %w", err)
	}
	f, known := families[raw.ModelType]
	if !known {
		return Config{}, fmt.Errorf("model: config.json: model_type %q is not supported: graft knows %s", raw.ModelType, familyNames())
	}
	c := raw.config(f)
	if err := errors.Join(append(raw.refusals(f), c.faults()...)...); err != nil {
		return Config{}, err
	}
	c.Windows = raw.windows(f)
	return c, nil
}

func familyNames() string {
	var names []string
	for n := range families {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func (r *rawConfig) config(f family) Config {
	kvHeads, headDim := f.kvHeads, f.headDim
	if kvHeads == 0 {
		kvHeads = r.Heads
	}
	if headDim == 0 && r.Heads > 0 {
		headDim = r.Hidden / r.Heads
	}
	return Config{
		Type: r.ModelType, Hidden: r.Hidden, Intermediate: r.Intermediate, Layers: r.Layers, Heads: r.Heads,
		KVHeads: or(r.KVHeads, kvHeads), HeadDim: or(r.HeadDim, headDim), Vocab: r.Vocab,
		MaxPositions: or(r.MaxPositions, f.maxPositions), NormEps: float32(or(r.NormEps, 1e-6)), Tied: r.Tied,
		QKVBias: f.qkvBias || f.biases && r.AttentionBias, OBias: f.biases && r.AttentionBias, MLPBias: f.mlpBias && r.MLPBias,
		QKNorm: f.qkNorm, Rope: r.rope(), BOS: or(r.BOS, -1), EOS: r.EOS,
	}
}

// refusals lists the field values that change what the model computes in a way
// that graft does not know.
func (r *rawConfig) refusals(f family) (faults []error) {
	refuse := func(field string, value any, know string) {
		faults = append(faults, fmt.Errorf("model: config.json: %s %v is not supported: graft knows %s", field, value, know))
	}
	if a := or(r.Activation, "silu"); a != "silu" && a != "swish" {
		refuse("hidden_act", fmt.Sprintf("%q", a), "silu")
	}
	if r.AttentionDropout != 0 {
		refuse("attention_dropout", r.AttentionDropout, "0")
	}
	if p := or(r.PartialRotary, 1); p != 1 {
		refuse("partial_rotary_factor", p, "1")
	}
	if q := r.Quantization; q != nil && !(q.Method == "bitsandbytes" && (q.Load4 || q.Load8)) {
		refuse("quantization_config", fmt.Sprintf("with quant_method %q", q.Method), "bitsandbytes with load_in_4bit or load_in_8bit")
	}
	if (r.AttentionBias && !f.biases) || (r.MLPBias && !f.mlpBias) {
		refuse("attention_bias or mlp_bias", "true", "none for "+r.ModelType)
	}
	for _, t := range r.LayerTypes {
		if t != "full_attention" && t != "sliding_attention" {
			refuse("layer_types", fmt.Sprintf("%q", t), "full_attention and sliding_attention")
			break
		}
	}
	if n := len(r.LayerTypes); n > 0 && n != r.Layers {
		faults = append(faults, fmt.Errorf("model: config.json: layer_types has %d entries for num_hidden_layers %d", n, r.Layers))
	}
	return append(faults, r.ropeFields.refusals()...)
}

// faults lists sizes that cannot be.
func (c *Config) faults() (faults []error) {
	for _, s := range []struct {
		field string
		value int
	}{
		{"hidden_size", c.Hidden}, {"intermediate_size", c.Intermediate}, {"num_hidden_layers", c.Layers},
		{"num_attention_heads", c.Heads}, {"num_key_value_heads", c.KVHeads}, {"head_dim", c.HeadDim},
		{"vocab_size", c.Vocab}, {"max_position_embeddings", c.MaxPositions},
	} {
		if s.value <= 0 || s.value > math.MaxInt32 {
			faults = append(faults, fmt.Errorf("model: config.json: %s must be a positive number, not %d", s.field, s.value))
		}
	}
	if len(faults) > 0 {
		return faults
	}
	if c.Heads%c.KVHeads != 0 {
		faults = append(faults, fmt.Errorf("model: config.json: num_attention_heads %d is no multiple of num_key_value_heads %d", c.Heads, c.KVHeads))
	}
	if c.HeadDim%2 != 0 {
		faults = append(faults, fmt.Errorf("model: config.json: head_dim %d must be even for rotary embedding", c.HeadDim))
	}
	if !(c.NormEps > 0) {
		faults = append(faults, fmt.Errorf("model: config.json: rms_norm_eps must be positive, not %v", c.NormEps))
	}
	return faults
}

// windows returns the attention window of each block.
func (r *rawConfig) windows(f family) []int {
	w := make([]int, r.Layers)
	window := f.window
	if r.Window.set {
		window = or(r.Window.value, 0)
	}
	if f.window == 0 || f.windowSwitch && !r.UseWindow {
		window = 0
	}
	for i := range w {
		slides := !f.windowSwitch || i >= or(r.MaxWindowLayers, 28)
		if len(r.LayerTypes) > 0 {
			slides = r.LayerTypes[i] == "sliding_attention"
		}
		if slides {
			w[i] = window
		}
	}
	return w
}
