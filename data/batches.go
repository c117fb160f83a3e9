package data

import (
	"errors"
	"fmt"
	"math"

	"github.com/seed-5afa5581/graft/internal/random"
)

// A Source is samples by number; Set and List are.
type Source interface {
	Len() int
	Sample(i int) Sample
}

// A List is samples in memory.
type List []Sample

// Len returns the number of samples.
func (l List) Len() int { return len(l) }

// Sample returns sample i.
func (l List) Sample(i int) Sample { return l[i] }

// Tokens returns the number of tokens of all samples.
func (l List) Tokens() (n int) {
	for _, s := range l {
		n += len(s.Tokens)
	}
	return n
}

// BatchConfig says which samples a step takes. The zero value takes 16 in the
// order of a shuffle.
type BatchConfig struct {
	Batch     int    // samples (packs, if packing) a step; 16 if 0
	Tokens    int    // instead: as many samples a step as have at most so many tokens; a longer one alone
	Pack      int    // join samples into packs of at most so many tokens; 0 for none
	Seed      uint64 // of the shuffle
	NoShuffle bool   // take the samples in their order
	Ranks     int    // processes that share each step; 1 if 0
	Rank      int    // which of them this is, from 0
}

// Validate reports every value that means nothing.
func (c BatchConfig) Validate() error {
	var faults []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("data: "+format, args...))
		}
	}
	must(c.Batch >= 0, "batch of %d samples: must be positive", c.Batch)
	must(c.Tokens >= 0, "batch of %d tokens: must be positive", c.Tokens)
	must(c.Batch == 0 || c.Tokens == 0, "a batch counts samples or tokens, not both")
	must(c.Pack >= 0, "packs of %d tokens: must be positive", c.Pack)
	must(c.Rank >= 0 && c.Rank < max(1, c.Ranks), "rank %d of %d: is counted from 0", c.Rank, c.Ranks)
	return errors.Join(faults...)
}

// Batches deals out the samples of a source, step by step and epoch by epoch.
// An epoch takes every sample as often as its weight says, and its last step
// may have fewer. The order is a function of the seed and the epoch alone.
type Batches struct {
	Source

	config  BatchConfig
	sizes   []int32   // tokens of each sample
	weights []float64 // nil if all are 1
	cursor  Cursor
	units   [][]int // of the epoch at hand: what a step takes whole, a sample or a pack
	epoch   int     // whose units they are
}

// NewBatches returns the batches of a source. They begin at the first sample
// of the first epoch.
func NewBatches(s Source, c BatchConfig) (*Batches, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Batch == 0 {
		c.Batch = 16
	}
	b := &Batches{Source: s, config: c, cursor: Cursor{Seed: c.Seed}, epoch: -1}
	if err := b.measure(); err != nil {
		return nil, err
	}
	if c.Pack > 0 {
		for i, size := range b.sizes {
			if int(size) > c.Pack {
				return nil, fmt.Errorf("data: %s: %d tokens do not fit into a pack of %d: set Config.MaxLen", s.Sample(i).Source, size, c.Pack)
			}
		}
	}
	return b, nil
}

// measure notes what the order depends on.
func (b *Batches) measure() error {
	if b.Len() == 0 {
		return errors.New("data: there are no samples")
	}
	size := func(i int) (int32, float64) {
		x := b.Sample(i)
		return int32(len(x.Tokens)), x.weight()
	}
	if set, ok := b.Source.(*Set); ok { // which need not read its samples for that
		size = set.size
	}
	b.sizes, b.weights = make([]int32, b.Len()), make([]float64, b.Len())
	even := true
	for i := range b.Len() {
		b.sizes[i], b.weights[i] = size(i)
		if w := b.weights[i]; !(w > 0 && w < maxWeight) {
			return fmt.Errorf("data: %s: weight %v: must be positive and below %d", b.Sample(i).Source, w, maxWeight)
		}
		even = even && b.weights[i] == 1
	}
	if even {
		b.weights = nil
	}
	return nil
}

// Size returns the number of tokens of sample i, without reading it.
func (b *Batches) Size(i int) int { return int(b.sizes[i]) }

