package model

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model/safetensors"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// Open opens the checkpoint in a directory as Hugging Face lays it out:
// config.json, model.safetensors or its shards, and tokenizer.json if there is
// one. Weights stay in the mapped file where the device can read them there.
func Open(dev kernels.Device, dir string) (*Model, error) {
	checkpoint, err := safetensors.OpenCheckpoint(dir)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return open(dev, os.DirFS(dir), dir, checkpoint)
}

// OpenFS is Open for a file system, such as files embedded in the program.
func OpenFS(dev kernels.Device, files fs.FS) (*Model, error) {
	checkpoint, err := safetensors.OpenCheckpointFS(files)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return open(dev, files, "", checkpoint)
}

func open(dev kernels.Device, files fs.FS, dir string, checkpoint *safetensors.Checkpoint) (*Model, error) {
	m := &Model{Device: dev, Dir: dir, files: files, checkpoint: checkpoint, formats: map[string]kernels.Format{}}
	err := m.load()
	if err == nil {
		return m, nil
	}
	m.Close()
	if dir != "" {
		err = fmt.Errorf("%w\n(in %s)", err, dir)
	}
	return nil, err
}

func (m *Model) load() error {
	text, err := fs.ReadFile(m.files, "config.json")
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if m.Config, err = ParseConfig(text); err != nil {
		return err
	}
	if err := m.loadTokenizer(); err != nil {
		return err
	}
	if t, ok := m.checkpoint.Tensor("model.layers.0.self_attn.q_proj.weight"); ok {
		m.Device = m.Device.For(formatOf[t.DType])
	}
	l := loader{m: m, used: map[string]bool{}}
	l.model()
	if err := errors.Join(l.faults...); err != nil {
		return err
	}
	m.Unexpected = l.unexpected()
	if n := len(m.Unexpected); n > 0 {
		slog.Warn("model: tensors that the architecture has no place for", "count", n, "first", m.Unexpected[0], "dir", m.Dir)
	}
	return m.Device.Sync()
}

func (m *Model) loadTokenizer() error {
	for _, name := range []string{"tokenizer.json", "tokenizer.model"} {
		if _, err := fs.Stat(m.files, name); err != nil {
			continue
		}
		t, err := tokenizer.Load(m.files)
		if err != nil {
			return fmt.Errorf("model: %w", err)
		}
		m.Tokenizer = t
		return nil
	}
	return nil
}

// A loader takes the tensors of a checkpoint one by one and remembers every
// fault.
type loader struct {
	m      *Model
	used   map[string]bool
	faults []error
}

func (l *loader) model() {
	m, c := l.m, &l.m.Config
	m.Embedding = Embedding{Name: "model.embed_tokens", W: l.matrix("model.embed_tokens.weight", c.Vocab, c.Hidden)}
	m.Norm = l.norm("model.norm", c.Hidden)
	m.Head = Linear{Name: "lm_head", W: m.Embedding.W}
	if c.Tied {
		l.used["lm_head.weight"] = true // some files hold a copy
	} else {
		m.Head = l.linear("lm_head", c.Vocab, c.Hidden, false)
	}
	for i := range c.Layers {
		m.Blocks = append(m.Blocks, l.block(i))
	}
}

func (l *loader) block(i int) *Block {
	c, at := &l.m.Config, fmt.Sprintf("model.layers.%d.", i)
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	b := &Block{
		Index: i,
		Norm1: l.norm(at+"input_layernorm", c.Hidden),
		Norm2: l.norm(at+"post_attention_layernorm", c.Hidden),
		Attention: Attention{
			Q: l.linear(at+"self_attn.q_proj", q, c.Hidden, c.QKVBias),
			K: l.linear(at+"self_attn.k_proj", kv, c.Hidden, c.QKVBias),
			V: l.linear(at+"self_attn.v_proj", kv, c.Hidden, c.QKVBias),
			O: l.linear(at+"self_attn.o_proj", c.Hidden, q, c.OBias),

			Heads: c.Heads, KVHeads: c.KVHeads, Width: c.HeadDim, Window: c.Windows[i],
		},
		MLP: MLP{
			Gate: l.linear(at+"mlp.gate_proj", c.Intermediate, c.Hidden, c.MLPBias),
			Up:   l.linear(at+"mlp.up_proj", c.Intermediate, c.Hidden, c.MLPBias),
			Down: l.linear(at+"mlp.down_proj", c.Hidden, c.Intermediate, c.MLPBias),
		},
	}
	if c.QKNorm {
		qNorm, kNorm := l.norm(at+"self_attn.q_norm", c.HeadDim), l.norm(at+"self_attn.k_norm", c.HeadDim)
		b.Attention.QNorm, b.Attention.KNorm = &qNorm, &kNorm
	}
	return b
}

