package train

import "math"

// adafactor keeps of a matrix the running means of its squared gradient's rows
// and columns, whose outer product stands for the whole (Shazeer and Stern
// 2018, algorithm 4, at a given rate and without a first moment, as
// transformers' Adafactor does with scale_parameter and relative_step off). Of a
// vector it keeps every square.
type adafactor struct{ decay float64 }

const (
	adafactorEps  = 1e-30 // added to squares
	adafactorClip = 1     // largest root mean square of a step, in units of the rate
	adafactorFade = -0.8  // β2 at step t is 1 - t^fade
)

func (adafactor) memory(rows, cols int) []kept {
	if rows == 1 {
		return []kept{{"exp_avg_sq", 1, cols}}
	}
	return []kept{{"exp_avg_sq_row", rows, 1}, {"exp_avg_sq_col", 1, cols}}
}

func (a adafactor) move(w, g matrix, memory [][]float32, rate float64, t int) {
	fresh := math.Pow(float64(t), adafactorFade)
	if g.rows == 1 {
		blend(memory[0], squares(g), fresh)
	} else {
		rows, cols := meanSquares(g)
		blend(memory[0], rows, fresh)
		blend(memory[1], cols, fresh)
	}
	a.apply(w, g, scales(g, memory), rate)
}

// apply moves w by g times its scales, no further than clipping allows.
func (a adafactor) apply(w, g matrix, scale func(r, c int) float64, rate float64) {
	var sum float64
	for i, x := range g.v {
		u := float64(x) * scale(i/g.cols, i%g.cols)
		sum += u * u
	}
	size := rate / max(1, math.Sqrt(sum/float64(len(g.v)))/adafactorClip)
	for i, x := range g.v {
		u := float64(x) * scale(i/g.cols, i%g.cols)
		w.v[i] = float32(float64(w.v[i])*(1-rate*a.decay) - size*u)
	}
}

// scales returns 1/√v for the element v of the squares that memory stands for.
func scales(g matrix, memory [][]float32) func(r, c int) float64 {
	if g.rows == 1 {
		return func(_, c int) float64 { return 1 / math.Sqrt(float64(memory[0][c])) }
	}
	var mean float64
	for _, x := range memory[0] {
		mean += float64(x) / float64(g.rows)
	}
	rows, cols := make([]float64, g.rows), make([]float64, g.cols)
	for r, x := range memory[0] {
		rows[r] = 1 / math.Sqrt(float64(x)/mean)
	}
	for c, x := range memory[1] {
		cols[c] = 1 / math.Sqrt(float64(x))
	}
	return func(r, c int) float64 { return rows[r] * cols[c] }
}

// blend moves old by a share of the way to fresh values.
func blend(old []float32, fresh []float64, share float64) {
	for i := range old {
		old[i] = float32((1-share)*float64(old[i]) + share*fresh[i])
	}
}

func squares(g matrix) []float64 {
	all := make([]float64, len(g.v))
	for i, x := range g.v {
		all[i] = float64(x)*float64(x) + adafactorEps
	}
	return all
}

// meanSquares returns the means of the squares in each row and in each column.
func meanSquares(g matrix) (rows, cols []float64) {
	rows, cols = make([]float64, g.rows), make([]float64, g.cols)
	for i, x := range squares(g) {
		rows[i/g.cols] += x / float64(g.cols)
		cols[i%g.cols] += x / float64(g.rows)
	}
	return rows, cols
}
