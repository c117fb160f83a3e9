package check

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/data/rows"
	"github.com/seed-5afa5581/graft/internal/random"
)

// A Splitter parts rows into train and eval. Rows that are alike, or that have
// the same prompt, go the same way together.
type Splitter struct {
	Share float64 // of the rows, for eval
	Seed  uint64

	near    *nearIndex
	prompts map[uint64]int // row with a hash of a prompt, or of a record
	places  []rows.Place
	groups  []int // of each row, a row of the same group, itself at the end
	numbers []int // of the rows whose texts near holds
}

// Split reads the files twice: to see what is alike, and to write. It returns
// how many rows went each way.
func (s *Splitter) Split(train, eval io.Writer, f *data.Files) (trained, evaluated int, err error) {
	if !(s.Share > 0 && s.Share < 1) {
		return 0, 0, fmt.Errorf("data: a share of %v for eval: must lie between 0 and 1", s.Share)
	}
	if err := s.group(f); err != nil {
		return 0, 0, err
	}
	picked := s.pick()
	n := -1
	var last rows.Place
	for facts, err := range data.Map(f, nil, rowOf) {
		if err != nil {
			return trained, evaluated, err
		}
		if n >= 0 && facts.Place == last {
			continue // another record of the row
		}
		n, last = n+1, facts.Place
		to := train
		if picked[s.find(n)] {
			to, evaluated = eval, evaluated+1
		} else {
			trained++
		}
		if err := writeRow(to, facts.JSON); err != nil {
			return trained, evaluated, err
		}
	}
	return trained, evaluated, nil
}

func rowOf(i data.Item) rows.Row { return i.Row }

// group finds the rows that belong together.
func (s *Splitter) group(f *data.Files) error {
	s.near, s.prompts = newNearIndex(math.MaxInt32), map[uint64]int{}
	s.places, s.groups, s.numbers = nil, nil, nil
	for facts, err := range data.Map(f, nil, func(i data.Item) Facts { return Look(i, nil) }) {
		if err != nil {
			return err
		}
		if facts.Shape == "" {
			return errors.New(facts.findings[0].String() + "; clean the data first (graft data clean)")
		}
		s.add(facts)
	}
	return nil
}

// add joins a row to those that it is like.
func (s *Splitter) add(f Facts) {
	n := len(s.places) - 1
	if n < 0 || s.places[n] != f.Row.Place {
		n++
		s.places, s.groups = append(s.places, f.Row.Place), append(s.groups, n)
	}
	key := f.prompt
	if key == 0 {
		key = f.answer
	}
	if other, ok := s.prompts[key]; ok {
		s.join(n, other)
	} else {
		s.prompts[key] = n
	}
	if !f.signed {
		return
	}
	if i, _ := s.near.find(&f.near); i >= 0 {
		s.join(n, s.numbers[i])
	}
	s.near.add(&f.near, f.Row.Place)
	s.numbers = append(s.numbers, n)
}

// find returns the row that stands for the group of row i.
func (s *Splitter) find(i int) int {
	for s.groups[i] != i {
		s.groups[i] = s.groups[s.groups[i]]
		i = s.groups[i]
	}
	return i
}

func (s *Splitter) join(i, j int) {
	i, j = s.find(i), s.find(j)
	s.groups[max(i, j)] = min(i, j)
}

// pick chooses groups at random until eval has its share. A group that would
// go far beyond it stays in train.
func (s *Splitter) pick() map[int]bool {
	sizes := map[int]int{}
	var heads []int
	for i := range s.groups {
		head := s.find(i)
		if sizes[head]++; head == i {
			heads = append(heads, i)
		}
	}
	want := int(math.Round(s.Share * float64(len(s.groups))))
	picked, n := map[int]bool{}, 0
	for _, k := range random.New(s.Seed, random.Shuffle, 0).Perm(len(heads)) {
		if size := sizes[heads[k]]; n+size <= max(want, 1) {
			picked[heads[k]], n = true, n+size
		}
	}
	return picked
}
