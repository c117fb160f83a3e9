package kernels

import "github.com/seed-5afa5581/graft/internal/random"

// Info describes a device.
type Info struct {
	Name    string // "cpu", "cuda:0"
	Detail  string // what it runs on, for people
	Workers int    // goroutines that share an operation; 1 where that means nothing
	// Epsilon bounds the relative rounding error of storing one activation:
	// 2^-24 for float32, 2^-8 for bfloat16.
	Epsilon float64
	// Width is the granularity of matrix widths at which the device pads
	// inside itself; callers need not care, plans of memory do.
	Width int
	// Memory is the bytes of the device's own memory; 0 where it uses the host's.
	Memory int64
}

// An AttentionShape describes one attention over packed sequences. Sequence s owns the
// query rows QStarts[s] to QStarts[s+1] and the key rows KStarts[s] to
// KEnds[s]; its queries are the last positions of its keys, so that
// continuing with cached keys is the same operation as a whole sequence.
type AttentionShape struct {
	Heads, KVHeads int // query heads, a multiple of the key/value heads
	Width          int // features of one head
	Scale          float32
	Window         int  // keys that a query sees, itself included; 0 for all before it
	QStarts        Ints // [S+1]
	KStarts, KEnds Ints // [S]
}

// Dropout describes one dropout mask. Whether an element is dropped is a
// function of these numbers, of the sample and position of its row and of
// its column c, never of where the row lies in a batch: it is where word c%4 of
// Philox's block at counter (c/4, position, sample, Step) under Key is less
// than Rate·2³².
type Dropout struct {
	Rate      float32 // share of elements set to zero; the others are divided by 1-Rate
	Seed      uint64
	Step      uint32 // optimiser step
	Site      uint32 // which of the model's dropouts
	Samples   Ints   // [T] number of the row's sample
	Positions Ints   // [T] position of the row in its sample
}

// Key returns the key of the mask's random numbers.
func (d Dropout) Key() [2]uint32 { return random.Key(d.Seed, random.Dropout+d.Site) }

// CrossEntropy holds what is added to the objective of a prediction, with p =
// softmax(logits) over V tokens and Z = Σ exp(logits):
//
//	-(1-Smoothing)·log p(target) - Smoothing/V·Σ log p + Penalty·(log Z)²
//
// Label smoothing as PyTorch has it, the penalty as PaLM (Chowdhery et al. 2022).
type CrossEntropy struct{ Smoothing, Penalty float32 }

// AdamW holds the numbers of one optimiser step, as PyTorch defines them:
// decoupled weight decay, then
//
//	m = β1·m + (1-β1)·g,  v = β2·v + (1-β2)·g²
//	w -= LR/(1-β1ᵗ) · m / (√v/√(1-β2ᵗ) + Eps)
//
// with g the gradient times GradScale.
type AdamW struct {
	LR, Beta1, Beta2, Eps, WeightDecay float64
	Step                               int     // t, from 1
	GradScale                          float64 // global-norm clipping
}

