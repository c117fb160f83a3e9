//go:build cuda

package cuda

import (
	"slices"

	"github.com/seed-5afa5581/graft/kernels"
)

// The arguments of the kernels for few rows: those that all products of a launch
// share, and those of each, of which those that there are come first.
const (
	sharedArguments = 6 // x, the kind of y, whether to add, alpha, rows, features in
	partArguments   = 8 // y, where the weight is, features out
	partsAtMost     = 3
)

// fewShape keeps four chunks of weights in shared memory for each of eight warps,
// with the table of pairs of codes between them, and the map of quantised scales.
func fewShape(name string, rows int) shape {
	const columns, threads = 16, 256
	const rings, values = 8 * 4 * 2048, 256 * 4
	joining := func(format string, bytes int) *kernel {
		k := entry(name+format, threads, bytes)
		k.joins = true
		return k
	}
	quantised := joining("_quantised", rings+values)
	return shape{family{
		kernels.BF16: joining("_bf16", rings), kernels.NF4: quantised, kernels.FP4: quantised, kernels.Int8: joining("_int8", rings),
	}, rows, columns}
}

// few passes the arguments of a launch of one product.
func (l *launch) few(y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	l.pointers(x)
	l.flag(y.Kind == kernels.Float32)
	l.flag(acc)
	l.floats(float64(alpha))
	l.ints(y.Rows, w.Cols)
	l.pointers(y)
	l.storage(w)
	l.ints(w.Rows)
	l.n = sharedArguments + partsAtMost*partArguments
}

// parts returns the arguments of the products of a launch for few rows.
func (l *launch) parts() (list [][]uint64) {
	for part := range slices.Chunk(l.values[sharedArguments:l.n], partArguments) {
		if part[partArguments-1] != 0 {
			list = append(list, part)
		}
	}
	return list
}

// result returns where a part's result begins and ends.
func (l *launch) result(part []uint64) (from, to uint64) {
	size := uint64(2)
	if l.values[1] != 0 {
		size = 4
	}
	return part[0], part[0] + size*l.values[4]*part[partArguments-1]
}

// join lets l do the product of next as well, which follows it, and tells
// whether it could: where both multiply the same rows, and neither adds to what
// the other writes.
func (l *launch) join(next *launch) bool {
	if !l.kernel.joins || l.kernel != next.kernel || !slices.Equal(l.values[:sharedArguments], next.values[:sharedArguments]) {
		return false
	}
	mine, theirs := l.parts(), next.parts()
	if len(mine)+len(theirs) > partsAtMost {
		return false
	}
	for _, a := range mine {
		from, to := l.result(a)
		for _, b := range theirs {
			if begin, end := next.result(b); begin < to && from < end {
				return false
			}
		}
	}
	copy(l.values[sharedArguments+len(mine)*partArguments:], next.values[sharedArguments:][:len(theirs)*partArguments])
	l.grid.x += next.grid.x
	return true
}
