package lora

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ReadConfig reads the adapter_config.json in dir. Its error lists every field
// whose value asks for something that graft does not do.
func ReadConfig(dir string) (Config, error) {
	path := filepath.Join(dir, configFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("lora: %w", err)
	}
	c, err := parseConfig(text)
	if err != nil {
		return Config{}, fmt.Errorf("%w\n(in %s)", err, path)
	}
	return c, nil
}

func parseConfig(text []byte) (Config, error) {
	var p peftConfig
	var all map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(text, &p), json.Unmarshal(text, &all)); err != nil {
		return Config{}, fmt.Errorf("lora: %s: %w", configFile, err)
	}
	if err := refuse(p, all); err != nil {
		return Config{}, err
	}
	c := Config{Rank: p.Rank, Dropout: p.Dropout, RSLoRA: p.RankScaled, Base: p.Base, Alpha: 8}
	if c.Rank == 0 {
		c.Rank = 8 // PEFT's defaults
	}
	if p.Alpha != "" {
		var err error
		if c.Alpha, err = p.Alpha.Float64(); err != nil {
			return Config{}, fmt.Errorf("lora: lora_alpha: %w", err)
		}
	}
	if err := errors.Join(c.setTargets(p.Targets), c.setLayers(all["layers_to_transform"])); err != nil {
		return Config{}, err
	}
	return c, c.Validate()
}

// setTargets reads target_modules: a list of name ends, "all-linear", or a
// regular expression. None means q_proj and v_proj.
func (c *Config) setTargets(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		c.Targets = []string{"q_proj", "v_proj"}
		return nil
	}
	var one string
	if json.Unmarshal(raw, &one) != nil {
		if err := json.Unmarshal(raw, &c.Targets); err != nil || len(c.Targets) == 0 {
			return errors.New("lora: target_modules: neither a list of names nor a pattern")
		}
		return nil
	}
	if strings.EqualFold(one, allLinear) {
		c.Targets = []string{allLinear}
	} else {
		c.Pattern = one
	}
	return nil
}

// setLayers reads layers_to_transform: a number or a list of them.
func (c *Config) setLayers(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	c.Layers = make([]int, 1)
	if json.Unmarshal(raw, &c.Layers[0]) == nil {
		return nil
	}
	if err := json.Unmarshal(raw, &c.Layers); err != nil {
		return fmt.Errorf("lora: layers_to_transform %s: neither a number nor a list of numbers", raw)
	}
	return nil
}

// harmless are fields whose value does not change what an adapter computes.
var harmless = map[string]bool{
	"auto_mapping": true, "base_model_name_or_path": true, "inference_mode": true, "init_lora_weights": true, "lora_alpha": true,
	"lora_dropout": true, "peft_type": true, "peft_version": true, "r": true, "revision": true, "target_modules": true, "task_type": true,
	"use_rslora": true, "megatron_core": true, "qalora_group_size": true, "loftq_config": true, "eva_config": true, "corda_config": true,
	"lora_ga_config": true, "runtime_config": true, "ensure_weight_tying": true, "layers_pattern": true, "layers_to_transform": true, "bias": true,
}

// refuse lists what changes the adapter and is not done here. A field that graft
// has never heard of counts, unless it is off.
func refuse(p peftConfig, all map[string]json.RawMessage) error {
	var faults []error
	if p.Type != "LORA" {
		faults = append(faults, fmt.Errorf("lora: peft_type %q is not supported: graft reads LORA", p.Type))
	}
	if p.Bias != "" && p.Bias != "none" {
		faults = append(faults, fmt.Errorf("lora: bias %q is not supported: graft reads none", p.Bias))
	}
	switch p.Init {
	case nil, true, false, "gaussian", "eva", "orthogonal":
	default:
		faults = append(faults, fmt.Errorf("lora: init_lora_weights %q changes the base's weights: convert the adapter with PEFT's path_initial_model_for_weight_conversion", p.Init))
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !harmless[name] && !off(all[name]) {
			faults = append(faults, fmt.Errorf("lora: %s %s is not supported", name, all[name]))
		}
	}
	return errors.Join(faults...)
}

// off reports whether a JSON value is null, false, 0, or empty.
func off(v json.RawMessage) bool {
	switch string(v) {
	case "null", "false", "0", "0.0", "{}", "[]", `""`:
		return true
	}
	return false
}
