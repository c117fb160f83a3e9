package model

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed-5afa5581/graft/internal/atomicfile"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model/safetensors"
)

// shardBytes is the size of the largest file that Save writes.
const shardBytes = 5 << 30

// sidecars are the files that Save takes over from the checkpoint that the
// model was opened from.
var sidecars = []string{
	"config.json", "generation_config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
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
	for _, name := range []string{safetensors.SingleFile, safetensors.IndexFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("model: %s holds a model already: choose another directory", dir)
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if err := safetensors.WriteSharded(dir, shardBytes, nil, m.entries()); err != nil {
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

// entries lists the model's tensors. Vectors are matrices of one row here.
func (m *Model) entries() (list []safetensors.Entry) {
	for name, w := range m.tensors() {
		shape, dtype := []int{w.Rows, w.Cols}, dtypeOf[m.formats[name]]
		if t, ok := m.checkpoint.Tensor(name); ok {
			shape = t.Shape
		}
		list = append(list, safetensors.Entry{Name: name, DType: dtype, Shape: shape, Write: func(to io.Writer) error {
			return m.eachRows(w, func(rows []float32) error { return safetensors.WriteFloats(to, dtype, rows) })
		}})
	}
	return list
}

// Replace gives a linear layer a new weight [out, in], float32 on the host,
// rounded once to the format that its weight is stored in.
func (m *Model) Replace(l *Linear, w []float32) error {
	format := m.formats[l.Name+".weight"]
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
