package train

import (
	"slices"
	"testing"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/lora"
)

// oneStep trains an adapter for one step and returns the loss and the adapter's
// values.
func oneStep(t *testing.T, set Set, c Config) (float64, [][]float32) {
	t.Helper()
	m, a := adapted(t, kernels.Checked(cpu.New(2)), lora.Config{})
	c.Steps, c.Optimizer, c.NoClip = 1, BySGD, true // whose step is the gradient
	run, err := New(m, set, c)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	var loss float64
	for s, err := range run.Steps(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		loss = s.Loss
	}
	return loss, values(m, a)
}

// Samples in packs give, bit for bit, the loss and the gradient that each gives
// alone.
func TestPacked(t *testing.T) {
	set := randomSet(11)
	packs, err := data.NewBatches(set, data.BatchConfig{Pack: 64, Batch: 100, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	var inOrder data.List
	for _, i := range packs.Next() {
		inOrder = append(inOrder, set[i])
	}
	if len(inOrder) != len(set) || packs.Steps(1) != 1 {
		t.Fatalf("%d samples in the first step of %d", len(inOrder), packs.Steps(1))
	}
	packed, a := oneStep(t, set, Config{Pack: 64, Batch: 100, MicroTokens: 64, Seed: 5})
	alone, b := oneStep(t, inOrder, Config{Batch: 100, MicroTokens: 1, NoShuffle: true, Seed: 5})
	if packed != alone {
		t.Errorf("the loss of packs is %v, of samples %v", packed, alone)
	}
	for i := range a {
		if !slices.Equal(a[i], b[i]) {
			t.Errorf("parameter %d differs", i)
		}
	}
}
