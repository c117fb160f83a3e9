package train

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
)

// The rate that is found lies between those that move nothing and those that
// ruin the model, and training at it beats both.
func TestFindRate(t *testing.T) {
	x := newTrial(t)
	x.lora.Dropout, x.config = 0, Config{Batch: 5}
	run, _ := x.start(t)
	probes, best, err := run.FindRate(context.Background(), RateSearch{From: 1e-5, To: 100})
	if err != nil || best < 1e-3 || best > 1 {
		t.Fatalf("rate %v, %v", best, err)
	}
	if first := probes[0]; first.Rate != 1e-5 || !(first.Loss > 3) || !(probes[9].Loss > 0.9*first.Loss) {
		t.Errorf("first probes %v", probes[:10])
	}
	for i := range probes[1:] {
		if ratio := probes[i+1].Rate / probes[i].Rate; math.Abs(ratio-math.Pow(1e7, 1./99)) > 1e-9 {
			t.Fatalf("rates %v and %v", probes[i].Rate, probes[i+1].Rate)
		}
	}
	loss := func(rate float64) float64 {
		y := x
		y.config = Config{Batch: 5, Steps: 12, LR: rate}
		run, _ := y.start(t)
		last := 0.0
		for s, err := range run.Steps(context.Background()) {
			if err != nil {
				return math.Inf(1)
			}
			last = s.Loss
		}
		return last
	}
	if at, low, high := loss(best), loss(best/100), loss(best*100); !(at < low) || !(at < high) {
		t.Errorf("loss %v at %v, %v at a hundredth, %v at a hundred times", at, best, low, high)
	}
}

func TestSteepest(t *testing.T) {
	var probes []Probe
	for i := range 30 {
		probes = append(probes, Probe{float64(i + 1), 5 - 3/(1+math.Exp(-float64(i-20)))})
	}
	if rate, err := steepest(probes); err != nil || rate != 21 && rate != 22 {
		t.Errorf("rate %v, %v", rate, err)
	}
	for i := range probes {
		probes[i].Loss = float64(i)
	}
	if _, err := steepest(probes); err == nil {
		t.Error("a rate was found where the loss only rises")
	}
}

func TestRateSearchFaults(t *testing.T) {
	for want, s := range map[string]RateSearch{
		"from 2 to 1": {From: 2, To: 1}, "from -1 to 1": {From: -1}, "search of 5 steps": {Steps: 5}, "from NaN": {From: math.NaN()},
	} {
		run, _ := newTrial(t).start(t)
		if _, _, err := run.FindRate(context.Background(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	run, _ := newTrial(t).start(t)
	if _, _, err := run.FindRate(cut(3), RateSearch{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
