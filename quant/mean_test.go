package quant_test

import (
	"encoding/json"
	"os"
	"strconv"
	"testing"

	"github.com/seed-5afa5581/graft/quant"
)

// The recorded means are PyTorch's, of the first n of the numbers below.
func TestMean(t *testing.T) {
	data, err := os.ReadFile("testdata/mean.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]float32
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if len(want) < 300 {
		t.Fatalf("only %d means", len(want))
	}
	x := make([]float32, 1<<20)
	for i := range x {
		x[i] = float32(uint32(i*2654435761)>>8) / (1 << 24)
	}
	for length, mean := range want {
		n, err := strconv.Atoi(length)
		if err != nil {
			t.Fatal(err)
		}
		if got := quant.Mean(x[:n]); got != mean {
			t.Errorf("mean of %d numbers is %v, want %v", n, got, mean)
		}
	}
}
