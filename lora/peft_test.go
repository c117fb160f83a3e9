package lora

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/model/safetensors"
)

func TestReadConfig(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want Config
	}{
		"least":           {`{"peft_type":"LORA"}`, Config{Rank: 8, Alpha: 8, Targets: []string{"q_proj", "v_proj"}}},
		"all-linear":      {`{"peft_type":"LORA","r":4,"lora_alpha":16,"target_modules":"all-linear"}`, Config{Rank: 4, Alpha: 16, Targets: []string{"all-linear"}}},
		"regex":           {`{"peft_type":"LORA","target_modules":".*q_proj","use_rslora":true}`, Config{Rank: 8, Alpha: 8, Pattern: ".*q_proj", RSLoRA: true}},
		"float alpha":     {`{"peft_type":"LORA","lora_alpha":12.5,"target_modules":["a"],"lora_dropout":0.1,"base_model_name_or_path":"b"}`, Config{Rank: 8, Alpha: 12.5, Targets: []string{"a"}, Dropout: 0.1, Base: "b"}},
		"layers":          {`{"peft_type":"LORA","target_modules":["a"],"layers_to_transform":[1,3]}`, Config{Rank: 8, Alpha: 8, Targets: []string{"a"}, Layers: []int{1, 3}}},
		"one layer":       {`{"peft_type":"LORA","target_modules":["a"],"layers_to_transform":2}`, Config{Rank: 8, Alpha: 8, Targets: []string{"a"}, Layers: []int{2}}},
		"unknown but off": {`{"peft_type":"LORA","new_field":null,"other":false,"third":{},"init_lora_weights":"gaussian"}`, Config{Rank: 8, Alpha: 8, Targets: []string{"q_proj", "v_proj"}}},
	} {
		got, err := parseConfig([]byte(c.text))
		if err != nil || got.Rank != c.want.Rank || got.Alpha != c.want.Alpha || got.Pattern != c.want.Pattern || got.RSLoRA != c.want.RSLoRA ||
			got.Dropout != c.want.Dropout || got.Base != c.want.Base || !slices.Equal(got.Targets, c.want.Targets) || !slices.Equal(got.Layers, c.want.Layers) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestReadConfigRefusals(t *testing.T) {
	for want, text := range map[string]string{
		`peft_type "IA3" is not supported`:             `{"peft_type":"IA3"}`,
		`peft_type "" is not supported`:                `{}`,
		`bias "all" is not supported`:                  `{"peft_type":"LORA","bias":"all"}`,
		"use_dora true is not supported":               `{"peft_type":"LORA","use_dora":true}`,
		`modules_to_save ["lm_head"] is not supported`: `{"peft_type":"LORA","modules_to_save":["lm_head"]}`,
		`rank_pattern {"q_proj":2} is not supported`:   `{"peft_type":"LORA","rank_pattern":{"q_proj":2}}`,
		`layers_to_transform "x": neither a number`:    `{"peft_type":"LORA","layers_to_transform":"x"}`,
		"layers [-1]: are counted from 0":              `{"peft_type":"LORA","layers_to_transform":[-1]}`,
		"both layers and a pattern":                    `{"peft_type":"LORA","target_modules":".*","layers_to_transform":0}`,
		"fan_in_fan_out true is not supported":         `{"peft_type":"LORA","fan_in_fan_out":true}`,
		"new_field 3 is not supported":                 `{"peft_type":"LORA","new_field":3}`,
		`init_lora_weights "pissa" changes the base`:   `{"peft_type":"LORA","init_lora_weights":"pissa"}`,
		"target_modules: neither a list":               `{"peft_type":"LORA","target_modules":{}}`,
		"target_modules: neither a list of names":      `{"peft_type":"LORA","target_modules":[]}`,
		"rank -3: must be positive":                    `{"peft_type":"LORA","r":-3}`,
		"pattern: error parsing regexp":                `{"peft_type":"LORA","target_modules":"("}`,
		"adapter_config.json: unexpected end of JSON":  `{`,
		"adapter_config.json: json: cannot unmarshal":  `{"r":"8"}`,
	} {
		if _, err := parseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"peft_type":"LORA","r":4,"lora_alpha":16,"target_modules":["q_proj"]}`))
	f.Add([]byte(`{"peft_type":"LORA","target_modules":"a|b","lora_alpha":1e999}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := parseConfig(text); err == nil && (c.Rank <= 0 || c.Validate() != nil) {
			t.Errorf("accepted %+v", c)
		}
	})
}

// rewrite changes the tensors of a saved adapter.
func rewrite(t *testing.T, dir string, change func(map[string]safetensors.Entry)) {
	t.Helper()
	path := filepath.Join(dir, tensorFile)
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]safetensors.Entry{}
	for _, n := range f.Names() {
		x, _ := f.Tensor(n)
		v := make([]float32, x.Len())
		if err := x.Float32s(v); err != nil {
			t.Fatal(err)
		}
		all[n] = safetensors.Float32Entry(n, x.DType, x.Shape, v)
	}
	f.Close()
	change(all)
	var entries []safetensors.Entry
	for _, e := range all {
		entries = append(entries, e)
	}
	if err := safetensors.Write(path, nil, entries); err != nil {
		t.Fatal(err)
	}
}

func TestLoadFaults(t *testing.T) {
	const q = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
	for want, change := range map[string]func(map[string]safetensors.Entry){
		"missing " + q: func(all map[string]safetensors.Entry) { delete(all, q) },
		q + " has shape [2 16], but the model and r ask for [4 16]": func(all map[string]safetensors.Entry) {
			all[q] = safetensors.Float32Entry(q, safetensors.F32, []int{2, 16}, make([]float32, 32))
		},
		"extra.lora_A.weight: no such target": func(all map[string]safetensors.Entry) {
			all["extra"] = safetensors.Float32Entry("extra.lora_A.weight", safetensors.F32, []int{1}, make([]float32, 1))
		},
	} {
		m, dir := openTiny(t, nil), t.TempDir()
		a := attachRandom(t, m, Config{Rank: 4, Targets: []string{"q_proj"}})
		if err := a.Save(dir); err != nil {
			t.Fatal(err)
		}
		a.Detach()
		rewrite(t, dir, change)
		if _, err := Load(m, dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("error %v, want %q and the directory", err, want)
		}
		if len(m.Params()) != 0 {
			t.Error("a refused adapter left branches behind")
		}
	}
}

func TestLoadWithoutFiles(t *testing.T) {
	m, dir := openTiny(t, nil), t.TempDir()
	if _, err := Load(m, dir); err == nil || !strings.Contains(err.Error(), configFile) {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, configFile), []byte(`{"peft_type":"LORA"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(m, dir); err == nil || !strings.Contains(err.Error(), tensorFile) {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "adapter_model.bin"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(m, dir); err == nil || !strings.Contains(err.Error(), "safe_serialization=True") {
		t.Errorf("error %v", err)
	}
}
