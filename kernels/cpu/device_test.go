package cpu_test

import (
	"slices"
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/kerneltest"
)

func TestDevice(t *testing.T) {
	kerneltest.RunWorkers(t, func(workers int) kernels.Device { return cpu.New(workers) })
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
