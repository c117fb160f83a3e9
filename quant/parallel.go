package quant

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// stretch is the number of elements that a goroutine takes at a time: a multiple of
// every block size.
const stretch = 1 << 16

func ceil(n, by int) int { return (n + by - 1) / by }

// parallel runs do(i) for every i below n on so many goroutines, 0 for one a
// processor, and returns the error of the lowest i that has one.
func parallel(n, workers int, do func(i int) error) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if workers = min(workers, n); workers <= 1 {
		return inOrder(n, do)
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	var first firstError
	for range workers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					first.set(i, err)
					return // every lower i has been taken
				}
			}
		})
	}
	wait.Wait()
	return first.err
}

func inOrder(n int, do func(i int) error) error {
	for i := range n {
		if err := do(i); err != nil {
			return err
		}
	}
	return nil
}

// A firstError keeps the error with the lowest index.
type firstError struct {
	mu    sync.Mutex
	index int
	err   error
}

func (f *firstError) set(i int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil || i < f.index {
		f.index, f.err = i, err
	}
}
