package kerneltest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
)

// A check is the part of the suite that is about one operation.
type check struct {
	name string
	run  func(b *bench)
}

var checks = []check{
	{"Info", checkInfo},
	{"Memory", checkMemory},
	{"Ints", checkInts},
	{"MatMul", checkMatMul},
	{"MatMulGradInput", checkMatMulGradInput},
	{"MatMulGradWeight", checkMatMulGradWeight},
	{"AddBias", checkAddBias},
	{"AddBiasGrad", checkAddBiasGrad},
	{"RMSNorm", checkRMSNorm},
	{"RMSNormGrad", checkRMSNormGrad},
	{"RoPE", checkRoPE},
	{"Attention", checkAttention},
	{"AttentionGrad", checkAttentionGrad},
	{"SwiGLU", checkSwiGLU},
	{"SwiGLUGrad", checkSwiGLUGrad},
	{"Embed", checkEmbed},
	{"EmbedGrad", checkEmbedGrad},
	{"CrossEntropy", checkCrossEntropy},
	{"TakeRows", checkTakeRows},
	{"PutRows", checkPutRows},
	{"Copy", checkCopy},
	{"Fill", checkFill},
	{"Expand", checkExpand},
	{"Dropout", checkDropout},
	{"SumSquares", checkSumSquares},
	{"AdamW", checkAdamW},
	{"NotANumber", checkNotANumber},
	{"Concurrent", checkConcurrent},
}

// Run fails t unless dev does everything that package kernels asks of a device.
func Run(t *testing.T, dev kernels.Device) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(newBench(t, dev)) })
	}
}

// RunWorkers runs the suite on devices opened for 1, 2 and 5 workers and fails
// t unless their results are the same to the bit.
func RunWorkers(t *testing.T, open func(workers int) kernels.Device) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { runWorkers(t, c, open) })
	}
}

func runWorkers(t reporter, c check, open func(workers int) kernels.Device) {
	t.Helper()
	var alone []uint64
	for _, workers := range []int{1, 2, 5} {
		dev := open(workers)
		b := newBench(t, dev)
		c.run(b)
		if workers == 1 {
			alone = b.prints
		}
		if !slices.Equal(b.prints, alone) {
			t.Errorf("%s: results of 1 and of %d workers differ", c.name, workers)
		}
		if err := dev.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// sizes are ragged: none is a multiple of what a device works in, but 1.
var sizes = []int{1, 3, 17, 65}

// shapes are all [rows, cols] of sizes, no rows at all, and shapes that exceed
// a block of any kind.
func shapes() (all [][2]int) {
	for _, rows := range append([]int{0}, sizes...) {
		for _, cols := range sizes {
			all = append(all, [2]int{rows, cols})
		}
	}
	return append(all, [2]int{130, 300}, [2]int{300, 18}, [2]int{2, 2049})
}

// thin returns all cases, or fewer where they would take too long.
func thin[T any](cases []T) (some []T) {
	for i := 0; i < len(cases); i += stride {
		some = append(some, cases[i])
	}
	return some
}

// each runs a case for every shape.
func (b *bench) each(name string, test func(rows, cols int)) {
	b.Helper()
	for _, s := range thin(shapes()) {
		b.run(fmt.Sprintf("%s %d×%d", name, s[0], s[1]), func() { test(s[0], s[1]) })
	}
}

// kinds are those of a tensor of numbers.
var kinds = []kernels.Kind{kernels.Activation, kernels.Float32}

func kindName(k kernels.Kind) string { return [...]string{"activation", "float32"}[k] }

// eachKind runs a case for every shape, with both kinds.
func (b *bench) eachKind(name string, test func(kind kernels.Kind, rows, cols int)) {
	b.Helper()
	for _, kind := range kinds {
		b.each(name+" "+kindName(kind), func(rows, cols int) { test(kind, rows, cols) })
	}
}

// alone fails unless rows computed alone are what they are among all others.
// compute returns the results' elements of the rows [from, to).
func (b *bench) alone(name string, rows int, compute func(from, to int) [][]float32) {
	b.Helper()
	var all [][]float32
	b.run(name+" together", func() { all = compute(0, rows) })
	for _, s := range [][2]int{{0, 1}, {rows - 1, rows}, {rows / 2, rows/2 + 1}, {1, 4}, {rows / 3, rows - 2}} {
		from, to := s[0], s[1]
		b.run(fmt.Sprintf("%s rows %d to %d alone", name, from, to), func() {
			for i, got := range compute(from, to) {
				width := len(all[i]) / rows
				b.equal("among others", got, all[i][from*width:to*width])
			}
		})
	}
}

// runsOf returns ways to cut n rows into runs.
func runsOf(n int) [][]int32 {
	each := make([]int32, n)
	for i := range each {
		each[i] = int32(i)
	}
	third, half := int32(n/3), int32(n/2)
	return [][]int32{{0}, {0, third, half}, {0, half, half, int32(n)}, each}
}

// folded fails unless one call over all runs gives what one call a run gives.
// add adds the rows [from, to), in the given runs, to the result.
func (b *bench) folded(name string, rows int, result func() *operand, add func(o *operand, from, to int, runs kernels.Ints)) {
	b.Helper()
	for _, runs := range [][]int32{{0, int32(rows / 3), int32(rows / 2)}, runsOf(rows)[3]} {
		b.run(fmt.Sprintf("%s in %d runs", name, len(runs)), func() {
			once, apart := result(), result()
			add(once, 0, rows, b.ints(runs...))
			for i, from := range runs {
				to := rows
				if i+1 < len(runs) {
					to = int(runs[i+1])
				}
				add(apart, int(from), to, b.ints(0))
			}
			b.exact("one call a run", apart, b.result(once))
		})
	}
}
