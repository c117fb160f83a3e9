package cpu

import (
	"encoding/binary"
	"math"
	"sync"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// An operation is one that has assembly, as a function of some sizes.
type operation struct {
	name   string
	ragged []int // sizes, while another one is varied
	run    func(in *inputs, n []int) []output
}

// An output is what an operation computed, and how far another way to compute
// it may be from that: both ways round as often as terms says, and with bfloat16
// products as often as casts says.
type output struct {
	name         string
	v            []float32
	terms, casts float64
	size         func(i int) float64 // of what was rounded
}

// inputs makes an operation's operands, the same for the same seed. They lie
// between NaN, off any alignment.
type inputs struct {
	dev  *Device
	rnd  *random.Source
	mems [][]float32
	used [][2]int // part of each that is no guard
}

const guard = 19

func newInputs(d *Device, seed uint64) *inputs {
	return &inputs{dev: d, rnd: random.New(seed, random.Sample, 0)}
}

// drawn are normal numbers, made once.
var drawn = sync.OnceValue(func() []float32 {
	v := make([]float32, 1<<16)
	random.New(1, random.Sample, 0).Normal(v, 1)
	return v
})

// normal fills v with some of those drawn.
func (in *inputs) normal(v []float32) {
	for len(v) > 0 {
		v = v[copy(v, drawn()[in.rnd.Intn(len(drawn())/2):]):]
	}
}

// tensor returns normal numbers.
func (in *inputs) tensor(rows, cols int) kernels.Tensor {
	n := rows * cols
	v := make([]float32, n+2*guard)
	for i := range v {
		v[i] = float32(math.NaN())
	}
	in.normal(v[guard : guard+n])
	in.mems, in.used = append(in.mems, v), append(in.used, [2]int{guard, guard + n})
	return kernels.Tensor{Rows: rows, Cols: cols, Kind: kernels.Float32, Mem: &memory{v}, Off: guard}
}

// intact reports whether no guard has changed.
func (in *inputs) intact() bool {
	for i, v := range in.mems {
		for j, x := range v {
			if (j < in.used[i][0] || j >= in.used[i][1]) && x == x {
				return false
			}
		}
	}
	return true
}

// weight returns a matrix of normal numbers.
func (in *inputs) weight(format kernels.Format, rows, cols int) kernels.Matrix {
	if format == kernels.F32 {
		return in.tensor(rows, cols).Matrix()
	}
	v := make([]float32, rows*cols)
	in.normal(v)
	w := kernels.Weights{Rows: rows, Cols: cols, Format: format}
	switch format {
	case kernels.BF16:
		w.Data = encode(v, float16.ToBF16)
	case kernels.F16:
		w.Data = encode(v, float16.ToHalf)
	default:
		t := map[kernels.Format]quant.Type{kernels.NF4: quant.NF4, kernels.FP4: quant.FP4, kernels.Int8: quant.Int8}[format]
		q, err := quant.Quantize(quant.Floats(v), []int{rows, cols}, quant.Config{Type: t})
		if err != nil {
			panic(err)
		}
		w.Quantized = q
	}
	m, err := in.dev.NewMatrix(w)
	if err != nil {
		panic(err)
	}
	return m
}

// expanded returns w as float32.
func expanded(w kernels.Matrix) kernels.Tensor {
	v := make([]float32, w.Rows*w.Cols)
	expand(v, w, 0, w.Rows)
	return kernels.Tensor{Rows: w.Rows, Cols: w.Cols, Mem: &memory{v}}
}

func encode(v []float32, to func(float32) uint16) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint16(b, to(x))
	}
	return b
}

// norms returns the Euclidean norms of the rows of t, or of its columns.
func norms(t kernels.Tensor, across bool) []float64 {
	v := make([]float64, max(t.Rows, t.Cols))
	for i, x := range data(t) {
		at := i / t.Cols
		if across {
			at = i % t.Cols
		}
		v[at] += float64(x) * float64(x)
	}
	for i, x := range v {
		v[i] = math.Sqrt(x)
	}
	return v
}

