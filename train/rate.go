package train

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// A Probe is the loss that a learning rate came to in a search for the best.
type Probe struct {
	Rate float64
	Loss float64 // moving average, corrected for its short memory at the start
}

// A RateSearch is how FindRate goes through learning rates. The zero value takes
// 100 steps from 1e-6 to 1.
type RateSearch struct {
	From, To float64
	Steps    int
}

const (
	probeMemory = 0.9 // share of the average that stays, each step
	probeLimit  = 2   // the search ends where the loss is so many times its lowest
	probeSkip   = 10  // first probes that are no choice: the average is too young
)

func (s RateSearch) withDefaults() RateSearch {
	if s.From == 0 {
		s.From = 1e-6
	}
	if s.To == 0 {
		s.To = 1
	}
	if s.Steps == 0 {
		s.Steps = 100
	}
	return s
}

// Validate reports every value that means nothing.
func (s RateSearch) Validate() error {
	s = s.withDefaults()
	var faults []error
	if !(s.From > 0) || !(s.To > s.From) || math.IsInf(s.To, 0) {
		faults = append(faults, fmt.Errorf("train: learning rates from %v to %v: must be positive and rise", s.From, s.To))
	}
	if s.Steps < 2*probeSkip {
		faults = append(faults, fmt.Errorf("train: a search of %d steps: must have at least %d", s.Steps, 2*probeSkip))
	}
	return errors.Join(faults...)
}

// FindRate takes a step at each of many learning rates, ever higher ones, until
// the loss goes up for good (Smith 2017, "Cyclical Learning Rates for Training
// Neural Networks", section 3.3). It returns the loss at each, and the rate at
// which it fell fastest, which is a good peak for a schedule. The run is used up
// by that: open the model anew to train it.
func (r *Run) FindRate(ctx context.Context, s RateSearch) (probes []Probe, best float64, err error) {
	if err := s.Validate(); err != nil {
		return nil, 0, err
	}
	s = s.withDefaults()
	r.Total = s.Steps
	r.rate = func(n int) float64 { return s.From * math.Pow(s.To/s.From, float64(n)/float64(s.Steps-1)) }
	var mean, weight float64
	lowest := math.Inf(1)
	for step, err := range r.Steps(ctx) {
		if ctx.Err() != nil {
			return probes, 0, err
		}
		if err != nil && len(probes) <= probeSkip {
			return probes, 0, err
		}
		if err != nil { // the rate was so high that numbers ended
			break
		}
		mean, weight = probeMemory*mean+(1-probeMemory)*step.Loss, probeMemory*weight+(1-probeMemory)
		p := Probe{step.LR, mean / weight}
		if probes = append(probes, p); p.Loss > probeLimit*lowest {
			break
		}
		lowest = min(lowest, p.Loss)
	}
	best, err = steepest(probes)
	return probes, best, err
}

// steepest returns the rate at which the loss fell most from one probe to the
// next; the rates are evenly apart in their logarithms.
func steepest(probes []Probe) (rate float64, err error) {
	fall := 0.0
	for i := probeSkip; i < len(probes); i++ {
		if f := probes[i-1].Loss - probes[i].Loss; f > fall {
			fall, rate = f, probes[i].Rate
		}
	}
	if rate == 0 {
		return 0, errors.New("train: the loss fell at no learning rate: search from a lower one, or look at the data")
	}
	return rate, nil
}
