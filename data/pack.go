package data

import (
	"slices"

	"github.com/seed-5afa5581/graft/internal/random"
)

// packed joins the samples of an epoch into units: packs, or each alone. Packing is
// best-fit decreasing: from the longest sample to the shortest, each goes where
// it leaves the least room.
func (b *Batches) packed(order []int, epoch int) [][]int {
	if b.config.Pack == 0 {
		units := make([][]int, len(order))
		for i := range order {
			units[i] = order[i : i+1 : i+1]
		}
		return units
	}
	slices.SortStableFunc(order, func(i, j int) int { return int(b.sizes[j]) - int(b.sizes[i]) })
	packs := bestFit(order, b.sizes, b.config.Pack)
	if b.config.NoShuffle {
		return packs
	}
	shuffled := make([][]int, len(packs))
	for i, j := range random.New(b.config.Seed, random.Shuffle, 1<<32|uint64(epoch)).Perm(len(packs)) {
		shuffled[i] = packs[j]
	}
	return shuffled
}

// bestFit puts items of some sizes, in their order, into packs of a capacity.
func bestFit(items []int, sizes []int32, capacity int) (packs [][]int) {
	open := make([][]int, capacity+1) // packs by the room they have left
	rooms := newBits(capacity + 1)    // where open is not empty
	for _, item := range items {
		size := int(sizes[item])
		room := rooms.from(size)
		if room < 0 {
			room = capacity
			open[room] = append(open[room], len(packs))
			packs = append(packs, nil)
		}
		last := len(open[room]) - 1
		pack := open[room][last]
		if open[room] = open[room][:last]; last == 0 {
			rooms.clear(room)
		}
		packs[pack] = append(packs[pack], item)
		open[room-size] = append(open[room-size], pack)
		rooms.set(room - size)
	}
	return packs
}
