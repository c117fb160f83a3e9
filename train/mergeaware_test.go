package train

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/quant"
)

// in4Bits opens a random model in 4 bits with a fresh adapter.
func in4Bits(t *testing.T, c lora.Config) (*model.Model, *lora.Adapter) {
	t.Helper()
	m, err := model.OpenWith(kernels.Checked(cpu.New(2)), tiny.Dir(t, nil), model.Options{Quantize: &quant.Config{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	a, err := lora.Attach(m, c)
	if err != nil {
		t.Fatal(err)
	}
	return m, a
}

// losses trains six steps, merge-aware in so large a share of them by c, or
// from the step on that the caller switches at.
func losses(t *testing.T, share float64, switchAt int) (l []float64) {
	t.Helper()
	m, a := in4Bits(t, lora.Config{Rank: 4})
	run, err := New(m, randomSet(4), Config{Steps: 6, Batch: 4, LR: 3e-2, NoWarmup: true, MergeAware: share})
	if err != nil {
		t.Fatal(err)
	}
	for step, err := range run.Steps(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		l = append(l, step.Loss)
		if step.N == switchAt {
			if err := a.SetMergeAware(true); err != nil {
				t.Fatal(err)
			}
		}
	}
	return l
}

// A share of the steps is its last ones, as if the caller had switched then.
func TestMergeAwareShare(t *testing.T) {
	plain, half, whole := losses(t, 0, 0), losses(t, 0.5, 0), losses(t, 1, 0)
	if !slices.Equal(half, losses(t, 0, 3)) {
		t.Error("half of the steps are not those after the third")
	}
	if !slices.Equal(half[:3], plain[:3]) || half[3] == plain[3] || whole[1] == plain[1] {
		t.Errorf("losses plain %v, half %v, whole %v", plain, half, whole)
	}
}

func TestMergeAwareFaults(t *testing.T) {
	dense, _ := adapted(t, cpu.New(1), lora.Config{})
	dropping, _ := in4Bits(t, lora.Config{Dropout: 0.1})
	full, err := model.Open(cpu.New(1), tiny.Dir(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if err := full.Unfreeze(func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	for want, m := range map[string]*model.Model{"is not quantised": dense, "set dropout to 0": dropping, "needs an adapter to merge": full} {
		if _, err := New(m, randomSet(4), Config{MergeAware: 0.5}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// A run that is cut among its merge-aware steps, with moments in 8 bits, and
// resumed ends in the same bits.
func TestMergeAwareResume(t *testing.T) {
	dir, snapshots := tiny.Dir(t, map[string]any{"hidden_size": 96}), t.TempDir()
	start := func() (*Run, *lora.Adapter) {
		m, err := model.OpenWith(kernels.Checked(cpu.New(2)), dir, model.Options{Quantize: &quant.Config{}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		a, err := lora.Attach(m, lora.Config{Rank: 64, Targets: []string{"up_proj"}}) // A of more than 4096 elements
		if err != nil {
			t.Fatal(err)
		}
		run, err := New(m, randomSet(4), Config{Steps: 6, Batch: 2, MicroTokens: 1, LR: 1e-2, Optimizer: ByAdamW8, MergeAware: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		return run, a
	}
	whole, a := start()
	rest(t, whole, context.Background())
	run, _ := start()
	rest(t, run, cut(9)) // after one sample of the fifth step
	if _, err := (&Snapshots{Dir: snapshots, disk: fastDisk{}}).Save(run); err != nil {
		t.Fatal(err)
	}
	again, b := start()
	s, _, err := (&Snapshots{Dir: snapshots}).Newest()
	if err == nil {
		err = again.Resume(s)
	}
	if err != nil {
		t.Fatal(err)
	}
	if again.Done() != 4 {
		t.Errorf("resumed after %d steps", again.Done())
	}
	rest(t, again, context.Background())
	if !equal(values(again.model, b), values(whole.model, a)) {
		t.Error("other bits")
	}
}
