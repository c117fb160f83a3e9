package train

// An Event is something that happened in a run: a [Step], an [Evaluation], a
// [Saved] or a [Stopped].
type Event interface{ event() }

func (Step) event()       {}
func (Evaluation) event() {}
func (Saved) event()      {}
func (Stopped) event()    {}

// An Observer is told what happens in a run by whoever ranges over its events.
type Observer interface {
	Observe(e Event) error
}

// Saved tells of a snapshot.
type Saved struct {
	Step int    // whole steps that it holds
	Path string // its directory
	Best bool   // whether its evaluation is the best so far
	Err  error  // why there is none; the run goes on and tries again later
}

// Stopped tells that a run ends before its last step because evaluations
// stopped getting better.
type Stopped struct {
	Step int
	Best Evaluation
}
