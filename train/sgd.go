package train

// sgd is b = momentum·b + g + decay·w, w -= rate·b, as PyTorch has it: the first
// b is its gradient.
type sgd struct{ momentum, decay float64 }

func (sgd) memory(rows, cols int) []kept { return []kept{{"momentum_buffer", rows, cols}} }

func (s sgd) move(w, g matrix, memory [][]float32, rate float64, _ int) {
	b := memory[0]
	for i := range w.v {
		x := float64(w.v[i])
		v := s.momentum*float64(b[i]) + float64(g.v[i]) + s.decay*x
		w.v[i], b[i] = float32(x-rate*v), float32(v)
	}
}
