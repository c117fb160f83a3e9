package cpu

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// A pool shares tasks among workers and lends them scratch memory. Worker 0 is
// whoever asks; the others are helpers that come when there is work, look out
// for more for a while, and go.
type pool struct {
	workers int
	ran     []atomic.Int64 // tasks that each worker has run
	scratch [64]sync.Pool  // of *scratch of 2^i elements

	busy    sync.Mutex // held while the helpers share a job
	helpers []helper

	larder larder
}

func newPool(workers int) *pool {
	d := &pool{workers: workers, ran: make([]atomic.Int64, workers), helpers: make([]helper, workers-1)}
	for i := range d.helpers {
		d.helpers[i].job.Store(gone)
	}
	return d
}

// Tasks returns how many tasks each worker has run.
func (d *pool) Tasks() []int64 {
	n := make([]int64, d.workers)
	for i := range d.ran {
		n[i] = d.ran[i].Load()
	}
	return n
}

// tasks are what a job is made of, by their numbers. What is converted to it is
// a pointer or a function, which takes no memory.
type tasks interface{ task(i int) }

// each is tasks as a function.
type each func(i int)

func (f each) task(i int) { f(i) }

// A job is tasks to share.
type job struct {
	tasks
	n, workers int
	next       atomic.Int64 // the first task that nobody has begun
	working    atomic.Int64 // helpers that are not done
}

// work runs tasks as worker w, beginning with task w; what is left over goes
// to whoever is free.
func (j *job) work(w int) (ran int64) {
	for i := w; i < j.n; i = int(j.next.Add(1)) - 1 {
		j.task(i)
		ran++
	}
	return ran
}

// A helper is a worker's mailbox: a job, nil while it looks out for one, or gone.
type helper struct{ job atomic.Pointer[job] }

var gone = &job{}

// jobs are those that are done, to be used again.
var jobs = sync.Pool{New: func() any { return new(job) }}

// patience is how long a helper looks out for work. To wake a sleeping thread
// takes as long as many a product does.
const patience = 300 * time.Microsecond

// do runs the tasks 0 to n-1. While the helpers are busy with another job the
// caller does it alone.
func (d *pool) do(n int, t tasks) {
	j := jobs.Get().(*job)
	defer jobs.Put(j)
	j.tasks, j.n, j.workers = t, n, min(d.workers, n)
	if j.workers > 1 && d.busy.TryLock() {
		defer d.busy.Unlock()
		j.next.Store(int64(j.workers))
		j.working.Store(int64(j.workers - 1))
		for w := 1; w < j.workers; w++ {
			if h := &d.helpers[w-1]; !h.job.CompareAndSwap(nil, j) {
				h.job.Store(j)
				go d.help(w)
			}
		}
	} else {
		j.next.Store(1)
	}
	d.ran[0].Add(j.work(0))
	for spin := 0; j.working.Load() > 0; spin++ {
		if spin%64 == 63 {
			runtime.Gosched()
		}
	}
}

// help is worker w: it runs jobs until none comes for a while.
func (d *pool) help(w int) {
	h := &d.helpers[w-1]
	for since := time.Now(); ; {
		j := h.job.Load()
		if j != nil {
			d.ran[w].Add(j.work(w))
			h.job.Store(nil)
			j.working.Add(-1)
			since = time.Now()
			continue
		}
		for spin := 0; spin < 64 && h.job.Load() == nil; spin++ {
		}
		if time.Since(since) > patience && h.job.CompareAndSwap(nil, gone) {
			return
		}
		runtime.Gosched()
	}
}

// taskElements is how many elements an elementwise task should have.
const taskElements = 1 << 13

// spans are tasks that share n items.
type spans struct {
	n, grain int
	do       func(from, to int)
}

func (s *spans) task(i int) { s.do(i*s.grain, min(s.n, (i+1)*s.grain)) }

// spent are spans that are done, to be used again.
var spent = sync.Pool{New: func() any { return new(spans) }}

// split cuts n items of the given size into tasks and runs do(from, to) on each.
func (d *pool) split(n, size int, do func(from, to int)) {
	s := spent.Get().(*spans)
	defer spent.Put(s)
	*s = spans{n: n, grain: max(1, taskElements/max(1, size)), do: do}
	d.do(ceil(n, s.grain), s)
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
