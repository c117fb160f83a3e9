package kerneltest

import (
	"math"
	"testing"

	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
)

// normal returns a matrix of normal numbers.
func normal(rnd *random.Source, rows, cols int) mat {
	x, m := make([]float32, rows*cols), zeros(rows, cols)
	rnd.Normal(x, 1)
	for i, v := range x {
		m.v[i] = float64(v)
	}
	return m
}

// differences returns the gradient of Σ weight·f() by the elements of x by
// central differences; f reads x. The error is of third order in h: h² times
// the third derivative, against the rounding 2^-53/h.
func differences(x, weight mat, f func() mat) mat {
	const h = 1e-5
	grad := zeros(x.rows, x.cols)
	for i, v := range x.v {
		x.v[i] = v + h
		up := dot(weight.v, f().v)
		x.v[i] = v - h
		grad.v[i] = (up - dot(weight.v, f().v)) / (2 * h)
		x.v[i] = v
	}
	return grad
}

// alike fails unless got is want within the error of central differences.
func alike(t *testing.T, name string, got, want mat) {
	t.Helper()
	size := 0.0
	for _, v := range want.v {
		size = math.Max(size, math.Abs(v))
	}
	if size == 0 {
		t.Fatalf("%s: the gradient is zero everywhere", name)
	}
	for i := range want.v {
		if !(math.Abs(got.v[i]-want.v[i]) <= 1e-7*size+1e-9) {
			t.Fatalf("%s: element %d: gradient %v, central difference %v", name, i, got.v[i], want.v[i])
		}
	}
}

func TestReferenceProducts(t *testing.T) {
	rnd := random.New(1, random.Sample, 1)
	x, w, b, dy := normal(rnd, 3, 5), normal(rnd, 4, 5), normal(rnd, 1, 4), normal(rnd, 3, 4)
	y := func() mat { return addBias(matMul(x, w, -0.7), b) }
	alike(t, "dx", matMulGradInput(dy, w, -0.7), differences(x, dy, y))
	alike(t, "dw", matMulGradWeight(dy, x, -0.7), differences(w, dy, y))
	alike(t, "db", addBiasGrad(dy), differences(b, dy, y))
}

func TestReferenceRMSNorm(t *testing.T) {
	rnd := random.New(1, random.Sample, 2)
	x, gain, dy := normal(rnd, 3, 5), normal(rnd, 1, 5), normal(rnd, 3, 5)
	y := func() mat { y, _ := rmsNorm(x, gain, 0.1); return y }
	_, rstd := rmsNorm(x, gain, 0.1)
	dx, dgain := rmsNormGrad(dy, x, rstd, gain)
	alike(t, "dx", dx, differences(x, dy, y))
	alike(t, "dgain", dgain, differences(gain, dy, y))
}

func TestReferenceRoPE(t *testing.T) {
	rnd := random.New(1, random.Sample, 3)
	x, dy, positions := normal(rnd, 3, 12), normal(rnd, 3, 12), []int32{4, 0, 4}
	table := angles(rnd, 5, 4)
	y := func() mat { return rope(x, table, positions, 2, false) }
	alike(t, "dx", rope(dy, table, positions, 2, true), differences(x, dy, y))
	alike(t, "back", rope(y(), table, positions, 2, true), x)
}

func TestReferenceSwiGLU(t *testing.T) {
	rnd := random.New(1, random.Sample, 4)
	gate, up, dy := normal(rnd, 3, 5), normal(rnd, 3, 5), normal(rnd, 3, 5)
	y := func() mat { return swiGLU(gate, up) }
	dgate, dup := swiGLUGrad(dy, gate, up)
	alike(t, "dgate", dgate, differences(gate, dy, y))
	alike(t, "dup", dup, differences(up, dy, y))
}

func TestReferenceEmbed(t *testing.T) {
	rnd := random.New(1, random.Sample, 5)
	w, dx, ids := normal(rnd, 4, 3), normal(rnd, 5, 3), []int32{2, 0, 2, 3, 2}
	alike(t, "dw", embedGrad(dx, ids, 4), differences(w, dx, func() mat { return w.take(ids) }))
}

func TestReferenceCrossEntropy(t *testing.T) {
	rnd := random.New(1, random.Sample, 6)
	logits, weights, targets := normal(rnd, 4, 5), normal(rnd, 4, 1), []int32{0, 4, 2, 2}
	for _, h := range []kernels.CrossEntropy{{}, {Smoothing: 0.1}, {Penalty: 0.01}, {Smoothing: 0.3, Penalty: 0.2}} {
		_, _, grad := crossEntropy(logits, weights, targets, h)
		alike(t, "dlogits", grad, differences(logits, weights, func() mat { return objectives(logits, targets, h) }))
	}
	// The entropy is that of the probabilities that the gradient shows.
	_, entropy, p := crossEntropy(logits, zeros(4, 1).each(func(float64) float64 { return 1 }), targets, kernels.CrossEntropy{})
	for i, target := range targets {
		p.add(i, int(target), 1)
		sum := 0.0
		for _, p := range p.row(i) {
			sum -= p * math.Log(p)
		}
		if !(math.Abs(sum-entropy.at(i, 0)) <= 1e-12) {
			t.Errorf("row %d: entropy %v, of the probabilities %v", i, entropy.at(i, 0), sum)
		}
	}
}

