//go:build cuda

package cuda_test

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/cuda"
	"github.com/seed-5afa5581/graft/kernels/cuda/driver"
	"github.com/seed-5afa5581/graft/kernels/kerneltest"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/qlora"
	"github.com/seed-5afa5581/graft/train"
)

// device returns the first GPU, or an emulated one.
func device(t *testing.T) kernels.Device {
	t.Helper()
	return kernels.Checked(gpu(t, 0))
}

// gpu returns a GPU by its number; where there is none it skips the test.
func gpu(t *testing.T, number int) *cuda.Device {
	t.Helper()
	if err := driver.Start(); err != nil {
		t.Skip(err)
	}
	d, err := cuda.Open(cuda.Config{GPU: number})
	if err != nil && number > 0 {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d
}

// samples are n random sequences of different lengths, the shortest first.
func samples(n, shortest int) (s data.List) {
	for i := range n {
		ids := tiny.Tokens(shortest+i*7%23, uint64(i))
		s = append(s, data.Sample{Tokens: ids, Labels: slices.Clone(ids)})
	}
	return s
}

// trained trains a new adapter of a 4-bit model and returns the loss of each step
// and the adapter's bytes.
func trained(t *testing.T, dev kernels.Device, dir string, set data.List, c train.Config) (losses []float64, adapter []byte) {
	t.Helper()
	m, a, err := qlora.Open(dev, dir, qlora.Config{Config: lora.Config{Rank: 4, Dropout: 0.1}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	run, err := train.New(m, set, c)
	if err != nil {
		t.Fatal(err)
	}
	for step, err := range run.Steps(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, step.Loss)
	}
	out := t.TempDir()
	if err := a.Save(out); err != nil {
		t.Fatal(err)
	}
	adapter, err = os.ReadFile(filepath.Join(out, "adapter_model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return losses, adapter
}

// The losses of a run follow those of the CPU in float32 as closely as bfloat16
// activations allow, which is how closely a CPU that rounds its activations does.
func TestTrainingFollowsTheCPU(t *testing.T) {
	dir, set, c := tiny.Dir(t, nil), samples(8, 5), train.Config{Steps: 10, Batch: 4, LR: 5e-3}
	if n, err := strconv.Atoi(os.Getenv("GRAFT_CUDA_STEPS")); err == nil {
		c.Steps, c.LR = n, 2e-3 // a rate at which rounding does not grow from step to step
	}
	got, _ := trained(t, device(t), dir, set, c)
	want, _ := trained(t, kernels.Checked(cpu.New(2)), dir, set, c)
	rounded, _ := trained(t, kernels.Checked(kerneltest.NewOpaque(cpu.New(2))), dir, set, c)
	if len(got) != c.Steps || slices.Equal(got, want) {
		t.Fatalf("losses %v, on the CPU %v", got, want)
	}
	const bound = 0.01 // of the loss
	for i := range want {
		if !(math.Abs(got[i]-want[i]) < bound*want[i]) || !(math.Abs(rounded[i]-want[i]) < bound*want[i]) {
			t.Errorf("step %d: loss %v, on the CPU %v, with rounded activations %v", i+1, got[i], want[i], rounded[i])
		}
	}
	if last := len(got) - 1; !(got[last] < 0.9*got[0]) {
		t.Errorf("the loss went from %v to %v", got[0], got[last])
	}
}

// The same run gives the same bytes, however its steps are split into batches.
// The widths are such that every shape of product for many rows and the tensor
// cores' attention take part, and which one does depends on the split. No sample is
// so short that alone it would be a product of few rows.
func TestTrainingIsReproducible(t *testing.T) {
	dir, dev := tiny.Dir(t, map[string]any{"hidden_size": 64, "intermediate_size": 128}), device(t)
	set, c := samples(8, 17), train.Config{Steps: 3, Batch: 4, LR: 1e-2}
	_, want := trained(t, dev, dir, set, c)
	for _, micro := range []int{0, 1, 50} {
		c.MicroTokens = micro
		if _, got := trained(t, dev, dir, set, c); !bytes.Equal(got, want) {
			t.Errorf("%d tokens at once: other bytes", micro)
		}
	}
}

// Warpgroups train to the same bytes as what they stand in for: the first GPU has
// none, the second has.
func TestWarpgroupsTrain(t *testing.T) {
	dir := tiny.Dir(t, map[string]any{"hidden_size": 64, "intermediate_size": 128})
	var adapters [2][]byte
	for i := range adapters {
		d := gpu(t, i)
		if d.Warpgroups() != (i == 1) {
			t.Skip("needs a GPU without warpgroups, and then one with them")
		}
		_, adapters[i] = trained(t, kernels.Checked(d), dir, samples(8, 17), train.Config{Steps: 2, Batch: 8, LR: 1e-2})
	}
	if !bytes.Equal(adapters[0], adapters[1]) {
		t.Error("other bytes")
	}
}

// Steps of one shape are started by graphs, and train as single launches do:
// dropout and the rate differ in each.
func TestTrainingByGraphs(t *testing.T) {
	dir, c := tiny.Dir(t, nil), train.Config{Steps: 6, Batch: 2, LR: 1e-2, Schedule: train.Cosine}
	var set data.List
	for i := range 4 {
		ids := tiny.Tokens(12, uint64(i))
		set = append(set, data.Sample{Tokens: ids, Labels: slices.Clone(ids)})
	}
	var losses [2][]float64
	var adapters [2][]byte
	var runs [2]int
	for i, config := range []cuda.Config{{}, {Blocking: true}} {
		if err := driver.Start(); err != nil {
			t.Skip(err)
		}
		d, err := cuda.Open(config)
		if err != nil {
			t.Fatal(err)
		}
		losses[i], adapters[i] = trained(t, kernels.Checked(d), dir, set, c)
		runs[i] = d.GraphRuns()
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(losses[0], losses[1]) || !bytes.Equal(adapters[0], adapters[1]) {
		t.Errorf("losses %v by graphs, %v by single launches", losses[0], losses[1])
	}
	if runs[0] < c.Steps || runs[1] != 0 {
		t.Errorf("%d graphs and %d", runs[0], runs[1])
	}
	t.Logf("%d graphs in %d steps", runs[0], c.Steps)
}

// Decoding with a cache gives what the whole sequence gives.
func TestGeneration(t *testing.T) {
	dir := tiny.Dir(t, nil)
	var texts [][]int32
	for _, dev := range []kernels.Device{device(t), kernels.Checked(cpu.New(1))} {
		m, err := model.Open(dev, dir)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		var ids []int32
		for token, err := range m.Generate(context.Background(), tiny.Tokens(5, 1), model.Generation{MaxTokens: 8, IgnoreEOS: true}) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, token.ID)
		}
		texts = append(texts, ids)
	}
	if !slices.Equal(texts[0], texts[1]) || len(texts[0]) == 0 {
		t.Errorf("generates %v, the CPU %v", texts[0], texts[1])
	}
}
