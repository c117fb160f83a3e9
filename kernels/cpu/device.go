package cpu

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/seed-5afa5581/graft/kernels"
)

func init() {
	kernels.Register("cpu", 0, func(arg string) (kernels.Device, error) {
		if arg == "" {
			return New(0), nil
		}
		n, err := strconv.Atoi(arg)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a number of workers: say cpu or, for two workers, cpu:2", arg)
		}
		return New(n), nil
	})
}

// A Device executes operations on the CPU.
type Device struct {
	workers int
	ran     []atomic.Int64 // tasks that each worker has run
	scratch sync.Pool      // of *[]float32
}

var _ kernels.Device = (*Device)(nil)

// New returns a device that shares its operations among the given number of
// workers, which may exceed the number of processors; 0 means one for each.
func New(workers int) *Device {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	d := &Device{workers: workers, ran: make([]atomic.Int64, workers)}
	d.scratch.New = func() any { return new([]float32) }
	return d
}

// Info describes the device.
func (d *Device) Info() kernels.Info {
	return kernels.Info{
		Name: "cpu", Detail: fmt.Sprintf("plain Go, %s, %d workers", runtime.GOARCH, d.workers),
		Workers: d.workers, Epsilon: 1.0 / (1 << 24), Width: 1,
	}
}

// Close does nothing: the device holds nothing of its own.
func (d *Device) Close() error { return nil }

// Sync returns nil: every operation has ended when it returns.
func (d *Device) Sync() error { return nil }

// Tasks returns how many tasks each worker has run.
func (d *Device) Tasks() []int64 {
	n := make([]int64, d.workers)
	for i := range d.ran {
		n[i] = d.ran[i].Load()
	}
	return n
}

// do runs task(0) to task(n-1). Worker w begins with task w; what is left over
// goes to whoever is free.
func (d *Device) do(n int, task func(i int)) {
	workers := min(d.workers, n)
	var next atomic.Int64
	next.Store(int64(workers))
	work := func(w int) {
		ran := int64(0)
		for i := w; i < n; i = int(next.Add(1)) - 1 {
			task(i)
			ran++
		}
		d.ran[w].Add(ran)
	}
	var wg sync.WaitGroup
	for w := 1; w < workers; w++ {
		wg.Go(func() { work(w) })
	}
	if n > 0 {
		work(0)
	}
	wg.Wait()
}

// taskElements is how many elements an elementwise task should have.
const taskElements = 1 << 13

// split cuts n items of the given size into tasks and runs task(from, to) on each.
func (d *Device) split(n, size int, task func(from, to int)) {
	grain := max(1, taskElements/max(1, size))
	d.do((n+grain-1)/grain, func(i int) { task(i*grain, min(n, (i+1)*grain)) })
}

// borrow returns scratch memory for n elements, of undefined content; the
// function returned with it gives it back.
func (d *Device) borrow(n int) ([]float32, func()) {
	p := d.scratch.Get().(*[]float32)
	if cap(*p) < n {
		*p = make([]float32, n)
	}
	return (*p)[:n], func() { d.scratch.Put(p) }
}