// largestOf returns the largest magnitude.
func largestOf(t kernels.Tensor) (top float64) {
	for _, x := range data(t) {
		top = max(top, math.Abs(float64(x)))
	}
	return top
}

// same is one size for every element.
func same(size float64) func(int) float64 { return func(int) float64 { return size } }

// ofEach is the magnitude of every element of v as it is now.
func ofEach(v []float32) func(int) float64 {
	v = append([]float32{}, v...)
	return func(i int) float64 { return math.Abs(float64(v[i])) }
}

func operations() (all []operation) {
	for _, f := range []kernels.Format{kernels.F32, kernels.BF16, kernels.F16, kernels.NF4, kernels.FP4, kernels.Int8} {
		all = append(all,
			operation{"MatMul " + f.String(), []int{17, 37, 41}, func(in *inputs, n []int) []output { return matMul(in, f, n) }},
			operation{"MatMulGradInput " + f.String(), []int{17, 37, 41}, func(in *inputs, n []int) []output { return matMulGradInput(in, f, n) }})
	}
	return append(all,
		operation{"MatMulGradWeight", []int{17, 37, 41}, matMulGradWeight},
		operation{"AddBias", []int{3, 37}, addBias},
		operation{"RMSNorm", []int{3, 37}, rmsNorm},
		operation{"RMSNormGrad", []int{3, 37}, rmsNormGrad},
		operation{"RoPE", []int{3, 3, 37}, rope},
		operation{"Attention", []int{9, 13, 5}, func(in *inputs, n []int) []output { return attend(in, n, false) }},
		operation{"AttentionGrad", []int{9, 13, 5}, func(in *inputs, n []int) []output { return attend(in, n, true) }},
		operation{"SwiGLU", []int{3, 37}, swiGLU},
		operation{"SwiGLUGrad", []int{3, 37}, swiGLUGrad},
		operation{"EmbedGrad", []int{7, 37}, embedGrad},
		operation{"CrossEntropy", []int{3, 37}, crossEntropies},
		operation{"SumSquares", []int{3, 37}, sumSquares},
		operation{"AdamW", []int{3, 37}, adamW},
	)
}

// scaling returns alpha and acc, different for different sizes.
func (in *inputs) scaling() (alpha float32, acc bool) {
	return []float32{1, -0.75, 2}[in.rnd.Intn(3)], in.rnd.Intn(2) == 0
}

// productOf describes a product of k terms in y, by the norms of its factors.
func productOf(y kernels.Tensor, k int, alpha float32, was func(int) float64, factors func() (a, b []float64)) []output {
	lengths := sync.OnceValues(factors)
	return []output{{"y", data(y), float64(k + 3), 2, func(i int) float64 {
		a, b := lengths()
		return math.Abs(float64(alpha))*a[i/y.Cols]*b[i%y.Cols] + was(i)
	}}}
}

func matMul(in *inputs, f kernels.Format, n []int) []output {
	x, y, w := in.tensor(n[0], n[2]), in.tensor(n[0], n[1]), in.weight(f, n[1], n[2])
	alpha, acc := in.scaling()
	was := ofEach(data(y))
	in.dev.MatMul(y, x, w, alpha, acc)
	return productOf(y, n[2], alpha, was, func() (a, b []float64) { return norms(x, false), norms(expanded(w), false) })
}

func matMulGradInput(in *inputs, f kernels.Format, n []int) []output {
	dy, dx, w := in.tensor(n[0], n[2]), in.tensor(n[0], n[1]), in.weight(f, n[2], n[1])
	alpha, acc := in.scaling()
	was := ofEach(data(dx))
	in.dev.MatMulGradInput(dx, dy, w, alpha, acc)
	return productOf(dx, n[2], alpha, was, func() (a, b []float64) { return norms(dy, false), norms(expanded(w), true) })
}

func matMulGradWeight(in *inputs, n []int) []output {
	dy, x, dw := in.tensor(n[2], n[0]), in.tensor(n[2], n[1]), in.tensor(n[0], n[1])
	alpha, _ := in.scaling()
	was := ofEach(data(dw))
	in.dev.MatMulGradWeight(dw, dy, x, alpha, kernels.Ints{Host: []int32{0, int32(n[2] / 3), int32(n[2] / 2)}})
	return productOf(dw, n[2], alpha, was, func() (a, b []float64) { return norms(dy, true), norms(x, true) })
}

