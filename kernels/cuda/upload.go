//go:build cuda

package cuda

import (
	"gorgonia.org/cu"
	"unsafe"

	"github.com/seed-5afa5581/graft/kernels/cuda/driver"
)

// staging is how much pinned memory weights pass through: enough for the bus to
// be busy while the next piece is copied into the other half.
const staging = 16 << 20

// A stage is one half of the pinned memory, and the event after which the GPU
// has read it.
type stage struct {
	memory []byte
	read   cu.Event
}

// upload copies data to an address through pinned memory and waits until it is
// there. data may be a mapped file.
func (d *Device) upload(to uint64, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	return d.thread.call(func() error {
		if err := d.faults.first(); err != nil {
			return err
		}
		half := min(staging/2, len(data))
		pinned, err := driver.AllocPinned(2 * half)
		if err != nil {
			return err
		}
		defer func() { _ = driver.FreePinned(pinned) }()
		return d.passThrough([2][]byte{pinned[:half], pinned[half:]}, to, data)
	})
}

// passThrough copies data in pieces, by turns through two halves of pinned
// memory, each used again once the GPU has read it.
func (d *Device) passThrough(halves [2][]byte, to uint64, data []byte) error {
	var stages [2]stage
	for i := range stages {
		event, err := cu.MakeEvent(cu.DisableTiming)
		if err != nil {
			return err
		}
		stages[i] = stage{halves[i], event}
		defer func() { _ = cu.DestroyEvent(&stages[i].read) }()
	}
	for i := 0; len(data) > 0; i++ {
		s := &stages[i%2]
		if err := s.read.Synchronize(); err != nil { // at once, if it was never recorded
			return err
		}
		n := copy(s.memory, data)
		if err := cu.MemcpyHtoDAsync(cu.DevicePtr(to), unsafe.Pointer(&s.memory[0]), int64(n), d.stream); err != nil {
			return err
		}
		if err := s.read.Record(d.stream); err != nil {
			return err
		}
		to, data = to+uint64(n), data[n:]
	}
	return d.stream.Synchronize()
}
