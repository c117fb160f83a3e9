package train

// An Event is something that happened in a run: a [Step], an [Evaluation] or a
// [Saved].
type Event interface{ event() }

func (Step) event()       {}
func (Evaluation) event() {}
func (Saved) event()      {}

// An Observer is told what happens in a run by whoever ranges over its events.
type Observer interface {
	Observe(e Event) error
}

// An Evaluation is the loss on samples that the run does not learn from.
type Evaluation struct {
	Step     int     `json:"step"` // whole steps before it
	Loss     float64 `json:"loss"` // mean over the labels, in nats
	Accuracy float64 `json:"accuracy"`
	Labels   int     `json:"labels"`
}

// Saved tells of a snapshot.
type Saved struct {
	Step int    // whole steps that it holds
	Path string // its directory
	Best bool   // whether its evaluation is the best so far
}
