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
	return m.save(dir, false)
}

// SaveMerged is Save with what each Delta adds in the weight of its layer, and
// with quantised weights dense, in the values that they stand for and the types
// that they had before. It adds in float32 and rounds once, one tensor at a time
// as it is written; the model stays as it is.
func (m *Model) SaveMerged(dir string) error {
	for l := range m.Linears() {
		if _, ok := l.Delta.(Merger); l.Delta != nil && !ok {
			return fmt.Errorf("model: %s has a branch that cannot be merged", l.Name)
		}
	}
	return m.save(dir, true)
}

// save writes the checkpoint; dense says that nothing is quantised in it.
func (m *Model) save(dir string, dense bool) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	entries, err := m.entries(dense)
	if err != nil {
		return err
	}
	if err := safetensors.WriteSharded(dir, shardBytes, nil, entries); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	config, err := m.configFile(!dense && len(m.quantized) > 0)
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

// configFile returns config.json, with quantization_config if weights are
// quantised.
func (m *Model) configFile(quantized bool) ([]byte, error) {
	text, err := fs.ReadFile(m.files, configName)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	const key = "quantization_config"
	if _, has := fields[key]; has == quantized {
		return text, nil
	}
	delete(fields, key)
	if quantized {
		if fields[key], err = json.Marshal(m.bitsandbytes()); err != nil {
			return nil, err
		}
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

func (m *Model) bitsandbytes() (b bitsandbytes) {
	for _, q := range m.quantized { // all are alike
		b = bitsandbytes{ComputeDType: q.dtype.String(), Storage: "uint8", Skip: []string{"lm_head"}, Threshold: "6.0", Method: "bitsandbytes"}
		if q.config.Type == quant.Int8 {
			b.Load8Internal, b.Load8 = true, true
			b.ComputeDType, b.Type = "float32", "fp4" // what it writes where nothing is in 4 bits
			continue
		}
		b.Load4Internal, b.Load4, b.Type, b.Double = true, true, q.config.Type.String(), !q.config.PlainScales
	}
	return b
}

// entries lists the model's tensors, or with dense those of SaveMerged. Vectors
// are matrices of one row here.
func (m *Model) entries(dense bool) (list []safetensors.Entry, err error) {
	mergers := m.mergers()
	for name, w := range m.tensors() {
		q, format := m.quantized[name], m.formats[name]
		if q != nil && !dense {
			t, err := m.codes(name, w)
			if err != nil {
				return nil, err
			}
			list = append(list, quantizedEntries(name, t)...)
			continue
		}
		if q != nil {
			format = denseFormat[q.dtype]
		}
		e := safetensors.Entry{Name: name, DType: dtypeOf[format], Shape: []int{w.Rows, w.Cols}}
		if t, ok := m.checkpoint.Tensor(name); ok && len(t.Shape) == 1 {
			e.Shape = t.Shape
		}
		e.Write = func(to io.Writer) error {
			return m.eachRows(w, func(rows []float32) error { return safetensors.WriteFloats(to, e.DType, rows) })
		}
		if d := mergers[name]; d != nil {
			e.Write = func(to io.Writer) error {
				sum, err := d.Merged(w)
				if err != nil {
					return err
				}
				return safetensors.WriteFloats(to, e.DType, sum)
			}
		}
		list = append(list, e)
	}
	return list, nil
}

// mergers lists the Deltas by the names of the weights that they add to.
func (m *Model) mergers() map[string]Merger {
	found := map[string]Merger{}
	for l := range m.Linears() {
		if d, ok := l.Delta.(Merger); ok {
			found[l.Name+".weight"] = d
		}
	}
	return found
}

func quantizedEntries(name string, t *quant.Tensor) (list []safetensors.Entry) {
	for _, p := range t.Parts() {
		list = append(list, safetensors.Entry{Name: p.Name(name), DType: safetensors.DType(p.DType), Shape: p.Shape, Write: func(to io.Writer) error {
			_, err := to.Write(p.Data)
			return err
		}})
	}
	return list
}
