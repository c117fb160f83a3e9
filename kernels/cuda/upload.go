//go:build cuda

package cuda

import (
	"unsafe"

	"gorgonia.org/cu"

	"github.com/seed-5afa5581/graft/kernels/cuda/driver"
)

// staging is how much pinned memory what goes to the GPU passes through: enough for
// the bus to be busy while the next piece is copied into the other half.
const staging = 16 << 20

// A stage is one half of the pinned memory, and the event after which the GPU
// has read it.
type stage struct {
	memory []byte
	read   cu.Event
}

// prepare allocates the two stages.
func (d *Device) prepare() error {
	pinned, err := driver.AllocPinned(staging)
	if err != nil {
		return err
	}
	for i := range d.stages {
		event, err := cu.MakeEvent(cu.DisableTiming)
		if err != nil {
			return err
		}
		d.stages[i] = stage{pinned[i*staging/2:][:staging/2], event}
	}
	d.pinned = pinned
	return nil
}

// dismantle gives the stages back.
func (d *Device) dismantle() {
	for i := range d.stages {
		_ = cu.DestroyEvent(&d.stages[i].read)
	}
	_ = driver.FreePinned(d.pinned)
}

// upload copies data to an address through pinned memory and waits until it is
// there. data may be a mapped file.
func (d *Device) upload(to uint64, data []byte) error {
	if err := d.push(to, data); err != nil {
		return err
	}
	return d.thread.call(d.stream.Synchronize)
}

// push is upload without waiting for what the GPU has not read yet; data itself has
// been read.
func (d *Device) push(to uint64, data []byte) error {
	return d.thread.call(func() error {
		if err := d.faults.first(); err != nil {
			return err
		}
		return d.passThrough(to, len(data), func(piece []byte, from int) { copy(piece, data[from:]) })
	})
}

// passThrough copies so many bytes to an address in pieces, by turns through the
// stages, each used again once the GPU has read it. fill writes a piece, the bytes
// from an offset on. It runs on the thread and does not wait for the last pieces.
func (d *Device) passThrough(to uint64, bytes int, fill func(piece []byte, from int)) error {
	for at := 0; at < bytes; {
		s := &d.stages[d.turn]
		d.turn = 1 - d.turn
		if err := s.read.Synchronize(); err != nil { // at once, if it was never recorded
			return err
		}
		piece := s.memory[:min(len(s.memory), bytes-at)]
		fill(piece, at)
		if err := cu.MemcpyHtoDAsync(cu.DevicePtr(to+uint64(at)), unsafe.Pointer(&piece[0]), int64(len(piece)), d.stream); err != nil {
			return err
		}
		if err := s.read.Record(d.stream); err != nil {
			return err
		}
		at += len(piece)
	}
	return nil
}
