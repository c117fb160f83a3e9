//go:build cuda

package cuda

import (
	"embed"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cuda/driver"
)

//go:generate ./_tools/build-ptx

//go:embed ptx/*.ptx
var ptx embed.FS

// A kernel is one entry of the PTX: threads of a block and bytes of shared memory
// that it is launched with.
type kernel struct {
	name            string
	threads, shared int
	id              uint64 // its place in all
	joins           bool   // launches that follow each other may become one
}

var all []*kernel

func entry(name string, threads, shared int) *kernel {
	k := &kernel{name: name, threads: threads, shared: shared, id: uint64(len(all))}
	all = append(all, k)
	return k
}

// unlimited is how much dynamic shared memory a kernel may have without asking.
const unlimited = 48 << 10

// load loads the embedded PTX, which the driver compiles or has in its cache.
func (d *Device) load() error {
	files, err := ptx.ReadDir("ptx")
	if err != nil {
		return err
	}
	found := 0
	for _, f := range files {
		text, err := ptx.ReadFile("ptx/" + f.Name())
		if err != nil {
			return err
		}
		n, err := d.loadModule(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name(), err)
		}
		found += n
	}
	if found != len(all) {
		return fmt.Errorf("the embedded PTX has %d of %d kernels: make it again with go generate", found, len(all))
	}
	return nil
}

// loadModule loads a file of PTX, unless it is for other GPUs, and returns how many
// of all kernels it has.
func (d *Device) loadModule(text string) (found int, err error) {
	var module cu.Module
	runs := d.warpgroups || !strings.Contains(text, ".target sm_90a")
	if runs {
		if module, err = cu.LoadData(text); err != nil {
			return 0, err
		}
	}
	for _, k := range all {
		if !strings.Contains(text, ".entry "+k.name+"(") {
			continue
		}
		found++
		if !runs {
			continue
		}
		if err := d.find(module, k); err != nil {
			return 0, fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return found, nil
}

func (d *Device) find(module cu.Module, k *kernel) (err error) {
	f, err := module.Function(k.name)
	if err != nil {
		return err
	}
	d.functions[k] = f
	if k.shared > unlimited {
		return driver.AllowShared(f, k.shared)
	}
	return nil
}

// A grid is the number of blocks in three directions.
type grid struct{ x, y, z int }

// most is how many arguments a kernel has at most.
const most = 32

// A launch is a kernel and its arguments, each in eight bytes whatever its size.
type launch struct {
	kernel *kernel
	grid   grid
	n      int
	values [most]uint64
	// changing has a bit for each argument that differs from step to step where all
	// else is the same.
	changing uint32
}

func (l *launch) word(v uint64) {
	l.values[l.n] = v
	l.n++
}

func (l *launch) ints(v ...int) {
	for _, i := range v {
		l.word(uint64(i))
	}
}

func (l *launch) floats(v ...float64) {
	for _, f := range v {
		l.word(uint64(math.Float32bits(float32(f))))
	}
}

func (l *launch) flag(v bool) {
	if v {
		l.word(1)
	} else {
		l.word(0)
	}
}

// changes notes that the arguments from one on differ from step to step.
func (l *launch) changes(from int) { l.changing |= 1<<l.n - 1<<from }

// pointers passes the addresses of tensors, 0 for none.
func (l *launch) pointers(ts ...kernels.Tensor) {
	for _, t := range ts {
		l.word(address(t))
	}
}

// tensors passes the address and the kind of each.
func (l *launch) tensors(ts ...kernels.Tensor) {
	for _, t := range ts {
		l.word(address(t))
		l.flag(t.Kind == kernels.Float32)
	}
}

// vectors passes the addresses of the device's copies.
func (l *launch) vectors(vs ...kernels.Ints) {
	for _, v := range vs {
		if v.Len() == 0 {
			l.word(0)
		} else {
			l.word(v.Mem.(*memory).address + uint64(v.Off)*4)
		}
	}
}

// run queues the launch. A grid without blocks is nothing to do.
func (d *Device) run(k *kernel, g grid, l *launch) {
	if g.x == 0 || g.y == 0 || g.z == 0 {
		return
	}
	l.kernel, l.grid = k, g
	d.thread.ask(task{launch: *l})
}

// collect keeps a launch until there are enough for a graph, or flush starts
// them; on the thread.
func (d *Device) collect(l *launch) {
	if n := len(d.waiting); n > 0 && d.waiting[n-1].join(l) {
		return
	}
	d.waiting = append(d.waiting, *l)
	if len(d.waiting) == together || d.config.Blocking {
		d.flush()
	}
}

// flush starts what was collected, on the thread: by a graph if the same was asked
// for before.
func (d *Device) flush() {
	waiting := d.waiting
	d.waiting = waiting[:0]
	if len(waiting) == 0 || d.faults.first() != nil {
		return
	}
	if !d.config.Blocking {
		if done, err := d.graphs.run(d, waiting); err != nil {
			d.faults.keep("a graph of kernels", err)
			return
		} else if done {
			return
		}
	}
	for i := range waiting {
		d.start(&waiting[i])
	}
}

// start launches a kernel, on the thread.
func (d *Device) start(l *launch) {
	if d.faults.first() != nil {
		return
	}
	var pointers [most]unsafe.Pointer
	for i := range l.n {
		pointers[i] = unsafe.Pointer(&l.values[i])
	}
	g := l.grid
	err := d.functions[l.kernel].Launch(g.x, g.y, g.z, l.kernel.threads, 1, 1, l.kernel.shared, d.stream, pointers[:l.n])
	if err == nil && d.config.Blocking {
		err = d.stream.Synchronize()
	}
	if err != nil {
		d.faults.keep(l.kernel.name, err)
	} else if !d.config.Blocking {
		d.faults.launched(l.kernel.name)
	}
}

// blocks returns how many blocks of size cover n.
func blocks(n, size int) int { return (n + size - 1) / size }
