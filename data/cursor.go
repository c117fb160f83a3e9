package data

import "fmt"

// A Cursor is a place in the order in which a run takes its samples. It is all
// that a snapshot needs to go on with exactly the samples that would have
// followed.
type Cursor struct {
	Epoch    int    `json:"epoch"`    // whole passes before this one, from 0
	Position int    `json:"position"` // samples (packs, if packing) taken in the epoch, by all ranks together
	Seed     uint64 `json:"seed"`     // of the order
}

// check tells whether a cursor can be of an order.
func (c Cursor) check(seed uint64, n int) error {
	switch {
	case c.Seed != seed:
		return fmt.Errorf("data: the cursor belongs to seed %d, not %d", c.Seed, seed)
	case c.Epoch < 0 || c.Position < 0 || c.Position > n:
		return fmt.Errorf("data: the cursor stands at %d of %d in epoch %d: it belongs to other data or another batch", c.Position, n, c.Epoch)
	}
	return nil
}
