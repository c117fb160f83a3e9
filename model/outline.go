package model

import (
	"encoding/json"
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// Storage says how a checkpoint's weights are stored.
type Storage struct {
	Dense   kernels.Format // of what is not quantised
	Linears *quant.Config  // how the linear layers but the head are quantised; nil if they are not
}

// ParseStorage reads what the content of a config.json says about it; without a
// word the weights are float32.
func ParseStorage(data []byte) (Storage, error) {
	var raw struct {
		DType        string `json:"dtype"`
		TorchDType   string `json:"torch_dtype"`
		Quantization *struct {
			Load8  bool   `json:"load_in_8bit"`
			Type   string `json:"bnb_4bit_quant_type"`
			Double bool   `json:"bnb_4bit_use_double_quant"`
		} `json:"quantization_config"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return Storage{}, fmt.Errorf("model: config.json: %w", err)
	}
	if raw.DType == "" {
		raw.DType = raw.TorchDType
	}
	s := Storage{Dense: map[string]kernels.Format{"bfloat16": kernels.BF16, "float16": kernels.F16}[raw.DType]}
	if q := raw.Quantization; q != nil {
		s.Linears = &quant.Config{PlainScales: !q.Double}
		if q.Type == "fp4" {
			s.Linears.Type = quant.FP4
		}
		if q.Load8 {
			s.Linears = &quant.Config{Type: quant.Int8}
		}
	}
	return s, nil
}

// Outline returns a model whose weights have shapes and formats but no content,
// which a device for planning does without: passes over it ask the device for
// what they would ask it for with the checkpoint of that configuration.
func Outline(dev kernels.Device, c Config, s Storage) *Model {
	m := &Model{Config: c, Device: dev, outline: true, formats: map[string]kernels.Format{}, quantized: map[string]*quantized{}}
	l := loader{m: m, outline: &s, used: map[string]bool{}}
	l.model()
	return m
}

// IsOutline reports whether Outline made the model: what is put into its tensors
// is lost.
func (m *Model) IsOutline() bool { return m.outline }

// linears returns the format of the linear layers but the head.
func (s Storage) linears() kernels.Format {
	if s.Linears == nil {
		return s.Dense
	}
	return kernels.QuantizedAs(s.Linears.Type)
}

// outlined returns a weight without content.
func (l *loader) outlined(w kernels.Weights) kernels.Matrix {
	m, err := l.m.Device.NewMatrix(w)
	if err != nil {
		l.faults = append(l.faults, err)
	}
	return m
}