// A Device executes the operations of a transformer. Methods may be called
// from several goroutines at once as long as their tensors do not overlap.
type Device interface {
	Info() Info
	Close() error
	// For returns the device as a model whose weights are stored in base should
	// use it: with the numbers that suit them. Memory is shared.
	For(base Format) Device

	// Alloc returns zeroed memory for n elements, Free gives it back.
	Alloc(kind Kind, n int) (Mem, error)
	Free(Mem)
	// NewMatrix makes a weight of w. The device may go on reading what w points
	// to, which must stay as it is until the matrix is given back with Free(m.Mem).
	// A quantised format that it does not have is errors.ErrUnsupported.
	NewMatrix(w Weights) (Matrix, error)
	// Read waits for src and copies it to the host, Write copies to the device.
	Read(dst []float32, src Tensor)
	Write(dst Tensor, src []float32)
	// WriteInts copies v.Host to the device's memory.
	WriteInts(v Ints)
	// Sync waits for everything asked for so far and returns the first fault.
	Sync() error

	// MatMul: y = alpha·x·Wᵀ, or y += with acc. y [T, out], x [T, in], w [out, in].
	MatMul(y, x Tensor, w Matrix, alpha float32, acc bool)
	// MatMulGradInput: dx = alpha·dy·W, or dx += with acc.
	MatMulGradInput(dx, dy Tensor, w Matrix, alpha float32, acc bool)
	// MatMulGradWeight: dw += alpha·dyᵀ·x, run by run of the tokens that start
	// at folds (folds[0] = 0). dw [out, in] is Float32.
	MatMulGradWeight(dw, dy, x Tensor, alpha float32, folds Ints)

	// AddBias: y[t] += b for every row. y [T, C], b [1, C] Float32.
	AddBias(y, b Tensor)
	// AddBiasGrad: db += Σ dy[t], run by run.
	AddBiasGrad(db, dy Tensor, folds Ints)

	// RMSNorm: rstd = 1/√(mean(x²)+eps), y = x·rstd·gain. x, y [N, C], rstd [N, 1]
	// and gain [1, C] Float32. Zhang and Sennrich 2019.
	RMSNorm(y, rstd, x, gain Tensor, eps float32)
	// RMSNormGrad: dx = rstd·(dy·gain - x·rstd²·mean(dy·gain·x)), or dx += with
	// acc; dgain += Σ dy·x·rstd run by run, unless dgain is none.
	RMSNormGrad(dx, dgain, dy, x, rstd, gain Tensor, folds Ints, acc bool)

	// RoPE rotates each head of x [T, heads·D] in place by the row of its
	// position in table [P, R] Float32: R/2 cosines, then R/2 sines. The pairs are
	// (i, i+R/2) of the first R ≤ D features, as Hugging Face lays them out.
	// inverse rotates back, which is the gradient. Su et al. 2021.
	RoPE(x, table Tensor, positions Ints, heads int, inverse bool)

	// Attention: out = softmax(Scale·q·kᵀ)·v over the keys that a query may see.
	// q, out [Tq, Heads·D], k, v [Tk, KVHeads·D], lse [Tq, Heads] Float32 gets the
	// logarithm of each softmax's denominator.
	Attention(out, lse, q, k, v Tensor, h AttentionShape)
	// AttentionGrad writes dq, dk, dv. Rows of dk and dv that belong to no
	// sequence are left as they are.
	AttentionGrad(dq, dk, dv, dout, out, lse, q, k, v Tensor, h AttentionShape)

	// SwiGLU: y = silu(gate)·up. Shazeer 2020.
	SwiGLU(y, gate, up Tensor)
	// SwiGLUGrad writes dgate and dup, which may be gate and up themselves.
	SwiGLUGrad(dgate, dup, dy, gate, up Tensor)

	// Embed: x[t] = w[ids[t]]. x [T, C], w [V, C].
	Embed(x Tensor, w Matrix, ids Ints)
	// EmbedGrad: dw[ids[t]] += dx[t], in token order. dw [V, C] Float32.
	EmbedGrad(dw, dx Tensor, ids Ints)

	// CrossEntropy replaces logits [N, V], Float32, by weights[i] times the
	// gradient of row i's objective, without smoothing and penalty softmax(logits)
	// - onehot(target), and writes to stats [N, 3] the row's loss -log p(target) and
	// entropy in nats and whether the target has the largest logit (1 or 0).
	// weights [N, 1] Float32. Loss and gradient keep their relative precision where
	// p(target) rounds to 1.
	CrossEntropy(stats, logits, weights Tensor, targets Ints, h CrossEntropy)

	// TakeRows: dst[i] = src[rows[i]].
	TakeRows(dst, src Tensor, rows Ints)
	// PutRows: dst[rows[i]] = src[i]; the other rows stay.
	PutRows(dst, src Tensor, rows Ints)
	// Copy: dst = src, converting between kinds.
	Copy(dst, src Tensor)
	// Fill sets every element.
	Fill(dst Tensor, value float32)
	// Expand writes the rows of w from row on, dequantised, to dst, Float32.
	Expand(dst Tensor, w Matrix, row int)
	// Dropout: dst = mask(src)/(1-Rate), or dst += with acc.
	Dropout(dst, src Tensor, d Dropout, acc bool)

	// SumSquares: dst [1, 1] = Σ x², Float32 both.
	SumSquares(dst, x Tensor)
	// AdamW updates w, m and v, all Float32 of one shape, by the gradient g.
	AdamW(w, m, v, g Tensor, h AdamW)
}
