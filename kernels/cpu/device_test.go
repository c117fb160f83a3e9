package cpu_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/kerneltest"
)

// Plain Go and the best instruction set pass with any number of workers, the
// others, which differ in their inner loops alone, with three.
func TestDevice(t *testing.T) {
	for i, set := range cpu.InstructionSets() {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			open := func(workers int) kernels.Device { return cpu.OpenSet(set, workers).For(kernels.BF16) }
			if i < 2 {
				kerneltest.RunWorkers(t, open)
			} else {
				kerneltest.Run(t, open(3))
			}
		})
	}
}

// Each of the processor's instruction sets can be forced.
func TestForcedInstructionSet(t *testing.T) {
	for _, set := range cpu.InstructionSets() {
		t.Setenv("GRAFT_CPU", set)
		if d := cpu.New(1); !strings.Contains(d.Info().Detail, " "+set+",") {
			t.Errorf("GRAFT_CPU=%s gives %s", set, d.Info().Detail)
		}
	}
}

func TestUnknownInstructionSet(t *testing.T) {
	t.Setenv("GRAFT_CPU", "mmx")
	if _, err := kernels.Open("cpu"); err == nil || !strings.Contains(err.Error(), "GRAFT_CPU=mmx: this processor has generic") {
		t.Errorf("error %v", err)
	}
}

// A device asked for float32 stays with it.
func TestFloat32(t *testing.T) {
	dev, err := kernels.Open("cpu:2,float32")
	if err != nil {
		t.Fatal(err)
	}
	if i := dev.For(kernels.BF16).Info(); i.Workers != 2 || i.Epsilon != 1.0/(1<<24) {
		t.Errorf("%+v", i)
	}
}

func TestOpaqueDevice(t *testing.T) {
	kerneltest.Run(t, kerneltest.NewOpaque(cpu.New(2)))
}

// The number of workers is honoured beyond the number of processors.
func TestEveryWorkerWorks(t *testing.T) {
	dev := cpu.New(5)
	arena := kernels.NewArena(dev)
	x, w, y := arena.Float32(40, 30), arena.Float32(100, 30), arena.Float32(40, 100)
	dev.MatMul(y, x, w.Matrix(), 1, false)
	if tasks := dev.Tasks(); len(tasks) != 5 || slices.Min(tasks) < 1 {
		t.Errorf("tasks of the workers: %v", tasks)
	}
}

func TestOpen(t *testing.T) {
	dev, err := kernels.Open("cpu:3")
	if err != nil {
		t.Fatal(err)
	}
	if n := dev.Info().Workers; n != 3 {
		t.Errorf("cpu:3 has %d workers", n)
	}
	for _, name := range []string{"cpu:0", "cpu:-1", "cpu:x", "cpu:2:2"} {
		if _, err := kernels.Open(name); err == nil {
			t.Errorf("%s opens", name)
		}
	}
}

// A query computed after cached keys is bit for bit what it is in the middle
// of its sequence, where sums over keys take several blocks too.
func TestLongRowsAlone(t *testing.T) {
	for _, width := range []int{8, 40} {
		for _, base := range []kernels.Format{kernels.F32, kernels.BF16} {
			longRowsAlone(t, kernels.Checked(cpu.New(2).For(base)), width)
		}
	}
}

func longRowsAlone(t *testing.T, dev kernels.Device, width int) {
	const n, heads, keys = 1100, 4, 2
	arena := kernels.NewArena(dev)
	random := func(heads int, stream uint64) kernels.Tensor {
		x := arena.Activation(n, heads*width)
		v := make([]float32, x.Len())
		randomValues(v, stream)
		dev.Write(x, v)
		return x
	}
	q, k, v := random(heads, 1), random(keys, 2), random(keys, 3)
	for _, window := range []int{0, 700, 5} {
		shape := kernels.AttentionShape{Heads: heads, KVHeads: keys, Width: width, Scale: 0.4, Window: window}
		attend := func(from, to int) []float32 {
			shape.QStarts, shape.KStarts, shape.KEnds = arena.Ints([]int32{0, int32(to - from)}), arena.Ints([]int32{0}), arena.Ints([]int32{int32(to)})
			out := arena.Activation(to-from, heads*width)
			dev.Attention(out, arena.Float32(to-from, heads), q.Slice(from, to), k, v, shape)
			rows := make([]float32, out.Len())
			dev.Read(rows, out)
			return rows
		}
		all := attend(0, n)
		for _, row := range []int{0, 20, 63, 64, 511, 512, 700, 1025, n - 1} {
			if got := attend(row, row+1); !slices.Equal(got, all[row*heads*width:(row+1)*heads*width]) {
				t.Errorf("%s, heads of %d, window %d: row %d alone differs", dev.Info().Detail, width, window, row)
			}
		}
	}
}

func randomValues(v []float32, stream uint64) { random.New(1, random.Sample, stream).Normal(v, 1) }
