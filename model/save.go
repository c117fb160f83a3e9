package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed-5afa5581/graft/internal/atomicfile"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model/safetensors"
	"github.com/seed-5afa5581/graft/quant"
)

// configName is the file that holds a model's architecture.
const configName = "config.json"

// shardBytes is the size of the largest file that Save writes.
const shardBytes = 5 << 30

// sidecars are the files that Save takes over from the checkpoint that the
// model was opened from.
var sidecars = []string{
	"generation_config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
	"special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja",
}

// Save writes the model as a checkpoint into dir, which must not hold one yet.
// Every tensor keeps the type that the checkpoint it came from has it in,
// rounded to nearest even where it was trained or merged; a float64 becomes
// float32. Adapters are not part of it: merge them first.
func (m *Model) Save(dir string) error {
	for l := range m.Linears() {
		if l.Delta != nil {
			return fmt.Errorf("model: %s has an adapter: merge it or save the adapter by itself", l.Name)
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if err := safetensors.WriteSharded(dir, shardBytes, nil, m.entries()); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	config, err := m.configFile()
	if err == nil {
		err = atomicfile.Bytes(filepath.Join(dir, configName), config)
	}
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	for _, name := range sidecars {
		if err := m.copyFile(dir, name); err != nil {
			return fmt.Errorf("model: %w", err)
		}
	}
	return nil
}

func (m *Model) copyFile(dir, name string) error {
	text, err := fs.ReadFile(m.files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return atomicfile.Bytes(filepath.Join(dir, name), text)
}

// configFile returns config.json, with or without quantization_config as the
// weights are.
func (m *Model) configFile() ([]byte, error) {
	text, err := fs.ReadFile(m.files, configName)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	const key = "quantization_config"
	if _, has := fields[key]; has == (len(m.quantized) > 0) {
		return text, nil
	}
	delete(fields, key)
	for _, t := range m.quantized { // all are alike
		if fields[key], err = json.Marshal(newBitsandbytes(t)); err != nil {
			return nil, err
		}
		break
	}
	text, err = json.MarshalIndent(fields, "", "  ")
	return append(text, '\n'), err
}

// bitsandbytes is the quantization_config that transformers writes.
type bitsandbytes struct {
	Load4Internal bool        `json:"_load_in_4bit"`
	Load8Internal bool        `json:"_load_in_8bit"`
	ComputeDType  string      `json:"bnb_4bit_compute_dtype"`
	Storage       string      `json:"bnb_4bit_quant_storage"`
	Type          string      `json:"bnb_4bit_quant_type"`
	Double        bool        `json:"bnb_4bit_use_double_quant"`
	Offload       bool        `json:"llm_int8_enable_fp32_cpu_offload"`
	Half          bool        `json:"llm_int8_has_fp16_weight"`
	Skip          []string    `json:"llm_int8_skip_modules"`
	Threshold     json.Number `json:"llm_int8_threshold"`
	Load4         bool        `json:"load_in_4bit"`
	Load8         bool        `json:"load_in_8bit"`
	Method        string      `json:"quant_method"`
}

func newBitsandbytes(t *quant.Tensor) bitsandbytes {
	return bitsandbytes{
		Load4Internal: true, ComputeDType: t.DType.String(), Storage: "uint8", Type: t.Type.String(), Double: t.Scales.Double(),
		Skip: []string{"lm_head"}, Threshold: "6.0", Load4: true, Method: "bitsandbytes",
	}
}

// entries lists the model's tensors. Vectors are matrices of one row here.
func (m *Model) entries() (list []safetensors.Entry) {
	for name, w := range m.tensors() {
		if t := m.quantized[name]; t != nil {
			list = append(list, quantizedEntries(name, t)...)
			continue
		}
		shape, dtype := []int{w.Rows, w.Cols}, dtypeOf[m.formats[name]]
		if t, ok := m.checkpoint.Tensor(name); ok && len(t.Shape) == 1 {
			shape = t.Shape
		}
		list = append(list, safetensors.Entry{Name: name, DType: dtype, Shape: shape, Write: func(to io.Writer) error {
			return m.eachRows(w, func(rows []float32) error { return safetensors.WriteFloats(to, dtype, rows) })
		}})
	}
	return list
}

func quantizedEntries(name string, t *quant.Tensor) (list []safetensors.Entry) {
	for _, p := range t.Parts() {
		list = append(list, safetensors.Entry{Name: name + p.Suffix, DType: safetensors.DType(p.DType), Shape: p.Shape, Write: func(to io.Writer) error {
			_, err := to.Write(p.Data)
			return err
		}})
	}
	return list
}

// Replace gives a linear layer a new weight [out, in], float32 on the host,
// rounded or quantised once to the format that its weight is stored in.
func (m *Model) Replace(l *Linear, w []float32) error {
	name := l.Name + ".weight"
	old := m.quantized[name]
	if old == nil {
		return m.replaceDense(l, w, m.formats[name])
	}
	t, err := quant.Quantize(quant.Floats(w), old.Shape, old.Config())
	if err != nil {
		return fmt.Errorf("model: %s: %w", l.Name, err)
	}
	t.DType = old.DType
	l.W, err = m.newQuantized(name, t)
	return err
}

// Quantized returns the tensor behind a linear layer's weight, nil if it is dense.
func (m *Model) Quantized(l *Linear) *quant.Tensor { return m.quantized[l.Name+".weight"] }

// ReplaceDense is Replace for a layer that is not to be quantised any more: its
// weight gets the format that it had before it was.
func (m *Model) ReplaceDense(l *Linear, w []float32) error {
	name := l.Name + ".weight"
	m.dense(name)
	return m.replaceDense(l, w, m.formats[name])
}

// dense notes that a tensor is not quantised any more.
func (m *Model) dense(name string) {
	if t := m.quantized[name]; t != nil {
		m.formats[name] = denseFormat[t.DType]
		delete(m.quantized, name)
	}
}

var denseFormat = map[quant.DType]kernels.Format{quant.Float32: kernels.F32, quant.Float16: kernels.F16, quant.BFloat16: kernels.BF16}

func (m *Model) replaceDense(l *Linear, w []float32, format kernels.Format) error {
	matrix, err := m.Device.NewMatrix(kernels.Weights{
		Rows: l.Out(), Cols: l.In(), Format: format, Data: safetensors.Encode(dtypeOf[format], w),
	})
	if err != nil {
		return fmt.Errorf("model: %s: %w", l.Name, err)
	}
	m.owned = append(m.owned, matrix.Mem)
	l.W = matrix
	return nil
}

// Dequantize gives every quantised layer a dense weight in the format that it
// had before it was quantised, with the values that its codes stand for.
func (m *Model) Dequantize() error {
	for l := range m.Linears() {
		t := m.quantized[l.Name+".weight"]
		if t == nil {
			continue
		}
		w := make([]float32, t.Len())
		t.DequantizeAll(w, 0)
		if err := m.ReplaceDense(l, w); err != nil {
			return err
		}
	}
	return nil
}
