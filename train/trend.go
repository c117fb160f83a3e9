package train

import "math"

// An Alarm says what is wrong with the course of the loss.
type Alarm string

const (
	NoAlarm  Alarm = ""
	Spike    Alarm = "spike"      // far above what the steps before let expect
	Diverged Alarm = "divergence" // the average is far above its best
)

// A trend is the course of the loss: moving average and variance of its last
// values, some 1/trendWeight of them.
type trend struct {
	N    int     `json:"n"`
	Mean float64 `json:"mean"`
	Var  float64 `json:"var"`
	Best float64 `json:"best"` // lowest Mean
}

const (
	trendWeight = 0.1
	trendSteps  = 20  // before there is an alarm
	spikeSigmas = 6   // deviations above the mean are a spike,
	spikeNats   = 0.5 // if they are so much at least
)

// add takes a step's loss into account. Early steps weigh as much as there are:
// the first is not what the average begins with and takes long to forget.
func (t *trend) add(loss float64) Alarm {
	t.N++
	if t.N == 1 {
		t.Mean, t.Best = loss, loss
		return NoAlarm
	}
	weight, off := trendWeight/(1-math.Pow(1-trendWeight, float64(t.N))), loss-t.Mean
	spike := t.N > trendSteps && off > spikeNats && off > spikeSigmas*math.Sqrt(t.Var)
	t.Mean += weight * off
	t.Var = (1 - weight) * (t.Var + weight*off*off)
	t.Best = min(t.Best, t.Mean)
	switch {
	case t.N > trendSteps && t.Mean > 1.5*t.Best+spikeNats:
		return Diverged
	case spike:
		return Spike
	}
	return NoAlarm
}
