//go:build cuda

package cuda

import (
	"os"
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
)

// used returns the bytes of the GPU's memory that are in use.
func used(t *testing.T, d *Device) int {
	t.Helper()
	n, err := d.Used()
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// The driver gives memory in the pages that plans take it to.
func TestPages(t *testing.T) {
	if os.Getenv("GRAFT_CUDA_DRIVER") != "" {
		t.Skip("the emulated driver has no pages")
	}
	d := open(t, Config{})
	const pieces, slack = 64, 2 * page
	for _, bytes := range []int{page / 4, page, page + page/8, 5*page/2 + 256} {
		before := used(t, d)
		var all []kernels.Mem
		for range pieces {
			m, err := d.alloc(bytes)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		if took, want := used(t, d)-before, pieces*Allocated(bytes); took < want-slack || took > want+slack {
			t.Errorf("%d pieces of %d bytes take %d, plans say %d", pieces, bytes, took, want)
		}
		for _, m := range all {
			d.Free(m)
		}
	}
}

func TestAllocated(t *testing.T) {
	for bytes, want := range map[int]int{0: 0, 100: 100, page/2 - 1: page/2 - 1, page / 2: page, page: page, page + 1: 2 * page, 5 * page / 2: 3 * page} {
		if got := Allocated(bytes); got != want {
			t.Errorf("%d bytes take %d, want %d", bytes, got, want)
		}
	}
}
