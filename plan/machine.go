package plan

import (
	"runtime"

	"github.com/seed-5afa5581/graft/internal/memory"
	"github.com/seed-5afa5581/graft/kernels"
)

// A Machine is what a job is to run on, as far as memory goes.
type Machine struct {
	Name       string
	Total      int64 // bytes of memory; 0 where they are not known
	Free       int64 // of them for the job
	Activation int64 // bytes of an activation's element
	Workers    int   // that need scratch memory of their own; 0 on a GPU
	Program    int64 // bytes of the program itself, or of its context on a GPU
	// Paged tells that memory is taken page by page as it is touched, from mapped
	// files too, rather than block by block as it is asked for.
	Paged bool
}

// programBytes is what graft takes itself: its code, and a heap with some
// garbage in it.
const programBytes = 36 << 20

// CPU is the machine that the program runs on, with so many workers; 0 is one a
// processor.
func CPU(workers int) Machine {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	return Machine{
		Name: "cpu", Total: memory.Total(), Free: memory.Available() + memory.Resident(), Activation: 4, Workers: workers, Program: programBytes, Paged: true,
	}
}

// contextBytes is what CUDA takes for a context and its kernels.
const contextBytes = 500 << 20

// GPU is a graphics processor with so many bytes of memory, whose activations
// are bfloat16.
func GPU(name string, total int64) Machine {
	return Machine{Name: name, Total: total, Free: total, Activation: 2, Program: contextBytes}
}

// On is the machine that a device is of.
func On(i kernels.Info) Machine {
	if i.Memory > 0 {
		return GPU(i.Name, i.Memory)
	}
	return CPU(i.Workers)
}
