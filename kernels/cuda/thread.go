//go:build cuda

package cuda

import (
	"errors"
	"runtime"
)

// A thread is an OS thread that does what it is asked for in order. A context
// of CUDA is bound to a thread, not to a goroutine.
type thread struct {
	dev   *Device
	tasks chan task
	ended chan struct{}
}

// A task is a launch, or where do is not nil that, whose result is waited for.
type task struct {
	launch launch
	do     func() error
	result chan<- error
}

// queued is how many launches may wait for the thread: enough that a step's
// caller never waits while the GPU works.
const queued = 256

func newThread(d *Device) *thread {
	t := &thread{dev: d, tasks: make(chan task, queued), ended: make(chan struct{})}
	go t.run()
	return t
}

// run does the tasks until one has neither a launch nor anything to do. Before
// anything else is done all launches asked for are started.
func (t *thread) run() {
	runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
	defer close(t.ended)
	for task := range t.tasks {
		switch {
		case task.do != nil:
			t.dev.flush()
			task.result <- task.do()
		case task.launch.kernel != nil:
			t.dev.collect(&task.launch)
		default:
			return
		}
	}
}

// ask queues a task unless the thread has ended.
func (t *thread) ask(task task) bool {
	select {
	case <-t.ended:
		return false
	default:
		t.tasks <- task
		return true
	}
}

// call does something on the thread and returns its error.
func (t *thread) call(do func() error) error {
	result := make(chan error, 1)
	if !t.ask(task{do: do, result: result}) {
		return errors.New("the device is closed")
	}
	return <-result
}

// stop ends the thread once it has done all that it was asked for.
func (t *thread) stop() {
	t.ask(task{})
	<-t.ended
}
