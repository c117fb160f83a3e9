package solver

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/kerneltest"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/train"
	"gorgonia.org/gorgonia"
)

func set(n int) (list data.List) {
	for i := range n {
		ids := tiny.Tokens(5+i*7%23, uint64(i))
		list = append(list, data.Sample{Tokens: ids, Labels: slices.Clone(ids), Source: fmt.Sprintf("set.jsonl:%d", i+1)})
	}
	return list
}

func adapted(t *testing.T, dev kernels.Device) *model.Model {
	t.Helper()
	m, err := model.Open(kernels.Checked(dev), tiny.Dir(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if _, err := lora.Attach(m, lora.Config{Base: "tiny", Rank: 4}); err != nil {
		t.Fatal(err)
	}
	return m
}

// trained runs a configuration, by a solver if there is one, and returns the
// losses of its steps and the parameters after them.
func trained(t *testing.T, m *model.Model, c train.Config, s gorgonia.Solver) (losses []float64, params [][]float32) {
	t.Helper()
	run, err := train.New(m, set(6), c)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if s != nil {
		o, err := New(m.Device, m.Params(), s)
		if err != nil {
			t.Fatal(err)
		}
		if err := run.Use(o); err != nil {
			t.Fatal(err)
		}
	}
	for step, err := range run.Steps(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, step.Loss)
	}
	for _, p := range m.Params() {
		v := make([]float32, p.Value.Len())
		m.Device.Read(v, p.Value)
		params = append(params, v)
	}
	return losses, params
}

// A run by gorgonia's AdamSolver is one by AdamW without decay, with its
// schedule and its clipping.
func TestAdamSolver(t *testing.T) {
	c := train.Config{Steps: 12, Batch: 3, LR: 1e-2, Clip: 0.5}
	_, want := trained(t, adapted(t, cpu.New(1)), c, nil)
	for name, dev := range map[string]kernels.Device{"cpu": cpu.New(2), "opaque": kerneltest.NewOpaque(cpu.New(1))} {
		losses, got := trained(t, adapted(t, dev), c, gorgonia.NewAdamSolver())
		if !(losses[11] < 0.9*losses[0]) {
			t.Errorf("%s: loss went from %v to %v", name, losses[0], losses[11])
		}
		if name == "opaque" {
			continue // its activations are rounded
		}
		for i := range want {
			for j := range want[i] {
				if !(math.Abs(float64(got[i][j]-want[i][j])) < 1e-5) {
					t.Fatalf("parameter %d, %d is %v, want %v", i, j, got[i][j], want[i][j])
				}
			}
		}
	}
}

// Every other solver lowers the loss.
func TestSolvers(t *testing.T) {
	for name, c := range map[string]struct {
		solver gorgonia.Solver
		rate   float64
	}{
		"vanilla": {gorgonia.NewVanillaSolver(), 2}, "momentum": {gorgonia.NewMomentum(), 0.3}, "rmsprop": {gorgonia.NewRMSPropSolver(), 1e-2},
		"adagrad": {gorgonia.NewAdaGradSolver(gorgonia.WithLearnRate(0.02)), 1}, "barzilai-borwein": {gorgonia.NewBarzilaiBorweinSolver(), 0.1},
	} {
		losses, _ := trained(t, adapted(t, cpu.New(1)), train.Config{Steps: 25, Batch: 6, LR: c.rate, Schedule: train.Constant}, c.solver)
		if !(losses[24] < 0.95*losses[0]) {
			t.Errorf("%s: loss went from %v to %v", name, losses[0], losses[24])
		}
	}
}

func TestRefusals(t *testing.T) {
	m := adapted(t, cpu.New(1))
	if _, err := New(m.Device, m.Params(), gorgonia.NewAdamW()); err == nil || !strings.Contains(err.Error(), "AdamW does not move parameters") {
		t.Errorf("error %v", err)
	}
	o, err := New(m.Device, m.Params(), gorgonia.NewAdamSolver())
	if err != nil {
		t.Fatal(err)
	}
	run, err := train.New(m, set(3), train.Config{Steps: 2, Batch: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if err := run.Use(o); err != nil {
		t.Fatal(err)
	}
	shots := &train.Snapshots{Dir: t.TempDir()}
	if _, err := shots.Save(run); err == nil || !strings.Contains(err.Error(), "*gorgonia.AdamSolver does not tell what it keeps") {
		t.Errorf("error %v", err)
	}
	for _, err := range run.Steps(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := run.Use(o); err == nil || !strings.Contains(err.Error(), "after 2 steps") {
		t.Errorf("error %v", err)
	}
}
