package kernels

import "errors"

// A fake device has memory and nothing else: every operation panics.
type fake struct {
	Device
	arg    string // it was opened with
	allocs int
	held   map[*int]int // elements of each piece of memory
	limit  int          // elements that Alloc gives at the most, 0 for any number
	ints   []int32      // last written
}

func (f *fake) Alloc(kind Kind, n int) (Mem, error) {
	if f.limit > 0 && n > f.limit {
		return nil, errors.New("fake: full")
	}
	if f.held == nil {
		f.held = map[*int]int{}
	}
	f.allocs++
	m := new(int)
	f.held[m] = n
	return m, nil
}

func (f *fake) Free(m Mem) { delete(f.held, m.(*int)) }

func (f *fake) WriteInts(v Ints) { f.ints = append(f.ints[:0], v.Host...) }

// panics returns what f panics with, or nil.
func panics(f func()) (p any) {
	defer func() { p = recover() }()
	f()
	return nil
}