func (l *loader) linear(name string, out, in int, bias bool) Linear {
	n := Linear{Name: name, W: l.matrix(name+".weight", out, in)}
	if bias {
		n.Bias = l.vector(name+".bias", out)
	}
	return n
}

func (l *loader) norm(name string, n int) Norm {
	return Norm{Name: name, Gain: l.vector(name+".weight", n), Eps: l.m.Config.NormEps}
}

// fault notes an error about a tensor, named with its layer.
func (l *loader) fault(name, format string, args ...any) {
	place := "model: "
	if rest, ok := strings.CutPrefix(name, "model.layers."); ok {
		layer, short, _ := strings.Cut(rest, ".")
		place, name = "model: layer "+layer+": ", short
	}
	l.faults = append(l.faults, fmt.Errorf(place+format, append([]any{name}, args...)...))
}

// tensor returns the tensor of a name if it is there in the right shape.
func (l *loader) tensor(name string, shape ...int) (safetensors.Tensor, bool) {
	t, ok := l.m.checkpoint.Tensor(name)
	if !ok {
		l.fault(name, "missing %s")
		return t, false
	}
	l.used[name] = true
	if fmt.Sprint(t.Shape) != fmt.Sprint(shape) {
		l.fault(name, "%s has shape %v, but config.json says %v", t.Shape, shape)
		return t, false
	}
	return t, true
}

var formatOf = map[safetensors.DType]kernels.Format{
	safetensors.F32: kernels.F32, safetensors.BF16: kernels.BF16, safetensors.F16: kernels.F16,
}

var dtypeOf = map[kernels.Format]safetensors.DType{
	kernels.F32: safetensors.F32, kernels.BF16: safetensors.BF16, kernels.F16: safetensors.F16,
}

// matrix uploads a weight in the format it is stored in, F64 as float32.
func (l *loader) matrix(name string, rows, cols int) (w kernels.Matrix) {
	t, ok := l.tensor(name, rows, cols)
	if !ok {
		return w
	}
	format, ok := formatOf[t.DType]
	if !ok {
		v := l.float32s(name, t, rows, cols)
		if v.None() {
			return w
		}
		return v.Matrix()
	}
	l.m.formats[name] = format
	w, err := l.m.Device.NewMatrix(kernels.Weights{Rows: rows, Cols: cols, Format: format, Data: t.Data})
	if err != nil {
		l.fault(name, "%s: %w", err)
		return w
	}
	l.m.owned = append(l.m.owned, w.Mem)
	return w
}

// vector uploads a bias or a norm's gain in float32.
func (l *loader) vector(name string, n int) (v kernels.Tensor) {
	t, ok := l.tensor(name, n)
	if !ok {
		return v
	}
	return l.float32s(name, t, 1, n)
}

func (l *loader) float32s(name string, t safetensors.Tensor, rows, cols int) (v kernels.Tensor) {
	l.m.formats[name] = formatOf[t.DType] // F64 is kept as F32
	content := make([]float32, rows*cols)
	err := t.Float32s(content)
	if err == nil {
		v, err = l.m.float32s(rows, cols, content)
	}
	if err != nil {
		l.fault(name, "%s: %w", err)
	}
	return v
}

// unexpected names the tensors that nothing asked for. Old checkpoints carry
// the rotary frequencies, which config.json gives.
func (l *loader) unexpected() (names []string) {
	for _, n := range l.m.checkpoint.Names() {
		if !l.used[n] && !strings.HasSuffix(n, ".rotary_emb.inv_freq") {
			names = append(names, n)
		}
	}
	return names
}