// maxWeight keeps an epoch within bounds.
const maxWeight = 1000

// Next returns the numbers of the samples of the next step, those of this rank:
// none where a step has fewer samples than there are ranks. It never ends; after
// the last step of an epoch comes the first of the next.
func (b *Batches) Next() []int {
	units := b.at(b.cursor.Epoch)
	for len(units) == 0 { // small weights may leave an epoch empty
		b.cursor.Epoch++
		units = b.at(b.cursor.Epoch)
	}
	taken := b.take(units[b.cursor.Position:])
	from := b.cursor.Position
	b.cursor.Position += taken
	if b.cursor.Position == len(units) {
		b.cursor.Epoch, b.cursor.Position = b.cursor.Epoch+1, 0
	}
	return b.share(units[from : from+taken])
}

// share joins this rank's units.
func (b *Batches) share(units [][]int) (samples []int) {
	for i := b.config.Rank; i < len(units); i += max(1, b.config.Ranks) {
		samples = append(samples, units[i]...)
	}
	return samples
}

// take returns how many units the next step takes.
func (b *Batches) take(units [][]int) int {
	if b.config.Tokens == 0 {
		return min(len(units), b.config.Batch)
	}
	n, tokens := 0, 0
	for _, u := range units {
		if tokens += b.tokens(u); n > 0 && tokens > b.config.Tokens {
			break
		}
		n++
	}
	return n
}

func (b *Batches) tokens(unit []int) (n int) {
	for _, i := range unit {
		n += int(b.sizes[i])
	}
	return n
}

// Steps returns how many steps a number of epochs has.
func (b *Batches) Steps(epochs int) (steps int) {
	for e := range epochs {
		for units := b.at(e); len(units) > 0; steps++ {
			units = units[b.take(units):]
		}
		if b.weights == nil && b.config.Tokens == 0 && b.config.Pack == 0 {
			return steps * epochs
		}
	}
	return steps
}

// Passes returns how many epochs have been taken, the one at hand in part.
func (b *Batches) Passes() float64 {
	if b.cursor.Position == 0 {
		return float64(b.cursor.Epoch)
	}
	return float64(b.cursor.Epoch) + float64(b.cursor.Position)/float64(len(b.at(b.cursor.Epoch)))
}

// Hash returns the hash of the samples; see the function Hash.
func (b *Batches) Hash() string {
	if set, ok := b.Source.(*Set); ok {
		return set.Hash()
	}
	return Hash(b.Source)
}

// Cursor returns the place of the next step.
func (b *Batches) Cursor() Cursor { return b.cursor }

// Seek goes to a place that Cursor gave, of batches with the same configuration
// on the same data.
func (b *Batches) Seek(c Cursor) error {
	if c.Epoch < 0 {
		return c.check(b.config.Seed, 0)
	}
	if err := c.check(b.config.Seed, len(b.at(c.Epoch))); err != nil {
		return err
	}
	b.cursor = c
	return nil
}

// at returns the units of an epoch, which are kept for the next call.
func (b *Batches) at(epoch int) [][]int {
	if epoch != b.epoch {
		b.units, b.epoch = b.packed(b.order(epoch), epoch), epoch
	}
	return b.units
}

// order returns the samples of an epoch, shuffled.
func (b *Batches) order(epoch int) []int {
	list := b.due(epoch)
	if b.config.NoShuffle {
		return list
	}
	order := make([]int, len(list))
	for i, j := range random.New(b.config.Seed, random.Shuffle, uint64(epoch)).Perm(len(list)) {
		order[i] = list[j]
	}
	return order
}

// due returns the samples that an epoch takes. A sample of weight w comes up
// w·n times in n epochs, to within one; where a fraction is left over, samples
// take turns by their numbers.
func (b *Batches) due(epoch int) (list []int) {
	for i := range b.Len() {
		times := 1
		if b.weights != nil {
			phase := math.Mod(float64(i)*math.Phi, 1)
			w := b.weights[i]
			times = int(math.Floor(float64(epoch+1)*w+phase) - math.Floor(float64(epoch)*w+phase))
		}
		for range times {
			list = append(list, i)
		}
	}
	return list
}