func addBias(in *inputs, n []int) []output {
	y, b := in.tensor(n[0], n[1]), in.tensor(1, n[1])
	in.dev.AddBias(y, b)
	return []output{{"y", data(y), 0, 0, same(0)}}
}

func rmsNorm(in *inputs, n []int) []output {
	x, gain, y, rstd := in.tensor(n[0], n[1]), in.tensor(1, n[1]), in.tensor(n[0], n[1]), in.tensor(n[0], 1)
	in.dev.RMSNorm(y, rstd, x, gain, 1e-5)
	terms := float64(n[1]/2 + 4)
	return []output{{"y", data(y), terms, 0, ofEach(data(y))}, {"rstd", data(rstd), terms, 0, ofEach(data(rstd))}}
}

func rmsNormGrad(in *inputs, n []int) []output {
	x, gain, dy, dx := in.tensor(n[0], n[1]), in.tensor(1, n[1]), in.tensor(n[0], n[1]), in.tensor(n[0], n[1])
	dgain, rstd := in.tensor(1, n[1]), in.tensor(n[0], 1)
	newDevice(Config{Workers: 1}, nil).RMSNorm(in.tensor(n[0], n[1]), rstd, x, gain, 1e-5)
	r, was, wasGain := largestOf(rstd), largestOf(dx), largestOf(dgain)
	in.dev.RMSNormGrad(dx, dgain, dy, x, rstd, gain, kernels.Ints{Host: []int32{0, int32(n[0] / 2)}}, in.rnd.Intn(2) == 0)
	top := r * largestOf(dy) * (largestOf(gain) + 1)
	return []output{
		{"dx", data(dx), float64(n[1] + 8), 0, same(was + top*(1+r*r*largestOf(x)*largestOf(x)))},
		{"dgain", data(dgain), float64(n[0] + 4), 0, same(wasGain + top*largestOf(x)*float64(n[0]))},
	}
}

func rope(in *inputs, n []int) []output {
	const positions = 5
	x, table := in.tensor(n[0], n[1]*(2*n[2]+1)), in.tensor(positions, 2*n[2])
	at := make([]int32, n[0])
	for i := range at {
		at[i] = int32(in.rnd.Intn(positions))
	}
	size := 2 * largestOf(x) * largestOf(table)
	in.dev.RoPE(x, table, kernels.Ints{Host: at}, n[1], in.rnd.Intn(2) == 0)
	return []output{{"x", data(x), 2, 0, same(size)}}
}

// attend is attention with n[0] queries behind n[1] earlier keys, in heads of n[2].
func attend(in *inputs, n []int, grad bool) []output {
	const heads, kvHeads = 2, 1
	queries, keys, width := n[0], n[0]+n[1], n[2]
	q, out, dout, dq := in.tensor(queries, heads*width), in.tensor(queries, heads*width), in.tensor(queries, heads*width), in.tensor(queries, heads*width)
	k, v, dk, dv := in.tensor(keys, width), in.tensor(keys, width), in.tensor(keys, width), in.tensor(keys, width)
	lse := in.tensor(queries, heads)
	h := kernels.AttentionShape{
		Heads: heads, KVHeads: kvHeads, Width: width, Scale: float32(1 / math.Sqrt(float64(width))), Window: []int{0, 7, 100}[in.rnd.Intn(3)],
		QStarts: kernels.Ints{Host: []int32{0, int32(queries)}}, KStarts: kernels.Ints{Host: []int32{0}}, KEnds: kernels.Ints{Host: []int32{int32(keys)}},
	}
	score := 1 + float64(h.Scale)*float64(width)*largestOf(q)*largestOf(k)
	terms := float64(keys + 2*width + 12)
	if !grad {
		in.dev.Attention(out, lse, q, k, v, h)
		return []output{{"out", data(out), terms, 4, same(largestOf(v) * score)}, {"lse", data(lse), terms, 2, same(score)}}
	}
	newDevice(Config{Workers: 1}, nil).Attention(out, lse, q, k, v, h)
	in.dev.AttentionGrad(dq, dk, dv, dout, out, lse, q, k, v, h)
	score *= largestOf(dout)
	ds := score * float64(h.Scale) * 2 * float64(width) * largestOf(v)
	perKey := float64(queries * heads)
	return []output{
		{"dq", data(dq), terms, 6, same(ds * largestOf(k))},
		{"dk", data(dk), terms + perKey, 6, same(ds * largestOf(q) * perKey)},
		{"dv", data(dv), terms + perKey, 6, same(score * perKey)},
	}
}

