package safetensors

import (
	"fmt"
	"testing"
)

// BenchmarkHeader parses a file of 10,000 tensors.
func BenchmarkHeader(b *testing.B) {
	var entries []Entry
	for i := range 10_000 {
		name := fmt.Sprintf("model.layers.%d.mlp.experts.%d.down_proj.weight", i/100, i%100)
		entries = append(entries, Entry{Name: name, DType: BF16, Shape: []int{0, 4096}})
	}
	file, err := makeHeader(nil, entries)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := Parse("x", file); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFloat32s(b *testing.B) {
	for _, d := range []DType{F32, BF16, F16} {
		b.Run(string(d), func(b *testing.B) {
			v := make([]float32, 1<<20)
			for i := range v {
				v[i] = float32(i) / 3
			}
			t := Tensor{DType: d, Shape: []int{len(v)}, Data: Encode(d, v)}
			b.SetBytes(int64(4 * len(v)))
			for b.Loop() {
				if err := t.Float32s(v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, d := range []DType{F32, BF16, F16} {
		b.Run(string(d), func(b *testing.B) {
			v := make([]float32, 1<<20)
			for i := range v {
				v[i] = float32(i) / 3
			}
			b.SetBytes(int64(4 * len(v)))
			for b.Loop() {
				Encode(d, v)
			}
		})
	}
}
