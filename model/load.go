package model

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model/safetensors"
	"github.com/seed-5afa5581/graft/model/tokenizer"
	"github.com/seed-5afa5581/graft/quant"
)

// Options say how to open a checkpoint. The zero value opens it as it is.
type Options struct {
	// Quantize quantises the linear layers, all but the head, while they are loaded,
	// unless they are already.
	Quantize *quant.Config
}

// Open opens the checkpoint in a directory as Hugging Face lays it out:
// config.json, model.safetensors or its shards, dense or as bitsandbytes
// quantises to 4 or 8 bits, and tokenizer.json if there is one. Weights stay in the
// mapped file where the device can read them there.
func Open(dev kernels.Device, dir string) (*Model, error) { return OpenWith(dev, dir, Options{}) }

// OpenWith is Open with options.
func OpenWith(dev kernels.Device, dir string, o Options) (*Model, error) {
	checkpoint, err := safetensors.OpenCheckpoint(dir)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return open(dev, os.DirFS(dir), dir, checkpoint, o)
}

// OpenFS is Open for a file system, such as files embedded in the program.
func OpenFS(dev kernels.Device, files fs.FS) (*Model, error) {
	checkpoint, err := safetensors.OpenCheckpointFS(files)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return open(dev, files, "", checkpoint, Options{})
}

func open(dev kernels.Device, files fs.FS, dir string, checkpoint *safetensors.Checkpoint, o Options) (*Model, error) {
	m := &Model{
		Device: dev, Dir: dir, files: files, checkpoint: checkpoint,
		formats: map[string]kernels.Format{}, quantized: map[string]*quantized{},
	}
	err := m.load(o)
	if err == nil {
		return m, nil
	}
	m.Close()
	if dir != "" {
		err = fmt.Errorf("%w\n(in %s)", err, dir)
	}
	return nil, err
}

func (m *Model) load(o Options) error {
	text, err := fs.ReadFile(m.files, configName)
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if m.Config, err = ParseConfig(text); err != nil {
		return err
	}
	if err := m.loadTokenizer(); err != nil {
		return err
	}
	l := loader{m: m, used: map[string]bool{}, options: o, parts: map[string][]quant.Part{}}
	l.findParts()
	m.Device = m.Device.For(l.base())
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
	m       *Model
	options Options
	used    map[string]bool
	parts   map[string][]quant.Part // of the weights that the checkpoint has quantised
	outline *Storage                // instead of a checkpoint: weights without content
	faults  []error
}

// findParts gathers the tensors that hold quantised weights.
func (l *loader) findParts() {
	for _, name := range l.m.checkpoint.Names() {
		weight, suffix, ok := quant.PartOf(name)
		if t, _ := l.m.checkpoint.Tensor(name); !ok && t.DType == safetensors.I8 {
			weight, ok = name, true // codes without scales are a fault that quant names
		}
		if !ok {
			continue
		}
		if len(l.parts[weight]) == 0 {
			l.addPart(weight, "")
		}
		if suffix != "" {
			l.addPart(weight, suffix)
		}
	}
}

func (l *loader) addPart(weight, suffix string) {
	p := quant.Part{Suffix: suffix}
	if t, ok := l.m.checkpoint.Tensor(p.Name(weight)); ok {
		l.used[t.Name] = true
		p.DType, p.Shape, p.Data = string(t.DType), t.Shape, t.Data
		l.parts[weight] = append(l.parts[weight], p)
	}
}

// base returns the format of the linear layers. Devices treat all quantised ones
// alike.
func (l *loader) base() kernels.Format {
	const first = "model.layers.0.self_attn.q_proj.weight"
	if l.options.Quantize != nil || len(l.parts[first]) > 0 {
		return kernels.NF4
	}
	t, _ := l.m.checkpoint.Tensor(first)
	return formatOf[t.DType]
}

