package golden

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/safetensors"
	"github.com/seed-5afa5581/graft/quant"
)

// A folder is one case's reference values.
type folder struct {
	dir    string
	values *safetensors.File
	meta   struct {
		Losses []float64
		Norms  []float64 `json:"grad_norms"`
		Hyper  struct {
			LR          float64   `json:"lr"`
			Betas       []float64 `json:"betas"`
			Eps         float64   `json:"eps"`
			WeightDecay float64   `json:"weight_decay"`
			MaxNorm     float64   `json:"max_grad_norm"`
			Steps       int       `json:"steps"`
		}
	}
	sequences sequences
}

// sequences is the training set of a case: one step is all of it.
type sequences []data.Sample

func (s sequences) Len() int                 { return len(s) }
func (s sequences) Sample(i int) data.Sample { return s[i] }

func open(dir string) (*folder, error) {
	f := &folder{dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &f.meta); err != nil {
		return nil, err
	}
	if f.values, err = safetensors.Open(filepath.Join(dir, "out.safetensors")); err != nil {
		return nil, err
	}
	for i := 0; ; i++ {
		ids, ok := f.values.Tensor(fmt.Sprintf("seq%d.ids", i))
		if !ok {
			break
		}
		labels, _ := f.values.Tensor(fmt.Sprintf("seq%d.labels", i))
		f.sequences = append(f.sequences, data.Sample{Tokens: int32s(ids), Labels: int32s(labels), Source: fmt.Sprintf("%s: seq%d", dir, i)})
	}
	if len(f.sequences) == 0 || len(f.meta.Losses) == 0 {
		return nil, fmt.Errorf("%s: no sequences or no losses", dir)
	}
	return f, nil
}

func int32s(t safetensors.Tensor) []int32 {
	v := make([]int32, len(t.Data)/4)
	for i := range v {
		v[i] = int32(binary.LittleEndian.Uint32(t.Data[4*i:]))
	}
	return v
}

// float32s returns a recorded tensor.
func (f *folder) float32s(name string) ([]float32, error) {
	t, ok := f.values.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("%s: no %s", f.dir, name)
	}
	v := make([]float32, t.Len())
	return v, t.Float32s(v)
}

// batch lays all sequences into one batch.
func (f *folder) batch() (b model.Batch) {
	for _, s := range f.sequences {
		b.Starts = append(b.Starts, int32(len(b.Tokens)))
		b.Tokens = append(b.Tokens, s.Tokens...)
		b.Labels = append(b.Labels, s.Labels...)
	}
	return b
}

// quantized reports whether the case's base is in 4 bits.
func (f *folder) quantized() bool {
	_, err := os.Stat(filepath.Join(f.dir, "model-nf4"))
	return err == nil
}

// bases lists the ways to open the base: for a quantised one, quantised here,
// and as transformers saved it.
func (f *folder) bases() []opener {
	plain := func(options model.Options, name string) opener {
		return func(dev kernels.Device) (*model.Model, error) {
			return model.OpenWith(dev, filepath.Join(f.dir, name), options)
		}
	}
	if !f.quantized() {
		return []opener{plain(model.Options{}, "model")}
	}
	return []opener{plain(model.Options{Quantize: &quant.Config{}}, "model"), plain(model.Options{}, "model-nf4")}
}

// An opener opens a base.
type opener func(kernels.Device) (*model.Model, error)

// supported are the cases that graft reproduces, later those that it does not
// yet: dropping a case from both lists would go unnoticed, so every name
// must be in one.
var (
	supported = []string{
		"llama", "llama-tied", "llama-bias", "llama3-rope", "llama-headdim", "llama-linear-rope",
		"mistral-window", "qwen2", "qwen3", "llama_qv", "llama_rslora", "llama_nf4", "qwen2_nf4",
	}
	later = []string{
		"gemma", "gemma2", "phi3", "llama_dora", "llama_patterns", "llama_head", "llama_embed", "llama_save",
		"llama-bias_bias", "quant",
	}
	seed = regexp.MustCompile(`_s\d+$`)
)

// caseOf returns the case that a folder's name stands for.
func caseOf(name string) string { return seed.ReplaceAllString(name, "") }
