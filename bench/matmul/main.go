//go:build linux

// Command matmul times products of the CPU device for compare.py: it reads
// lines "form dtype threads tokens out in milliseconds held" and answers each with
// the best time of a product within so many milliseconds, in seconds, and the
// peak of a core in float32 operations a second. On one thread time is the
// thread's processor time. Tokens that are held are packed once for all products.
// Forms are NT (x·Wᵀ), NN (dy·W)
// and TN (dyᵀ·x), types f32 and bf16.
package main

import (
	"bufio"
	"fmt"
	"log"
	"math"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
)

// A request is a line.
type request struct {
	form, dtype              string
	threads, tokens, out, in int
	milliseconds             int
	held                     bool
}

func main() {
	log.SetFlags(0)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var r request
		if _, err := fmt.Sscan(lines.Text(), &r.form, &r.dtype, &r.threads, &r.tokens, &r.out, &r.in, &r.milliseconds, &r.held); err != nil {
			log.Fatalf("matmul: %q: %v", lines.Text(), err)
		}
		dev, err := r.device()
		if err != nil {
			log.Fatal("matmul: ", err)
		}
		run, tokens, err := r.product(dev)
		if err != nil {
			log.Fatal("matmul: ", err)
		}
		peak := dev.Peak()
		if r.held {
			dev.Hold(tokens)
		}
		best := r.best(run)
		if r.held {
			dev.Release(tokens)
		}
		fmt.Println(best, (peak+dev.Peak())/2, dev.Info().Detail)
	}
}

func (r request) device() (*cpu.Device, error) {
	c, base := cpu.Config{Workers: r.threads}, kernels.BF16
	if r.dtype == "f32" {
		c.Arithmetic = cpu.Float32
		base = kernels.F32
	}
	dev, err := cpu.Open(c)
	if err != nil {
		return nil, err
	}
	return dev.For(base).(*cpu.Device), nil
}

// tensors are kept from one request to the next.
var tensors = map[[3]int]kernels.Tensor{}

// tensor returns normal numbers; which tells tensors of one shape apart.
func tensor(dev kernels.Device, which, rows, cols int) (kernels.Tensor, error) {
	key := [3]int{which, rows, cols}
	if t, ok := tensors[key]; ok {
		return t, nil
	}
	mem, err := dev.Alloc(kernels.Float32, rows*cols)
	t := kernels.Tensor{Rows: rows, Cols: cols, Kind: kernels.Float32, Mem: mem}
	if err == nil {
		v := make([]float32, rows*cols)
		random.New(1, random.Sample, uint64(which)).Uniform(v, 1)
		dev.Write(t, v)
		tensors[key] = t
	}
	return t, err
}

// weights are kept likewise.
var weights = map[[2]int]kernels.Matrix{}

// adapter reports whether the matrix is one of an adapter's, which are float32 always.
func (r request) adapter() bool { return min(r.out, r.in) <= 64 }

// weight returns a matrix as the type stores it.
func (r request) weight(dev kernels.Device) (kernels.Matrix, error) {
	t, err := tensor(dev, 2, r.out, r.in)
	if err != nil || r.dtype == "f32" || r.adapter() {
		return t.Matrix(), err
	}
	if m, ok := weights[[2]int{r.out, r.in}]; ok {
		return m, nil
	}
	v := make([]float32, t.Len())
	dev.Read(v, t)
	m, err := dev.NewMatrix(kernels.Weights{Rows: r.out, Cols: r.in, Format: kernels.BF16, Data: bfloat16(v)})
	weights[[2]int{r.out, r.in}] = m
	return m, err
}

// product returns what the request names, and its tokens' tensor.
func (r request) product(dev kernels.Device) (run func(), tokens kernels.Tensor, err error) {
	w, err := r.weight(dev)
	if err != nil {
		return nil, tokens, err
	}
	x, err := tensor(dev, 0, r.tokens, r.in)
	if err != nil {
		return nil, tokens, err
	}
	y, err := tensor(dev, 1, r.tokens, r.out)
	if err != nil {
		return nil, tokens, err
	}
	switch r.form {
	case "NT":
		return func() { dev.MatMul(y, x, w, 1, false) }, x, nil
	case "NN":
		return func() { dev.MatMulGradInput(x, y, w, 1, false) }, y, nil
	case "TN":
		dw, err := tensor(dev, 3, r.out, r.in)
		folds := kernels.Ints{Host: []int32{0}}
		return func() { dev.MatMulGradWeight(dw, y, x, 1, folds) }, x, err
	}
	return nil, tokens, fmt.Errorf("no form %q", r.form)
}

// clock returns the seconds that the thread has had, or by the clock.
func (r request) clock() float64 {
	var t unix.Timespec
	id := int32(unix.CLOCK_MONOTONIC)
	if r.threads == 1 {
		id = unix.CLOCK_THREAD_CPUTIME_ID
	}
	if err := unix.ClockGettime(id, &t); err != nil {
		log.Fatal("matmul: ", err)
	}
	return float64(t.Sec) + float64(t.Nsec)/1e9
}

// best runs the product once to warm up and then until the time is over.
func (r request) best(run func()) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	run()
	best := math.Inf(1)
	for begin := r.clock(); ; {
		start := r.clock()
		run()
		now := r.clock()
		best = min(best, now-start)
		if now-begin > float64(r.milliseconds)/1e3 {
			return best
		}
	}
}
