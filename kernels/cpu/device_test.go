package cpu_test

import (
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
