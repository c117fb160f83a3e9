package lora

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/internal/atomicfile"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/safetensors"
)

// The files of an adapter's directory.
const (
	configFile = "adapter_config.json"
	tensorFile = "adapter_model.safetensors"
)

// peftConfig is the part of adapter_config.json that graft writes: what every
// version of PEFT knows, in the order of its keys.
type peftConfig struct {
	Base       string          `json:"base_model_name_or_path"`
	Bias       string          `json:"bias"`
	FanInOut   bool            `json:"fan_in_fan_out"`
	Inference  bool            `json:"inference_mode"`
	Init       any             `json:"init_lora_weights"`
	Alpha      json.Number     `json:"lora_alpha"`
	Dropout    float64         `json:"lora_dropout"`
	Type       string          `json:"peft_type"`
	Rank       int             `json:"r"`
	Targets    json.RawMessage `json:"target_modules"`
	Task       string          `json:"task_type"`
	RankScaled bool            `json:"use_rslora"`
	Layers     any             `json:"layers_to_transform,omitempty"`
}

// ErrUntrained is what Save returns for an adapter that changes nothing.
var ErrUntrained = errors.New("lora: every B of the adapter is zero: it was not trained and changes nothing")

// Save writes the adapter into dir as PEFT does: adapter_config.json and
// adapter_model.safetensors, in float32. It refuses values that are not finite,
// and with ErrUntrained an adapter whose every B is zero; SaveUntrained does not
// mind the latter.
func (a *Adapter) Save(dir string) error { return a.save(dir, false) }

// SaveUntrained is Save for an adapter that may change nothing.
func (a *Adapter) SaveUntrained(dir string) error { return a.save(dir, true) }

func (a *Adapter) save(dir string, untrained bool) error {
	values, err := a.values()
	if err != nil {
		return err
	}
	if !untrained && !a.trained(values) {
		return ErrUntrained
	}
	config, err := a.PEFTConfig()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("lora: %w", err)
	}
	var entries []safetensors.Entry
	for i, p := range a.Params() {
		entries = append(entries, safetensors.Float32Entry(p.Name, safetensors.F32, []int{p.Value.Rows, p.Value.Cols}, values[i]))
	}
	if err := safetensors.Write(filepath.Join(dir, tensorFile), nil, entries); err != nil {
		return fmt.Errorf("lora: %w", err)
	}
	if err := atomicfile.Bytes(filepath.Join(dir, configFile), config); err != nil {
		return fmt.Errorf("lora: %w", err)
	}
	return nil
}

// values reads every parameter, A and B in turn, and checks that it is finite.
func (a *Adapter) values() (all [][]float32, err error) {
	if len(a.branches) == 0 {
		return nil, errors.New("lora: nothing to save: the adapter was merged or detached before")
	}
	for _, p := range a.Params() {
		v := make([]float32, p.Value.Len())
		a.model.Device.Read(v, p.Value)
		for i, x := range v {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return nil, fmt.Errorf("lora: %s: element %d is %v: not saved", p.Name, i, x)
			}
		}
		all = append(all, v)
	}
	return all, a.model.Device.Sync()
}

// trained reports whether any B is not zero.
func (a *Adapter) trained(values [][]float32) bool {
	for i := 1; i < len(values); i += 2 {
		if slices.ContainsFunc(values[i], func(x float32) bool { return x != 0 }) {
			return true
		}
	}
	return false
}

// PEFTConfig returns the content of adapter_config.json.
func (a *Adapter) PEFTConfig() ([]byte, error) {
	c := a.Config
	base := c.Base
	if base == "" {
		base = a.model.Dir
	}
	targets, err := json.Marshal(a.targetModules())
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(peftConfig{
		Base: base, Bias: "none", Inference: true, Init: true, Alpha: json.Number(formatNumber(c.Alpha)), Dropout: c.Dropout,
		Type: "LORA", Rank: c.Rank, Targets: targets, Task: "CAUSAL_LM", RankScaled: c.RSLoRA, Layers: c.layersToTransform(),
	}, "", "  ")
	return append(text, '\n'), err
}

// layersToTransform is what PEFT has for Layers.
func (c Config) layersToTransform() any {
	if len(c.Layers) == 0 {
		return nil
	}
	return c.Layers
}

// formatNumber writes a whole number as one: Ollama and vLLM read an integer.
func formatNumber(x float64) string {
	b, _ := json.Marshal(x) // finite, by Validate
	return string(b)
}

// targetModules is target_modules: the pattern, or the list of name ends.
func (a *Adapter) targetModules() any {
	if a.Config.Pattern != "" {
		return a.Config.Pattern
	}
	if t := a.Config.Targets; len(t) > 0 && t[0] != allLinear {
		return slices.Sorted(slices.Values(t))
	}
	var ends []string
	for _, b := range a.branches {
		ends = append(ends, lastWord(b.linear.Name))
	}
	slices.Sort(ends)
	return slices.Compact(ends)
}

// Load puts the adapter that PEFT or graft saved in dir on a model.
func Load(m *model.Model, dir string) (*Adapter, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	file, err := openTensors(dir)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	a, err := attach(m, c)
	if err != nil {
		return nil, fmt.Errorf("%w\n(adapter %s)", err, dir)
	}
	if err := a.read(file); err != nil {
		a.Detach()
		return nil, fmt.Errorf("%w\n(adapter %s)", err, dir)
	}
	return a, nil
}

func openTensors(dir string) (*safetensors.File, error) {
	path := filepath.Join(dir, tensorFile)
	if _, err := os.Stat(path); err != nil {
		if _, err := os.Stat(filepath.Join(dir, "adapter_model.bin")); err == nil {
			return nil, fmt.Errorf("lora: %s holds adapter_model.bin, a pickle that can run code when opened: save the adapter with safe_serialization=True", dir)
		}
	}
	file, err := safetensors.Open(path)
	if err != nil {
		return nil, fmt.Errorf("lora: %w", err)
	}
	return file, nil
}

// read fills the parameters from a file that must hold exactly them.
func (a *Adapter) read(file *safetensors.File) error {
	var faults []error
	used := map[string]bool{}
	for _, p := range a.Params() {
		t, ok := file.Tensor(p.Name)
		if !ok {
			faults = append(faults, fmt.Errorf("lora: missing %s", p.Name))
			continue
		}
		used[p.Name] = true
		if want := []int{p.Value.Rows, p.Value.Cols}; !slices.Equal(t.Shape, want) {
			faults = append(faults, fmt.Errorf("lora: %s has shape %v, but the model and r ask for %v: the adapter belongs to another model", p.Name, t.Shape, want))
			continue
		}
		if err := fill(a.model.Device, p.Value, t); err != nil {
			faults = append(faults, fmt.Errorf("lora: %w", err))
		}
	}
	for _, name := range file.Names() {
		// PEFT keeps an untrained copy of the base beside an adapter on the head.
		if !used[name] && !strings.HasSuffix(name, ".base_layer.weight") {
			faults = append(faults, fmt.Errorf("lora: %s: no such target in the adapter's configuration", name))
		}
	}
	return errors.Join(faults...)
}

func fill(dev kernels.Device, dst kernels.Tensor, t safetensors.Tensor) error {
	v := make([]float32, dst.Len())
	if err := t.Float32s(v); err != nil {
		return err
	}
	dev.Write(dst, v)
	return nil
}
