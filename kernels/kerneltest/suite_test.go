package kerneltest

import (
	"fmt"
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
)

// A recorder keeps the first failure and ends the check there.
type recorder struct{ failure string }

type stop struct{}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	panic(stop{})
}

// failure returns what run reports first, or nothing.
func failure(run func(r reporter)) (first string) {
	var r recorder
	defer func() {
		if p := recover(); p != nil {
			if _, stopped := p.(stop); !stopped {
				panic(p)
			}
			first = r.failure
		}
	}()
	run(&r)
	return ""
}

func named(t *testing.T, name string) check {
	for _, c := range checks {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("there is no check %q", name)
	return check{}
}

// Each fault must fail the check of its operation, which passes without it.
func TestFaultsFail(t *testing.T) {
	sound := map[string]bool{}
	for _, f := range faults {
		t.Run(f.check+" "+f.name, func(t *testing.T) {
			c := named(t, f.check)
			if !sound[c.name] {
				if report := failure(func(r reporter) { c.run(newBench(r, cpu.New(2))) }); report != "" {
					t.Fatalf("without a fault: %s", report)
				}
				sound[c.name] = true
			}
			report := failure(func(r reporter) { c.run(newBench(r, f.plant(cpu.New(2)))) })
			if report == "" {
				t.Fatal("the suite passes")
			}
			t.Log(report)
		})
	}
}

// A device whose bits depend on its workers must fail.
func TestWorkersFail(t *testing.T) {
	c := named(t, "SumSquares")
	report := failure(func(r reporter) {
		runWorkers(r, c, func(workers int) kernels.Device { return oneUlpOff{cpu.New(workers)} })
	})
	if report != "SumSquares: results of 1 and of 2 workers differ" {
		t.Errorf("the suite says %q", report)
	}
}

// The suite has a check for each operation and none of them is empty.
func TestChecksAreFull(t *testing.T) {
	for _, c := range checks {
		b := newBench(t, cpu.New(1))
		c.run(b)
		if len(b.prints) == 0 && c.name != "Info" && c.name != "Concurrent" {
			t.Errorf("%s looks at no result", c.name)
		}
	}
}

// What a check writes must be looked at.
func TestForgottenResultFails(t *testing.T) {
	report := failure(func(r reporter) {
		b := newBench(r, cpu.New(1))
		b.run("case", func() { b.out(kernels.Float32, 1, 1) })
	})
	if report != "case: the suite did not look at a result" {
		t.Errorf("the suite says %q", report)
	}
}
