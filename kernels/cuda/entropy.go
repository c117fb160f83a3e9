//go:build cuda

package cuda

import "github.com/seed-5afa5581/graft/kernels"

var crossEntropy = entry("cross_entropy", blockThreads, warpSums)

// CrossEntropy replaces logits by the objective's gradient and writes each row's
// loss, entropy and hit.
func (d *Device) CrossEntropy(stats, logits, weights kernels.Tensor, targets kernels.Ints, h kernels.CrossEntropy) {
	var l launch
	l.pointers(stats, logits, weights)
	l.vectors(targets)
	l.ints(logits.Cols)
	l.floats(float64(h.Smoothing), float64(h.Penalty))
	d.run(crossEntropy, grid{logits.Rows, 1, 1}, &l)
}
