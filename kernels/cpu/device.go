package cpu

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/seed-5afa5581/graft/kernels"
)

func init() {
	kernels.Register("cpu", 0, func(arg string) (kernels.Device, error) {
		c, err := parse(arg)
		if err != nil {
			return nil, err
		}
		return Open(c)
	})
}

// An Arithmetic says in which numbers products are computed. Sums are float32
// always, and so is everything that is no product.
type Arithmetic uint8

const (
	// Auto multiplies in bfloat16 for models whose weights are stored so or
	// quantised, if the processor can, and in float32 else.
	Auto Arithmetic = iota
	// Float32 multiplies in float32.
	Float32
)

// Config says how to use the processor. The zero value is all of it.
type Config struct {
	Workers    int // that share an operation, more than processors if asked for; 0: one for each
	Arithmetic Arithmetic
}

// parse reads what follows the colon of a device's name: a number of workers,
// float32, or both with a comma.
func parse(arg string) (c Config, err error) {
	if arg == "" {
		return c, nil
	}
	for word := range strings.SplitSeq(arg, ",") {
		if word == "float32" {
			c.Arithmetic = Float32
		} else if c.Workers, err = strconv.Atoi(word); err != nil || c.Workers < 1 {
			return c, fmt.Errorf("%q is neither a number of workers nor float32: say cpu, cpu:2 or cpu:2,float32", word)
		}
	}
	return c, nil
}

// A Device executes operations on the CPU.
type Device struct {
	plain
	config Config
	simd   *simd // nil: plain Go
	bf16   bool  // multiply in bfloat16
}

var _ kernels.Device = (*Device)(nil)

// New returns a device with the given number of workers; 0 means one for each
// processor. It panics if GRAFT_CPU names an instruction set that the
// processor does not have, which Open returns as an error.
func New(workers int) *Device {
	d, err := Open(Config{Workers: workers})
	if err != nil {
		panic(err)
	}
	return d
}

// Open returns a device. The environment variable GRAFT_CPU forces an instruction
// set: generic, avx2, avx512, avx512bf16, amx or neon.
func Open(c Config) (*Device, error) {
	s, err := choose()
	if err != nil {
		return nil, err
	}
	return newDevice(c, s), nil
}

func newDevice(c Config, s *simd) *Device {
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	return &Device{plain: plain{newPool(c.Workers)}, config: c, simd: s}
}

// For returns the device in the arithmetic for weights stored in base.
func (d *Device) For(base kernels.Format) kernels.Device {
	view := *d
	view.bf16 = d.config.Arithmetic == Auto && d.simd != nil && d.simd.tileBF16 != nil && (base == kernels.BF16 || base.Quantized())
	return &view
}

// Info describes the device.
func (d *Device) Info() kernels.Info {
	info := kernels.Info{Name: "cpu", Workers: d.workers, Epsilon: 1.0 / (1 << 24), Width: 1}
	set, numbers := generic, "float32"
	if d.simd != nil {
		set = d.simd.name
	}
	if d.bf16 {
		numbers, info.Epsilon = "bfloat16", 1.0/(1<<8)
	}
	info.Detail = fmt.Sprintf("%s %s, %s products, %d workers", runtime.GOARCH, set, numbers, d.workers)
	return info
}

// Close does nothing: the device holds nothing of its own.
func (d *Device) Close() error { return nil }

// Sync returns nil: every operation has ended when it returns.
func (d *Device) Sync() error { return nil }
