//go:build cuda

package cuda

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/kernels"
)

// memory is a piece of the GPU's memory.
type memory struct {
	address uint64
	bytes   int
	weight  *weight // of a Matrix that NewMatrix made
	beside  *memory // what that has beside its codes
	host    []byte  // of a Matrix that stays there, with no address
}

// size returns the bytes of an element.
func size(kind kernels.Kind) int {
	if kind == kernels.Activation {
		return 2
	}
	return 4
}

// address returns where t begins, 0 for none.
func address(t kernels.Tensor) uint64 {
	if t.None() {
		return 0
	}
	return t.Mem.(*memory).address + uint64(t.Off*size(t.Kind))
}

// Alloc returns zeroed memory.
func (d *Device) Alloc(kind kernels.Kind, n int) (kernels.Mem, error) {
	m, err := d.alloc(n * size(kind))
	if err != nil {
		return nil, err
	}
	return m, nil
}

// alloc returns zeroed memory of so many bytes, at least one.
func (d *Device) alloc(bytes int) (*memory, error) {
	m := &memory{bytes: max(1, bytes)}
	var free, total int64
	err := d.thread.call(func() error {
		if err := d.faults.first(); err != nil {
			return err
		}
		p, err := cu.MemAlloc(int64(m.bytes))
		if err != nil {
			free, total, _ = cu.MemInfo()
			return err
		}
		m.address = uint64(p)
		return cu.MemsetD8Async(p, 0, int64(m.bytes), d.stream)
	})
	if err != nil {
		return nil, fmt.Errorf("cuda: %d bytes of memory: %w; %d of %d are free", m.bytes, err, free, total)
	}
	return m, nil
}

// Free gives memory back once the GPU has done what was asked for before.
func (d *Device) Free(m kernels.Mem) {
	for mem := m.(*memory); mem != nil && mem.address != 0; mem = mem.beside {
		p := cu.DevicePtr(mem.address)
		d.attempt("Free", func() error {
			if err := d.stream.Synchronize(); err != nil {
				return err
			}
			return cu.MemFree(p)
		})
	}
}

// Read waits for src and copies it to dst.
func (d *Device) Read(dst []float32, src kernels.Tensor) {
	if src.Kind == kernels.Float32 {
		d.fetch(bytesOf(dst), address(src))
		return
	}
	half := make([]uint16, len(dst))
	d.fetch(bytesOf(half), address(src))
	for i, h := range half {
		dst[i] = float16.FromBF16(h)
	}
}

// Write copies src to dst.
func (d *Device) Write(dst kernels.Tensor, src []float32) {
	if dst.Kind == kernels.Float32 {
		d.send(address(dst), bytesOf(src))
		return
	}
	half := make([]uint16, len(src))
	for i, v := range src {
		half[i] = float16.ToBF16(v)
	}
	d.send(address(dst), bytesOf(half))
}

// WriteInts copies v to its place on the GPU.
func (d *Device) WriteInts(v kernels.Ints) {
	if v.Len() > 0 {
		d.send(v.Mem.(*memory).address+uint64(v.Off)*4, bytesOf(v.Host))
	}
}

// bytesOf returns the memory of v.
func bytesOf[E float32 | uint16 | int32 | uint32](v []E) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(v[0])))
}

// fetch copies from the GPU, and waits.
func (d *Device) fetch(dst []byte, from uint64) {
	if len(dst) == 0 {
		return
	}
	d.attempt("Read", func() error {
		if err := cu.MemcpyDtoHAsync(unsafe.Pointer(&dst[0]), cu.DevicePtr(from), int64(len(dst)), d.stream); err != nil {
			return err
		}
		return d.stream.Synchronize()
	})
}

// send copies to the GPU. src may be used again when it returns: the driver
// has copied what is not pinned.
func (d *Device) send(to uint64, src []byte) {
	if len(src) == 0 {
		return
	}
	d.attempt("Write", func() error {
		return cu.MemcpyHtoDAsync(cu.DevicePtr(to), unsafe.Pointer(&src[0]), int64(len(src)), d.stream)
	})
}

// borrow returns scratch memory of at least so many bytes, to be used by
// kernels that are queued before giveBack. Its content is undefined.
func (d *Device) borrow(bytes int) uint64 {
	d.scratchMu.Lock()
	if d.scratchSize.Grow(bytes) || d.scratch == nil {
		if d.scratch != nil {
			d.Free(d.scratch)
		}
		m, err := d.alloc(int(d.scratchSize))
		if err != nil {
			d.faults.keep("scratch memory", err)
			m = &memory{}
		}
		d.scratch = m
	}
	return d.scratch.address
}

func (d *Device) giveBack() { d.scratchMu.Unlock() }
