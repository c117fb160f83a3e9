//go:build cuda

package cuda

import (
	"testing"

	"gorgonia.org/cu"

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

// openHopper returns the first device with warpgroups; where there is none it skips
// the test.
func openHopper(t *testing.T, c Config) *Device {
	t.Helper()
	for ; ; c.GPU++ {
		d := open(t, c)
		if d.warpgroups {
			return d
		}
		if n, err := cu.NumDevices(); err != nil || c.GPU+1 >= n {
			t.Skip("needs a GPU of compute capability 9.0")
		}
	}
}

func TestSuite(t *testing.T) {
	kerneltest.Run(t, kernels.Checked(open(t, Config{Blocking: true})))
}
