package plan

import (
	"fmt"
	"sort"
)

// Most returns the largest number of tokens in memory at once that fits, of
// samples as long as the job's at most, with activations kept or computed
// again; 0 if not even one sample of a single token does.
func Most(j Job, m Machine, keep bool) (int, error) {
	o, err := open(j, m)
	if err != nil {
		return 0, err
	}
	return o.most(keep)
}

// mostTokens is where the search for more ends.
const mostTokens = 1 << 17

func (o *outline) most(keep bool) (n int, err error) {
	n = sort.Search(mostTokens, func(n int) bool {
		p, fault := o.plan(n+1, min(n+1, o.job.maxLen()), keep)
		if fault != nil {
			err = fault
		}
		return !p.Fits()
	})
	return n, err
}

// Fit chooses how a job uses memory: it keeps activations if that fits, and
// takes as many tokens at once as fit, up to those of a step or defaultTokens.
// What it chooses is in the plan's Job.Train: NoRecompute and MicroTokens.
func Fit(j Job, m Machine) (Plan, error) {
	o, err := open(j, m)
	if err != nil {
		return Plan{}, err
	}
	j.Train.MicroTokens = defaultTokens
	wanted := j.Tokens()
	for _, keep := range []bool{true, false} {
		p, err := o.plan(wanted, min(wanted, j.maxLen()), keep)
		if err != nil {
			return p, err
		}
		if p.Fits() {
			p.Job.Train.MicroTokens = wanted
			return p, nil
		}
	}
	return o.squeeze(min(wanted, j.maxLen()))
}

// defaultTokens is how many tokens at once keep the processors busy.
const defaultTokens = 2048

// squeeze plans the smallest batches that hold a sample of the longest length.
func (o *outline) squeeze(length int) (Plan, error) {
	most, err := o.most(false)
	if err != nil {
		return Plan{}, err
	}
	p, err := o.plan(max(most, length), length, false)
	if err != nil {
		return p, err
	}
	p.Job.Train.MicroTokens = max(most, length)
	return p, p.Check()
}

// advice says what would make a plan fit.
func (p Plan) advice() string {
	if most, err := Most(p.Job, p.Machine, false); err == nil && most > 0 {
		return fmt.Sprintf("at most %d tokens at once fit, with activations computed again", most)
	}
	switch {
	case p.Job.LoRA == nil:
		return "not even one token fits: train an adapter instead of every weight"
	case p.Job.Storage.Linears == nil:
		return "not even one token fits: quantise the base"
	}
	return "not even one token fits: choose a smaller model or a larger machine"
}
