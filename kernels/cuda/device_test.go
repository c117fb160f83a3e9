//go:build cuda

package cuda

import (
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cuda/driver"
	"github.com/seed-5afa5581/graft/kernels/kerneltest"
)

// open returns a device, of a GPU or of the emulator; where there is neither it
// skips the test.
func open(t *testing.T, c Config) *Device {
	t.Helper()
	if err := driver.Start(); err != nil {
		t.Skipf("%v: the emulated one is made by make -C kernels/cuda/_emulator and named by GRAFT_CUDA_DRIVER", err)
	}
	d, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d
}

func TestSuite(t *testing.T) {
	kerneltest.Run(t, kernels.Checked(open(t, Config{Blocking: true})))
}
