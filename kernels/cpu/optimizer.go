package cpu

import (
	"math"

	"github.com/seed-5afa5581/graft/kernels"
)

// sumChunk is the length of the runs whose sums SumSquares adds up in order.
const sumChunk = 1 << 12

// SumSquares: dst = Σ x², in float64 and in fixed chunks.
func (d *plain) SumSquares(dst, x kernels.Tensor) {
	v := data(x)
	sums := make([]float64, (len(v)+sumChunk-1)/sumChunk)
	d.do(len(sums), each(func(i int) {
		for _, e := range v[i*sumChunk : min(len(v), (i+1)*sumChunk)] {
			sums[i] += float64(e) * float64(e)
		}
	}))
	var sum float64
	for _, s := range sums {
		sum += s
	}
	data(dst)[0] = float32(sum)
}

// AdamW computes an element's step in float64 and rounds what it stores.
func (d *plain) AdamW(w, m, v, g kernels.Tensor, h kernels.AdamW) {
	weight, mean, square, grad := data(w), data(m), data(v), data(g)
	keep := 1 - h.LR*h.WeightDecay
	size := h.LR / (1 - math.Pow(h.Beta1, float64(h.Step)))
	root := math.Sqrt(1 - math.Pow(h.Beta2, float64(h.Step)))
	d.split(len(weight), 1, func(from, to int) {
		for i := from; i < to; i++ {
			x := float64(grad[i]) * h.GradScale
			a := float64(h.Beta1*float64(mean[i])) + float64((1-h.Beta1)*x)
			b := float64(h.Beta2*float64(square[i])) + float64((1-h.Beta2)*x*x)
			mean[i], square[i] = float32(a), float32(b)
			step := size * a / (math.Sqrt(b)/root + h.Eps)
			weight[i] = float32(float64(keep*float64(weight[i])) - step)
		}
	})
}