// gates are normal numbers and some that are far out.
func (in *inputs) gates(rows, cols int) kernels.Tensor {
	t := in.tensor(rows, cols)
	for i, x := range []float32{0, -20, 20, 88, -87, -100, 30000, -30000} {
		if at := 5 * i; at < t.Len() {
			data(t)[at] = x
		}
	}
	return t
}

func swiGLU(in *inputs, n []int) []output {
	gate, up, y := in.gates(n[0], n[1]), in.tensor(n[0], n[1]), in.tensor(n[0], n[1])
	in.dev.SwiGLU(y, gate, up)
	each := ofEach(data(y))
	return []output{{"y", data(y), 8, 0, func(i int) float64 { return each(i) + 1e-30 }}} // denormals have fewer digits
}

func swiGLUGrad(in *inputs, n []int) []output {
	gate, up, dy := in.gates(n[0], n[1]), in.tensor(n[0], n[1]), in.tensor(n[0], n[1])
	dgate, dup := in.tensor(n[0], n[1]), in.tensor(n[0], n[1])
	in.dev.SwiGLUGrad(dgate, dup, dy, gate, up)
	each := ofEach(data(dup))
	return []output{
		{"dgate", data(dgate), 12, 0, same(largestOf(dy) * largestOf(up))},
		{"dup", data(dup), 8, 0, func(i int) float64 { return each(i) + 1e-30 }},
	}
}

func embedGrad(in *inputs, n []int) []output {
	const words = 4
	dw, dx := in.tensor(words, n[1]), in.tensor(n[0], n[1])
	ids := make([]int32, n[0])
	for i := range ids {
		ids[i] = int32(in.rnd.Intn(words))
	}
	in.dev.EmbedGrad(dw, dx, kernels.Ints{Host: ids})
	return []output{{"dw", data(dw), 0, 0, same(0)}}
}

func crossEntropies(in *inputs, n []int) []output {
	logits, weights, stats := in.tensor(n[0], n[1]), in.tensor(n[0], 1), in.tensor(n[0], 3)
	targets := make([]int32, n[0])
	for i := range targets {
		targets[i] = int32(in.rnd.Intn(n[1]))
	}
	in.dev.CrossEntropy(stats, logits, weights, kernels.Ints{Host: targets}, kernels.CrossEntropy{})
	terms, w := float64(n[1]+16), data(weights)
	return []output{
		{"stats", data(stats), terms, 0, same(8)},
		{"gradient", data(logits), terms, 0, func(i int) float64 { return math.Abs(float64(w[i/n[1]])) }},
	}
}

func sumSquares(in *inputs, n []int) []output {
	x, sum := in.tensor(n[0], n[1]), in.tensor(1, 1)
	in.dev.SumSquares(sum, x)
	return []output{{"sum", data(sum), float64(min(x.Len(), sumChunk)), 0, ofEach(data(sum))}}
}

func adamW(in *inputs, n []int) []output {
	w, m, v, g := in.tensor(n[0], n[1]), in.tensor(n[0], n[1]), in.tensor(n[0], n[1]), in.tensor(n[0], n[1])
	for i, x := range data(v) {
		data(v)[i] = x * x
	}
	size := largestOf(w) + largestOf(m) + largestOf(g)
	in.dev.AdamW(w, m, v, g, kernels.AdamW{LR: 1e-2, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, WeightDecay: 0.1, Step: 3, GradScale: 0.5})
	return []output{{"w", data(w), 8, 0, same(size)}, {"m", data(m), 4, 0, same(size)}, {"v", data(v), 6, 0, same(size * size)}}
}
