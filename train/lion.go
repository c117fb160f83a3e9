package train

// lion is w -= rate·decay·w + rate·sign(β1·m + (1-β1)·g), then m = β2·m + (1-β2)·g
// (Chen et al. 2023, program 1).
type lion struct{ beta1, beta2, decay float64 }

func (lion) memory(rows, cols int) []kept { return []kept{{"exp_avg", rows, cols}} }

func (l lion) move(w, g matrix, memory [][]float32, rate float64, _ int) {
	m, keep := memory[0], 1-rate*l.decay
	for i := range w.v {
		mean, grad := float64(m[i]), float64(g.v[i])
		x := keep * float64(w.v[i])
		switch ahead := l.beta1*mean + (1-l.beta1)*grad; {
		case ahead > 0:
			x -= rate
		case ahead < 0:
			x += rate
		}
		w.v[i], m[i] = float32(x), float32(l.beta2*mean+(1-l.beta2)*grad)
	}
}