// objectives returns -(1-Smoothing)·log p(target) - Smoothing·mean(log p) +
// Penalty·(log Z)² of each row.
func objectives(logits mat, targets []int32, h kernels.CrossEntropy) mat {
	o := zeros(logits.rows, 1)
	for i, target := range targets {
		logZ := 0.0
		for _, x := range logits.row(i) {
			logZ += math.Exp(x)
		}
		logZ = math.Log(logZ)
		loss := (1 - float64(h.Smoothing)) * (logZ - logits.at(i, int(target)))
		for _, x := range logits.row(i) {
			loss += float64(h.Smoothing) / float64(logits.cols) * (logZ - x)
		}
		o.set(i, 0, loss+float64(h.Penalty)*logZ*logZ)
	}
	return o
}

// A target far ahead has the loss of two tokens: log(1+e^-d), e^-d to first order.
func TestReferenceCrossEntropySure(t *testing.T) {
	for _, ahead := range []float64{17, 20, 40} {
		logits := mat{1, 2, []float64{ahead, 0}}
		loss, _, grad := crossEntropy(logits, mat{1, 1, []float64{1}}, []int32{0}, kernels.CrossEntropy{})
		want := math.Exp(-ahead)
		if !(math.Abs(loss.v[0]/want-1) <= 1e-7) || !(math.Abs(-grad.v[0]/want-1) <= 1e-7) || !(math.Abs(grad.v[1]/want-1) <= 1e-7) {
			t.Errorf("%v nats ahead: loss %v, gradient %v, want %v", ahead, loss.v[0], grad.v, want)
		}
	}
}

func TestReferenceAttention(t *testing.T) {
	for name, a := range map[string]attention{
		"whole sequences": {heads: 2, kvHeads: 2, width: 3, spans: []span{{0, 4, 0, 4}, {4, 1, 4, 1}}},
		"grouped":         {heads: 4, kvHeads: 2, width: 2, spans: []span{{0, 3, 0, 3}, {3, 2, 3, 2}}},
		"window":          {heads: 2, kvHeads: 1, width: 3, window: 2, spans: []span{{0, 5, 0, 5}}},
		"cached keys":     {heads: 2, kvHeads: 1, width: 3, window: 3, spans: []span{{0, 2, 1, 5}, {2, 2, 6, 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			rnd := random.New(1, random.Sample, 7)
			a.scale = 0.6
			last := a.spans[len(a.spans)-1]
			queries, keys := last.q+last.queries, last.k+last.keys
			q, dout := normal(rnd, queries, a.heads*a.width), normal(rnd, queries, a.heads*a.width)
			k, v := normal(rnd, keys, a.kvHeads*a.width), normal(rnd, keys, a.kvHeads*a.width)
			out := func() mat { out, _ := a.forward(q, k, v); return out }
			_, lse := a.forward(q, k, v)
			dq, dk, dv := a.gradients(dout, q, k, v, lse)
			alike(t, "dq", dq, differences(q, dout, out))
			alike(t, "dk", dk, differences(k, dout, out))
			alike(t, "dv", dv, differences(v, dout, out))
		})
	}
}

// Which keys are seen is written out once by hand: the last of three queries
// stands at the last of five keys, and windows count the own key.
func TestReferenceSees(t *testing.T) {
	s := span{q: 10, queries: 3, k: 20, keys: 5}
	for window, want := range map[int][3]string{
		0: {"xxx..", "xxxx.", "xxxxx"},
		1: {"..x..", "...x.", "....x"},
		2: {".xx..", "..xx.", "...xx"},
		9: {"xxx..", "xxxx.", "xxxxx"},
	} {
		for i, row := range want {
			for j, seen := range row {
				if got := (attention{window: window}).sees(s, 10+i, 20+j); got != (seen == 'x') {
					t.Errorf("window %d, query %d, key %d: seen %v", window, i, j, got)
				}
			}
		}
	}
}

// The numbers are torch 2.15's, for four parameters in float64:
//
//	w = torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=torch.float64, requires_grad=True)
//	opt = torch.optim.AdamW([w], lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1)
//	for step in range(1, 6):
//	    w.grad = torch.tensor([0.5, -0.25*step, 1e-6, 0.125*(-1)**step], dtype=torch.float64)
//	    opt.step(); print(w.tolist())
func TestReferenceAdamW(t *testing.T) {
	w, m, v := mat{1, 4, []float64{1, -2, 0.5, 0}}, zeros(1, 4), zeros(1, 4)
	for i, want := range torchAdamW {
		w, m, v = adamW(w, m, v, torchGradient(i+1), kernels.AdamW{LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1, Step: i + 1, GradScale: 1})
		for j := range want {
			if !(math.Abs(w.v[j]-want[j]) <= 1e-14) {
				t.Errorf("step %d, parameter %d: %v, torch has %v", i+1, j, w.v[j], want[j])
			}
		}
	}
}

func torchGradient(step int) mat {
	return mat{1, 4, []float64{0.5, -0.25 * float64(step), 1e-6, 0.125 * math.Pow(-1, float64(step))}}
}

var torchAdamW = [][4]float64{
	{0.9890000002, -1.9880000004, 0.4895990099009901, 0.009999999200000064},
	{0.9780110003998002, -1.9763601803855195, 0.47920842079207926, 0.009463683453431642},
	{0.9670329895994003, -1.964803808141488, 0.4688282222722773, 0.012812153080679336},
	{0.9560659568098009, -1.9532349017811763, 0.45845840395099513, 0.012273025180230235},
	{0.9451098910529911, -1.94160929266547, 0.44809895544803424, 0.014304902317517354},
}
