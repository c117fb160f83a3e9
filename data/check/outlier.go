package check

import (
	"math"
	"slices"
)

// A Score is the mean loss of a sample's labels under the base model, in nats.
type Score struct {
	Source string
	Loss   float64
}

// Outliers adds a finding for each sample whose loss lies far from the others':
// more than five of their standard deviations, as their median deviation tells
// it, and more than a nat from their median. Fewer than twenty samples tell
// nothing.
func (r *Report) Outliers(scores []Score) {
	const fewest, far = 20, 5
	if len(scores) < fewest {
		return
	}
	middle := median(scores, func(s Score) float64 { return s.Loss })
	spread := 1.4826 * median(scores, func(s Score) float64 { return math.Abs(s.Loss - middle) })
	for _, s := range scores {
		if math.Abs(s.Loss-middle) <= max(1, far*spread) && !math.IsNaN(s.Loss) {
			continue
		}
		if r.Counts[Outlier]++; r.Counts[Outlier] <= examples {
			r.Findings = append(r.Findings, find(Outlier, s.Source, "its loss under the base is %.2f, that of half of the samples up to %.2f", s.Loss, middle))
		}
	}
}

func median(scores []Score, of func(Score) float64) float64 {
	values := make([]float64, len(scores))
	for i, s := range scores {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
