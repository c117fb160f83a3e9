package model

import "github.com/seed-5afa5581/graft/kernels"

// lowest returns the first thing that trains: -1 for the embedding, i for block
// i, the number of blocks for the last norm or the head, one more for nothing.
func (m *Model) lowest() int {
	if m.Embedding.Param != nil {
		return -1
	}
	for i, b := range m.Blocks {
		if b.trains() {
			return i
		}
	}
	if m.Norm.trains() || m.Head.trains() {
		return len(m.Blocks)
	}
	return len(m.Blocks) + 1
}

// forward runs the embedding and the blocks and returns the residual stream
// [T, C]. From block keep on it saves what backward needs.
func (p *Pass) forward(keep int) kernels.Tensor {
	t, c := p.tokens.Len(), p.model.Config.Hidden
	p.layInputs(t, c)
	x := p.Arena.Float32(t, c)
	p.dev.Embed(x, p.model.Embedding.W, p.tokens)
	if p.train && p.Noise > 0 {
		p.addNoise(x)
	}
	for i, b := range p.model.Blocks {
		x = p.through(b, x, i >= keep)
	}
	return x
}

// layInputs makes room for the inputs of the blocks that are to run again. A run
// without gradients has it too, for what is above lies at the same place then.
func (p *Pass) layInputs(t, c int) {
	lowest := p.model.lowest()
	for i := range p.inputs {
		p.inputs[i], p.saved[i] = kernels.Tensor{}, blockSaved{}
		if p.Recompute && i >= lowest {
			p.inputs[i] = p.Arena.Activation(t, c)
		}
	}
}

// through runs a block on the residual stream x and returns the stream behind
// it. For the way back it saves all that the block computes or, to compute that
// again, the block's input as an activation: on a device whose activations are
// rounded the stream itself is not.
func (p *Pass) through(b *Block, x kernels.Tensor, saving bool) kernels.Tensor {
	if saving && !p.Recompute {
		y := p.Arena.Like(x)
		p.saved[b.Index] = b.Forward(p, y, x)
		return y
	}
	if saving {
		p.dev.Copy(p.inputs[b.Index], x)
	}
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	b.Forward(p, x, x)
	return x
}

// backward takes dx [T, C], the gradient of the residual stream, down to the
// lowest thing that trains.
func (p *Pass) backward(dx kernels.Tensor, lowest int) {
	for i := len(p.model.Blocks) - 1; i >= max(0, lowest); i-- {
		mark, b := p.Arena.Mark(), p.model.Blocks[i]
		if p.Recompute {
			p.saved[i] = b.Forward(p, kernels.Tensor{}, p.inputs[i])
		}
		b.Backward(p, dx, p.saved[i], i > lowest)
		p.Arena.Release(mark)
	}
	if e := p.model.Embedding.Param; e != nil {
		p.dev.EmbedGrad(e.Grad, dx, p.tokens)
	}
}

// Logits runs a batch and returns the logits [T, V] of every position.
func (p *Pass) Logits(b Batch) (logits []float32, err error) {
	defer outOfMemory(&err)
	if err := p.begin(b); err != nil {
		return nil, err
	}
	x, all := p.forward(len(p.model.Blocks)), p.rows
	logits = make([]float32, x.Rows*p.model.Config.Vocab)
	for from, step := 0, p.headRows(); from < x.Rows; from += step {
		to := min(x.Rows, from+step)
		p.rows = rows{positions: all.positions.Slice(from, to), samples: all.samples.Slice(from, to)}
		p.logits(logits[from*p.model.Config.Vocab:to*p.model.Config.Vocab], x.Slice(from, to))
	}
	p.rows = all
	return logits, p.dev.Sync()
}

// logits computes those of the rows x [n, C] of the residual stream.
func (p *Pass) logits(dst []float32, x kernels.Tensor) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	h, logits := p.Arena.Activation(x.Rows, x.Cols), p.Arena.Float32(x.Rows, p.model.Config.Vocab)
	p.model.Norm.Forward(p, h, x)
	p.model.Head.Forward(p, logits, h, false)
	p.dev.Read(dst, logits)
}
