package safetensors

import (
	"fmt"
	"testing"
)

func BenchmarkHeader(b *testing.B) {
	var entries []Entry
	for i := range 10_000 {
		entries = append(entries, Entry{Name: fmt.Sprintf("model.layers.%d.mlp.experts.%d.down_proj.weight", i/100, i%100), DType: BF16, Shape: []int{0, 4096}})
	}
	file, err := makeHeader(nil, entries)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := Parse("bench", file); err != nil {
			b.Fatal(err)
		}
	}
}
