package cpu

import (
	"slices"
	"sync"

	"github.com/seed-5afa5581/graft/kernels"
)

// A left is the left operand of a product, [rows, cols] in float32, and the
// arithmetic that decides how it is packed.
type left struct {
	first      *float32
	rows, cols int
	bf16       bool
}

// A held operand stays as it is while it is held: it is packed once.
type held struct {
	left
	times  int
	packed *scratch // nil until a product has packed it
}

// A larder has what is held.
type larder struct {
	sync.Mutex
	held []held
}

// find returns the index of an operand, or -1. The caller holds the lock.
func (l *larder) find(o left) int {
	return slices.IndexFunc(l.held, func(h held) bool { return h.left == o })
}

// look returns whether an operand is held, and it packed if it has been.
func (l *larder) look(o left) (packed *scratch, holds bool) {
	l.Lock()
	defer l.Unlock()
	if i := l.find(o); i >= 0 {
		return l.held[i].packed, true
	}
	return nil, false
}

// keep takes an operand that has been packed, unless it has it already or it is
// not held any more.
func (l *larder) keep(o left, packed *scratch) bool {
	l.Lock()
	defer l.Unlock()
	i := l.find(o)
	if i < 0 || l.held[i].packed != nil {
		return false
	}
	l.held[i].packed = packed
	return true
}

func (d *Device) leftOf(x kernels.Tensor) left { return left{&data(x)[0], x.Rows, x.Cols, d.bf16} }

// Hold keeps x packed for the products that follow.
func (d *Device) Hold(x kernels.Tensor) {
	if d.simd == nil || x.Len() == 0 {
		return
	}
	l, o := &d.larder, d.leftOf(x)
	l.Lock()
	defer l.Unlock()
	if i := l.find(o); i >= 0 {
		l.held[i].times++
		return
	}
	l.held = append(l.held, held{left: o, times: 1})
}

// Release ends what Hold began.
func (d *Device) Release(x kernels.Tensor) {
	if d.simd == nil || x.Len() == 0 {
		return
	}
	l := &d.larder
	l.Lock()
	defer l.Unlock()
	i := l.find(d.leftOf(x))
	if l.held[i].times--; l.held[i].times > 0 {
		return
	}
	if s := l.held[i].packed; s != nil {
		d.giveBack(s)
	}
	l.held = slices.Delete(l.held, i, i+1)
}
