package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/internal/random"
)

// A Set is what a Run learns from; data.Set is one.
type Set interface {
	Len() int
	Sample(i int) data.Sample
}

// A Cursor is a place in a Source: so many samples of an epoch are dealt.
type Cursor struct {
	Epoch    int    `json:"epoch"`
	Position int    `json:"position"`
	Seed     uint64 `json:"seed"`
}

// A Source deals the samples of a run, one by one, in an order that is a
// function of its seed and of the cursor alone.
type Source interface {
	// Len returns the number of samples of an epoch.
	Len() int
	// Next deals a sample. Its number says which it is, for dropout; last tells
	// whether it ends the epoch.
	Next() (s data.Sample, number int, last bool, err error)
	// Cursor returns the place of the sample that Next will deal.
	Cursor() Cursor
	// Seek goes to a place that Cursor returned.
	Seek(c Cursor) error
	// Hash is the same for the same samples and no others.
	Hash() string
}

// A dealer is a Source of a Set: all its samples every epoch, shuffled anew.
type dealer struct {
	set     Set
	shuffle bool
	at      Cursor
	order   []int // of the samples in epoch dealt
	dealt   int   // whose order that is, -1 for none
}

func newDealer(set Set, seed uint64, shuffle bool) *dealer {
	return &dealer{set: set, shuffle: shuffle, at: Cursor{Seed: seed}, dealt: -1}
}

func (d *dealer) Len() int       { return d.set.Len() }
func (d *dealer) Cursor() Cursor { return d.at }

func (d *dealer) Seek(c Cursor) error {
	if c.Epoch < 0 || c.Position < 0 || c.Position >= d.set.Len() {
		return fmt.Errorf("train: sample %d of epoch %d: the set has %d samples", c.Position, c.Epoch, d.set.Len())
	}
	d.at, d.dealt = c, -1
	return nil
}

func (d *dealer) Next() (s data.Sample, number int, last bool, err error) {
	if d.dealt != d.at.Epoch {
		d.order, d.dealt = d.epoch(), d.at.Epoch
	}
	number = d.order[d.at.Position]
	d.at.Position++
	if last = d.at.Position == len(d.order); last {
		d.at.Epoch, d.at.Position = d.at.Epoch+1, 0
	}
	s = d.set.Sample(number)
	if f, ok := d.set.(interface{ Err() error }); ok { // a set on disk
		err = f.Err()
	}
	return s, number, last, err
}

// epoch returns the order of the samples in the epoch at hand.
func (d *dealer) epoch() []int {
	if d.shuffle {
		return random.New(d.at.Seed, random.Shuffle, uint64(d.at.Epoch)).Perm(d.set.Len())
	}
	order := make([]int, d.set.Len())
	for i := range order {
		order[i] = i
	}
	return order
}

// Hash is the set's own, or the SHA-256 of every sample's tokens and labels.
func (d *dealer) Hash() string {
	if s, ok := d.set.(interface{ Hash() string }); ok {
		return s.Hash()
	}
	h, buf := sha256.New(), []byte(nil)
	for i := range d.set.Len() {
		s := d.set.Sample(i)
		buf = binary.LittleEndian.AppendUint64(buf[:0], uint64(len(s.Tokens)))
		for _, list := range [][]int32{s.Tokens, s.Labels} {
			for _, v := range list {
				buf = binary.LittleEndian.AppendUint32(buf, uint32(v))
			}
		}
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil))
}