func (l *loader) model() {
	m, c := l.m, &l.m.Config
	m.Embedding = Embedding{Name: "model.embed_tokens", W: l.matrix("model.embed_tokens.weight", c.Vocab, c.Hidden, !c.Tied)}
	m.Norm = l.norm("model.norm", c.Hidden)
	m.Head = Linear{Name: "lm_head", W: m.Embedding.W}
	if c.Tied {
		l.used["lm_head.weight"] = true // some files hold a copy
	} else {
		m.Head = l.head()
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

// head loads the head, which is never quantised here.
func (l *loader) head() Linear {
	c := &l.m.Config
	return Linear{Name: "lm_head", W: l.matrix("lm_head.weight", c.Vocab, c.Hidden, false)}
}

func (l *loader) linear(name string, out, in int, bias bool) Linear {
	n := Linear{Name: name, W: l.weight(name+".weight", out, in)}
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

// weight uploads a linear layer's weight, quantised if it is stored so or is to be.
func (l *loader) weight(name string, rows, cols int) kernels.Matrix {
	if l.outline != nil {
		return l.outlined(kernels.Weights{Rows: rows, Cols: cols, Format: l.outline.linears()})
	}
	if parts := l.parts[name]; len(parts) > 0 {
		t, err := quant.FromParts(parts)
		if err == nil && t.Type == quant.Int8 { // what the weight was is not stored: what the others are
			embedding, _ := l.m.checkpoint.Tensor(l.m.Embedding.Name + ".weight")
			t.DType = quantFrom[embedding.DType]
		}
		return l.quantized(name, t, err, rows, cols)
	}
	if l.options.Quantize == nil {
		return l.matrix(name, rows, cols, false)
	}
	t, ok := l.tensor(name, rows, cols)
	if !ok {
		return kernels.Matrix{}
	}
	format, ok := formatOf[t.DType]
	if !ok {
		l.fault(name, "%s is %s: only F32, F16 and BF16 can be quantised", t.DType)
		return kernels.Matrix{}
	}
	dense := kernels.Weights{Rows: rows, Cols: cols, Format: format, Data: t.Data}
	w, q, err := kernels.Quantize(l.m.Device, dense, *l.options.Quantize)
	t.Release()
	if err != nil {
		l.fault(name, "%s: %w", err)
		return w
	}
	l.m.keepQuantized(name, w, quantized{config: *l.options.Quantize, dtype: quantFrom[t.DType], tensor: q})
	return w
}

var quantFrom = map[safetensors.DType]quant.DType{
	safetensors.F32: quant.Float32, safetensors.F16: quant.Float16, safetensors.BF16: quant.BFloat16,
}

// quantized uploads a quantised weight.
func (l *loader) quantized(name string, t *quant.Tensor, err error, rows, cols int) (w kernels.Matrix) {
	if err == nil && !slices.Equal(t.Shape, []int{rows, cols}) {
		err = fmt.Errorf("shape %v, but config.json says [%d %d]", t.Shape, rows, cols)
	}
	if err == nil {
		w, err = l.m.newQuantized(name, t)
	}
	if err != nil {
		l.fault(name, "%s: %w", err)
	}
	return w
}

// newQuantized makes a weight of a quantised tensor.
func (m *Model) newQuantized(name string, t *quant.Tensor) (kernels.Matrix, error) {
	w, err := m.Device.NewMatrix(kernels.Weights{Rows: t.Shape[0], Cols: t.Shape[1], Format: kernels.QuantizedAs(t.Type), Quantized: t})
	if err != nil {
		return w, err
	}
	m.keepQuantized(name, w, quantized{t.Config(), t.DType, t})
	return w, nil
}

func (m *Model) keepQuantized(name string, w kernels.Matrix, q quantized) {
	m.owned = append(m.owned, w.Mem)
	m.formats[name], m.quantized[name] = w.Format, &q
}

// matrix makes a weight in the format it is stored in, F64 as float32, for lookups
// alone or for products too.
func (l *loader) matrix(name string, rows, cols int, lookup bool) (w kernels.Matrix) {
	if l.outline != nil {
		return l.outlined(kernels.Weights{Rows: rows, Cols: cols, Format: l.outline.Dense, Lookup: lookup})
	}
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
	w, err := l.m.Device.NewMatrix(kernels.Weights{Rows: rows, Cols: cols, Format: format, Data: t.Data, Lookup: lookup})
	if err != nil {
		l.fault(name, "%s: %w", err)
		return w
	}
	l.m.owned = append(l.m.owned, w.Mem)
	return w
}

// vector uploads a bias or a norm's gain in float32.
func (l *loader) vector(name string, n int) (v kernels.Tensor) {
	if l.outline != nil {
		v, _ = l.m.float32s(1, n, make([]float32, n)) // planning devices have no end
		return v
	}
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
