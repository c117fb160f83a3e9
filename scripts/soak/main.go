// Soak runs many steps of a small model, with evaluations and snapshots, and
// fails if the process has grown after the first hundredth of them or leaves
// goroutines behind.
//
//	soak -model DIR [-steps 20000]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"time"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/internal/memory"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/train"
)

var (
	dir   = flag.String("model", "", "directory of the model")
	steps = flag.Int("steps", 20000, "to run")
)

// growth is how many bytes the process may grow by: what a heap's pages, and the
// collector's own memory, come and go by.
const growth = 8 << 20

func main() {
	log.SetFlags(0)
	log.SetPrefix("soak: ")
	flag.Parse()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	goroutines := runtime.NumGoroutine()
	early, late, err := soak()
	if err != nil {
		return err
	}
	time.Sleep(10 * time.Millisecond) // helpers of the last operation go
	left := runtime.NumGoroutine() - goroutines
	fmt.Printf("%d steps: %.1f MB resident after %d, %.1f MB at the end; %d goroutines left behind\n", *steps, float64(early)/1e6, *steps/100, float64(late)/1e6, left)
	switch {
	case late-early > growth:
		return fmt.Errorf("the process grew by %d bytes", late-early)
	case left > 0:
		return fmt.Errorf("%d goroutines are left behind", left)
	}
	return nil
}

// soak returns the resident bytes after a hundredth of the steps and at the end.
func soak() (early, late int64, err error) {
	dev, err := kernels.Open("")
	if err != nil {
		return 0, 0, err
	}
	defer dev.Close()
	m, err := model.Open(dev, *dir)
	if err != nil {
		return 0, 0, err
	}
	defer m.Close()
	if _, err := lora.Attach(m, lora.Config{Rank: 4, Dropout: 0.1}); err != nil {
		return 0, 0, err
	}
	set, err := data.Parse("soak.txt", []byte("Once upon a time there was a bird that flew for a very long time."), m.Tokenizer, data.Config{MaxLen: 24})
	if err != nil {
		return 0, 0, err
	}
	job, err := train.New(m, set, train.Config{Steps: *steps, Batch: 1})
	if err != nil {
		return 0, 0, err
	}
	defer job.Close()
	snapshots, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(snapshots)
	every := max(1, *steps/100)
	care := train.Care{Snapshots: &train.Snapshots{Dir: snapshots}, SaveEvery: every, HeldOut: set, EvaluateEvery: every}
	for e, err := range job.Events(context.Background(), care) {
		if err != nil {
			return 0, 0, err
		}
		if saved, ok := e.(train.Saved); ok && saved.Err != nil {
			return 0, 0, saved.Err
		}
		if s, ok := e.(train.Step); ok && s.N == every+1 {
			early = s.Memory
		}
	}
	return early, memory.Resident(), nil
}
