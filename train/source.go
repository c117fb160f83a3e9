package train

import "github.com/seed-5afa5581/graft/data"

// A Set is what a Run learns from; data.Set and data.List are.
type Set = data.Source

// readError returns why a set's samples could not be read; they may lie on disk.
func readError(s Set) error {
	if s, ok := s.(interface{ Err() error }); ok {
		return s.Err()
	}
	return nil
}

// A Source deals the samples of a run, step by step, in an order that is a
// function of its seed and of its cursor alone. data.Batches is one.
type Source interface {
	Set
	// Next returns the numbers of the samples of the next step.
	Next() []int
	// Steps returns how many steps a number of epochs has.
	Steps(epochs int) int
	// Passes returns how many epochs have been dealt, the last in part.
	Passes() float64
	// Cursor returns the place of the step that Next will deal.
	Cursor() data.Cursor
	// Seek goes to a place that Cursor returned.
	Seek(c data.Cursor) error
	// Hash is the same for the same samples and no others.
	Hash() string
}
