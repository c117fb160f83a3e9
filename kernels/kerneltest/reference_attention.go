package kerneltest

import "math"

// A span is one sequence's rows: queries [q, q+queries), keys [k, k+keys).
type span struct{ q, queries, k, keys int }

// An attention is the reference's kernels.AttentionShape.
type attention struct {
	heads, kvHeads, width int
	scale                 float64
	window                int
	spans                 []span
}

// sees reports whether query row t of sequence s sees key row j. The last query
// stands at the last key.
func (a attention) sees(s span, t, j int) bool {
	own := s.k + s.keys - (s.q + s.queries - t)
	return j >= s.k && j <= own && (a.window == 0 || j > own-a.window)
}

// head returns the features of head h in row t of x, [rows, heads·width].
func (a attention) head(x mat, t, h int) []float64 { return x.row(t)[h*a.width : (h+1)*a.width] }

// A pair is a query row t and head h, and a key row j and head kv it sees.
type pair struct{ t, h, j, kv int }

// pairs calls visit for each pair.
func (a attention) pairs(visit func(p pair)) {
	for _, s := range a.spans {
		for t := s.q; t < s.q+s.queries; t++ {
			for h := range a.heads {
				for j := s.k; j < s.k+s.keys; j++ {
					if a.sees(s, t, j) {
						visit(pair{t, h, j, h / (a.heads / a.kvHeads)})
					}
				}
			}
		}
	}
}

func (a attention) score(q, k mat, p pair) float64 {
	return a.scale * dot(a.head(q, p.t, p.h), a.head(k, p.j, p.kv))
}

// forward returns softmax(scale·q·kᵀ)·v and log Σ exp(scale·q·kᵀ).
func (a attention) forward(q, k, v mat) (out, lse mat) {
	top, sum := zeros(q.rows, a.heads).each(func(float64) float64 { return math.Inf(-1) }), zeros(q.rows, a.heads)
	a.pairs(func(p pair) { top.set(p.t, p.h, math.Max(top.at(p.t, p.h), a.score(q, k, p))) })
	a.pairs(func(p pair) { sum.add(p.t, p.h, math.Exp(a.score(q, k, p)-top.at(p.t, p.h))) })
	lse = top.plus(sum.each(math.Log))
	out = zeros(q.rows, q.cols)
	a.pairs(func(p pair) {
		axpy(a.head(out, p.t, p.h), math.Exp(a.score(q, k, p)-lse.at(p.t, p.h)), a.head(v, p.j, p.kv))
	})
	return out, lse
}

// gradients returns those of q, k and v for the gradient dout of out.
func (a attention) gradients(dout, q, k, v, lse mat) (dq, dk, dv mat) {
	dq, dk, dv = zeros(q.rows, q.cols), zeros(k.rows, k.cols), zeros(v.rows, v.cols)
	mean := zeros(q.rows, a.heads) // Σ p·dp
	prob := func(p pair) float64 { return math.Exp(a.score(q, k, p) - lse.at(p.t, p.h)) }
	dp := func(p pair) float64 { return dot(a.head(dout, p.t, p.h), a.head(v, p.j, p.kv)) }
	a.pairs(func(p pair) { mean.add(p.t, p.h, prob(p)*dp(p)) })
	a.pairs(func(p pair) {
		ds := a.scale * prob(p) * (dp(p) - mean.at(p.t, p.h))
		axpy(a.head(dq, p.t, p.h), ds, a.head(k, p.j, p.kv))
		axpy(a.head(dk, p.j, p.kv), ds, a.head(q, p.t, p.h))
		axpy(a.head(dv, p.j, p.kv), prob(p), a.head(dout, p.t, p.h))
	})
	return dq, dk, dv
}

func axpy(y []float64, alpha float64, x []float64) {
	for i := range y {
		y[i] += alpha * x[i]
	}
}

// amplification returns by how much the exponential magnifies the relative
// error of a score: 1 + twice the size of a row's largest score (once in a
// probability, once in its denominator).
func (a attention) amplification(q, k mat) mat {
	size := zeros(q.rows, a.heads)
	a.pairs(func(p pair) {
		s := a.scale * absDot(a.head(q, p.t, p.h), a.head(k, p.j, p.kv))
		size.set(p.t, p.h, math.Max(size.at(p.t, p.h), s))
	})
	return size.each(func(s float64) float64 { return 1 + 2*s })
}

// forwardSize returns the sizes of what forward adds up.
func (a attention) forwardSize(q, k, v, lse mat) (out, logs mat) {
	amplify := a.amplification(q, k)
	out = zeros(q.rows, q.cols)
	a.pairs(func(p pair) {
		prob := math.Exp(a.score(q, k, p) - lse.at(p.t, p.h))
		axpy(a.head(out, p.t, p.h), prob*amplify.at(p.t, p.h), absolute(a.head(v, p.j, p.kv)))
	})
	return out, lse.abs().plus(amplify)
}

// gradientSizes returns the sizes of what gradients adds up.
func (a attention) gradientSizes(dout, q, k, v, lse mat) (dq, dk, dv mat) {
	amplify := a.amplification(q, k)
	dq, dk, dv = zeros(q.rows, q.cols), zeros(k.rows, k.cols), zeros(v.rows, v.cols)
	mean := zeros(q.rows, a.heads)
	prob := func(p pair) float64 { return math.Exp(a.score(q, k, p) - lse.at(p.t, p.h)) }
	dp := func(p pair) float64 { return absDot(a.head(dout, p.t, p.h), a.head(v, p.j, p.kv)) }
	a.pairs(func(p pair) { mean.add(p.t, p.h, prob(p)*dp(p)) })
	a.pairs(func(p pair) {
		pr := prob(p) * amplify.at(p.t, p.h)
		ds := math.Abs(a.scale) * pr * (dp(p) + mean.at(p.t, p.h))
		axpy(a.head(dq, p.t, p.h), ds, absolute(a.head(k, p.j, p.kv)))
		axpy(a.head(dk, p.j, p.kv), ds, absolute(a.head(q, p.t, p.h)))
		axpy(a.head(dv, p.j, p.kv), pr, absolute(a.head(dout, p.t, p.h)))
	})
	return dq, dk, dv
}

func absolute(x []float64) []float64 { return mat{1, len(x), x}.abs().v }
