//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"gorgonia.org/cu"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cuda/driver"
)

func init() {
	kernels.Register("cuda", 10, func(arg string) (kernels.Device, error) {
		c, err := parse(arg)
		if err != nil {
			return nil, err
		}
		return Open(c)
	})
}

// Config says which GPU to use, and how. The zero value is the first one.
type Config struct {
	GPU      int
	Blocking bool // wait for each kernel, so that a fault names the one that failed
}

// parse reads what follows the colon of a device's name: the number of a GPU,
// blocking, or both with a comma.
func parse(arg string) (c Config, err error) {
	if arg == "" {
		return c, nil
	}
	for word := range strings.SplitSeq(arg, ",") {
		if word == "blocking" {
			c.Blocking = true
		} else if c.GPU, err = strconv.Atoi(word); err != nil || c.GPU < 0 {
			return c, fmt.Errorf("%q is neither the number of a GPU nor blocking: say cuda, cuda:1 or cuda:1,blocking", word)
		}
	}
	return c, nil
}

// A Device executes operations on one GPU.
type Device struct {
	config Config
	info   kernels.Info
	thread *thread

	processors int  // of the GPU
	warpgroups bool // are what its tensor cores work for: Hopper's alone

	// What follows belongs to the thread.
	functions map[*kernel]cu.Function
	stream    cu.Stream
	pinned    []byte // the memory of the stages
	stages    [2]stage
	turn      int // which of them is next
	waiting   []launch
	graphs    graphs

	faults faults
	// scratch is memory that the kernels of one operation share; held while they
	// are queued.
	scratchMu   sync.Mutex
	scratch     *memory
	scratchSize Scratch
}

var _ kernels.Device = (*Device)(nil)

// Open returns the device of a GPU. Its errors say what is missing: a driver, a
// GPU, or the GPU of that number.
func Open(c Config) (*Device, error) {
	if err := driver.Start(); err != nil {
		return nil, err
	}
	d := &Device{config: c, functions: map[*kernel]cu.Function{}}
	d.thread = newThread(d)
	if err := d.thread.call(d.open); err != nil {
		d.thread.stop()
		return nil, err
	}
	return d, nil
}

// open binds the GPU's context to the thread and loads the kernels.
func (d *Device) open() error {
	n, err := cu.NumDevices()
	if err != nil {
		return err
	}
	if d.config.GPU >= n {
		return fmt.Errorf("there is no GPU %d: the driver lists %d, numbered from 0", d.config.GPU, n)
	}
	gpu := cu.Device(d.config.GPU)
	context, err := gpu.RetainPrimaryCtx()
	if err != nil {
		return err
	}
	if err := cu.SetCurrentContext(context); err != nil {
		return err
	}
	if d.stream, err = cu.MakeStream(cu.DefaultStream); err != nil {
		return err
	}
	if err := d.describe(gpu); err != nil {
		return err
	}
	if d.processors, err = gpu.Attribute(cu.MultiprocessorCount); err != nil {
		return err
	}
	if err := d.prepare(); err != nil {
		return err
	}
	return d.load()
}

// oldest is the compute capability that the kernels need: bfloat16 on tensor
// cores came with it.
const oldest = 8

func (d *Device) describe(gpu cu.Device) error {
	name, nameErr := gpu.Name()
	major, minor, capabilityErr := gpu.ComputeCapability()
	bytes, memErr := gpu.TotalMem()
	if err := errors.Join(nameErr, capabilityErr, memErr); err != nil {
		return err
	}
	if major < oldest {
		return fmt.Errorf("GPU %d, %s, has compute capability %d.%d: the kernels need %d.0", int(gpu), name, major, minor, oldest)
	}
	d.warpgroups = major == 9 && minor == 0
	d.info = kernels.Info{
		Name:    fmt.Sprintf("cuda:%d", int(gpu)),
		Detail:  fmt.Sprintf("%s, compute capability %d.%d, %.1f GiB", name, major, minor, float64(bytes)/(1<<30)),
		Workers: 1, Epsilon: 1.0 / (1 << 8), Width: 1, Memory: bytes,
	}
	return nil
}

// Info describes the device.
func (d *Device) Info() kernels.Info { return d.info }

// For returns the device itself: it computes in bfloat16 for every base.
func (d *Device) For(kernels.Format) kernels.Device { return d }

// Sync waits for everything asked for so far and returns the first fault.
func (d *Device) Sync() error {
	d.attempt("Sync", d.stream.Synchronize)
	return d.faults.first()
}

// attempt does something on the thread, unless the device has failed, and waits.
// A fault is kept for Sync.
func (d *Device) attempt(what string, do func() error) bool {
	err := d.thread.call(func() error {
		if d.faults.first() != nil {
			return nil
		}
		return do()
	})
	if err != nil {
		d.faults.keep(what, err)
	}
	return d.faults.first() == nil
}

// Close waits for the device to end its work and gives it back. Memory not freed
// stays with the process's context.
func (d *Device) Close() error {
	err := d.Sync()
	if d.scratch != nil {
		d.Free(d.scratch)
	}
	_ = d.thread.call(func() error {
		d.graphs.forget(d)
		d.dismantle()
		_ = d.stream.Destroy()
		return cu.Device(d.config.GPU).ReleasePrimaryCtx()
	})
	d.thread.stop()
	return err
}
