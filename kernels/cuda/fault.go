//go:build cuda

package cuda

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// faults keeps what went wrong first, for Sync. The driver reports a kernel's
// fault with a later call, so the names of the last launches are kept beside it.
type faults struct {
	mu     sync.Mutex
	err    error
	recent [together]string // names of the last launches, a ring
	count  int
}

// launched notes the name of a kernel that has been queued on the GPU.
func (f *faults) launched(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recent[f.count%len(f.recent)] = name
	f.count++
}

// keep keeps an error of the driver unless there was one before.
func (f *faults) keep(what string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = fmt.Errorf("cuda: %s: %w%s", what, err, f.since())
	}
}

// since names the kernels that may be to blame.
func (f *faults) since() string {
	if f.count == 0 {
		return ""
	}
	var names []string // each once, where it came last
	for i := f.count - 1; i >= max(0, f.count-len(f.recent)); i-- {
		if name := f.recent[i%len(f.recent)]; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Reverse(names)
	return fmt.Sprintf(" (the last kernels were %s; add blocking to the device's name to know which)", strings.Join(names, ", "))
}

func (f *faults) first() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
