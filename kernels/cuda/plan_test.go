//go:build cuda

package cuda_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cuda"
	"github.com/seed-5afa5581/graft/kernels/cuda/driver"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/plan"
	"github.com/seed-5afa5581/graft/quant"
	"github.com/seed-5afa5581/graft/train"
)

// What training allocates on the emulated GPU is what the plan says, to the byte;
// how much of its pages an allocation leaves idle is known to a GPU alone.
func TestPlanIsWhatIsTaken(t *testing.T) {
	if os.Getenv("GRAFT_CUDA_DRIVER") == "" {
		t.Skip("needs the emulated driver, which has nothing in its memory but what is allocated")
	}
	if err := driver.Start(); err != nil {
		t.Skip(err)
	}
	for name, c := range map[string]struct {
		quantize *quant.Config
		lora     *lora.Config
		keep     bool
		tied     bool
	}{
		"qlora":               {quantize: &quant.Config{}, lora: &lora.Config{Rank: 4}},
		"plain scales, kept":  {quantize: &quant.Config{PlainScales: true}, lora: &lora.Config{Rank: 4, Dropout: 0.1}, keep: true},
		"lora of a tied head": {lora: &lora.Config{}, tied: true},
		"full":                {},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tiny.Dir(t, map[string]any{"tie_word_embeddings": c.tied, "hidden_size": 64, "intermediate_size": 192})
			j := plan.Job{LoRA: c.lora, MaxLen: 15, HeldOut: true, Train: train.Config{Steps: 1, Batch: 2, MicroTokens: 30, NoRecompute: c.keep}}
			j.Model, j.Storage = configured(t, dir)
			j.Storage.Linears = c.quantize

			dev, err := cuda.Open(cuda.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer dev.Close()
			before := inUse(t, dev)
			m, err := model.OpenWith(kernels.Checked(dev), dir, model.Options{Quantize: c.quantize})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if c.lora != nil {
				_, err = lora.Attach(m, *c.lora)
			} else {
				err = m.Unfreeze(func(string) bool { return true })
			}
			if err != nil {
				t.Fatal(err)
			}
			takes := learned(t, dev, m, j.Train) - before

			p, err := plan.New(j, plan.On(dev.Info()))
			if err != nil {
				t.Fatal(err)
			}
			planned := p.Total()
			for _, x := range p.Parts {
				if x.Name == "program" || x.Name == "ends of pages" {
					planned -= x.Bytes
				}
			}
			if takes != planned || takes == 0 {
				t.Errorf("planned %d bytes, training takes %d: %+v", planned, takes, p.Parts)
			}
			if (p.HostBytes > 0) == c.tied {
				t.Errorf("%d bytes stay on the host", p.HostBytes)
			}
		})
	}
}

func configured(t *testing.T, dir string) (model.Config, model.Storage) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := model.ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := model.ParseStorage(text)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// learned trains on samples of 15 tokens with an evaluation, and returns what of the
// GPU's memory is in use after that.
func learned(t *testing.T, dev *cuda.Device, m *model.Model, c train.Config) int64 {
	t.Helper()
	var set data.List
	for i := range 2 {
		ids := tiny.Tokens(15, uint64(i))
		set = append(set, data.Sample{Tokens: ids, Labels: ids})
	}
	run, err := train.New(m, set, c)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	for _, err := range run.Steps(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := run.Evaluate(context.Background(), set); err != nil {
		t.Fatal(err)
	}
	return inUse(t, dev)
}

func inUse(t *testing.T, dev *cuda.Device) int64 {
	t.Helper()
	n, err := dev.Used()
	if err != nil {
		t.Fatal(err)
	}
	return n
}
