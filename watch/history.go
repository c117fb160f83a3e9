package watch

import (
	"sync"
	"time"

	"github.com/seed-5afa5581/graft/train"
)

// maxPoints is how many steps a History holds.
const maxPoints = 1024

// A History holds what happened in a run so far, for drawing. Its methods may be
// called from several goroutines at once.
type History struct {
	mu          sync.Mutex
	spent       time.Duration // in steps
	points      []train.Step  // every stride-th step
	stride      int
	last        train.Step
	tokens      int // since the History began
	alarms      int // steps whose loss went astray
	evaluations []train.Evaluation
	samples     []Sample
}

// A Sample is what the model made of a prompt after a step.
type Sample struct {
	Step         int
	Prompt, Text string
}

// NewHistory returns an empty History.
func NewHistory() *History { return &History{stride: 1} }

// Observe takes an event in.
func (h *History) Observe(e train.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch e := e.(type) {
	case train.Step:
		h.step(e)
	case train.Evaluation:
		h.evaluations = thin(append(h.evaluations, e))
	}
	return nil
}

func (h *History) step(s train.Step) {
	h.last, h.tokens = s, h.tokens+s.Tokens
	if s.TokensPerSec > 0 {
		h.spent += time.Duration(float64(s.Tokens) / s.TokensPerSec * float64(time.Second))
	}
	if s.Alarm != train.NoAlarm {
		h.alarms++
	}
	if (s.N-1)%h.stride == 0 {
		h.points = append(h.points, s)
	}
	if len(h.points) > maxPoints {
		h.points, h.stride = thin(h.points), 2*h.stride
	}
}

// thin leaves every second element of a list that has too many.
func thin[T any](list []T) []T {
	if len(list) <= maxPoints {
		return list
	}
	kept := list[:0]
	for i := 0; i < len(list); i += 2 {
		kept = append(kept, list[i])
	}
	return kept
}

// maxSamples is how many samples a History keeps.
const maxSamples = 12

// AddSample takes a sample in, the newest last.
func (h *History) AddSample(s Sample) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.samples = append(h.samples, s)
	h.samples = h.samples[max(0, len(h.samples)-maxSamples):]
	return nil
}

// A view is a copy of a History at one moment.
type view struct {
	Spent       time.Duration
	Points      []train.Step
	Last        train.Step
	Tokens      int
	Alarms      int
	Evaluations []train.Evaluation
	Samples     []Sample // newest first
}

// view returns what the history holds, the last step included.
func (h *History) view() view {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := view{
		Spent: h.spent, Last: h.last, Tokens: h.tokens, Alarms: h.alarms,
		Points:      append([]train.Step(nil), h.points...),
		Evaluations: append([]train.Evaluation(nil), h.evaluations...),
	}
	if n := len(v.Points); n > 0 && v.Points[n-1].N != h.last.N {
		v.Points = append(v.Points, h.last)
	}
	for i := len(h.samples) - 1; i >= 0; i-- {
		v.Samples = append(v.Samples, h.samples[i])
	}
	return v
}
