package cpu

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A pool shares tasks among workers and lends them scratch memory.
type pool struct {
	workers int
	ran     []atomic.Int64 // tasks that each worker has run
	scratch [64]sync.Pool  // of *scratch of 2^i elements
}

func (d *pool) init(workers int) {
	d.workers, d.ran = workers, make([]atomic.Int64, workers)
}

// Tasks returns how many tasks each worker has run.
func (d *pool) Tasks() []int64 {
	n := make([]int64, d.workers)
	for i := range d.ran {
		n[i] = d.ran[i].Load()
	}
	return n
}

// do runs task(0) to task(n-1). Worker w begins with task w; what is left over
// goes to whoever is free.
func (d *pool) do(n int, task func(i int)) {
	workers := min(d.workers, n)
	if workers <= 1 {
		for i := range n {
			task(i)
		}
		d.ran[0].Add(int64(n))
		return
	}
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
	work(0)
	wg.Wait()
}

// taskElements is how many elements an elementwise task should have.
const taskElements = 1 << 13

// split cuts n items of the given size into tasks and runs task(from, to) on each.
func (d *pool) split(n, size int, task func(from, to int)) {
	grain := max(1, taskElements/max(1, size))
	d.do(ceil(n, grain), func(i int) { task(i*grain, min(n, (i+1)*grain)) })
}

// A scratch is memory lent for a while, of undefined content; it begins at a
// cache line.
type scratch struct {
	f32   []float32 // as many as asked for
	all   []float32
	class int
}

// borrow lends memory for n elements, until giveBack.
func (d *pool) borrow(n int) *scratch {
	class := bits.Len(uint(n))
	s, ok := d.scratch[class].Get().(*scratch)
	if !ok {
		all := make([]float32, 1<<class+16)
		skip := int(-uintptr(unsafe.Pointer(&all[0]))&63) / 4
		s = &scratch{all: all[skip:], class: class}
	}
	s.f32 = s.all[:n]
	return s
}

func (d *pool) giveBack(s *scratch) { d.scratch[s.class].Put(s) }
