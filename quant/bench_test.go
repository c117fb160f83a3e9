package quant_test

import (
	"fmt"
	"testing"

	"github.com/seed-5afa5581/graft/quant"
)

const benchElements = 1 << 22

// perElement adds the time of an element to a benchmark's figures.
func perElement(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/weight")
}

func BenchmarkQuantize(b *testing.B) {
	for _, kind := range []quant.Type{quant.NF4, quant.FP4} {
		for _, d := range []quant.DType{quant.Float32, quant.Float16, quant.BFloat16} {
			data, _ := encoded(normal(benchElements), d)
			for _, workers := range []int{1, 2} {
				b.Run(fmt.Sprintf("%v/%v/workers=%d", kind, d, workers), func(b *testing.B) {
					for b.Loop() {
						mustQuantize(b, quant.Bytes(data, d), []int{benchElements}, quant.Config{Type: kind, Workers: workers})
					}
					perElement(b, benchElements)
				})
			}
		}
	}
}

func BenchmarkDequantize(b *testing.B) {
	const row = 4096
	q := mustQuantize(b, quant.Floats(normal(benchElements)), []int{benchElements / row, row}, quant.Config{})
	b.Run("float32/row", func(b *testing.B) {
		dst := make([]float32, row)
		for i := 0; b.Loop(); i = (i + row) % benchElements {
			q.Dequantize(dst, i)
		}
		perElement(b, row)
	})
	b.Run("bfloat16/row", func(b *testing.B) {
		dst := make([]uint16, row)
		for i := 0; b.Loop(); i = (i + row) % benchElements {
			q.DequantizeBF16(dst, i)
		}
		perElement(b, row)
	})
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("all/workers=%d", workers), func(b *testing.B) {
			dst := make([]float32, benchElements)
			for b.Loop() {
				q.DequantizeAll(dst, workers)
			}
			perElement(b, benchElements)
		})
	}
}

func BenchmarkDynamicMap(b *testing.B) {
	x := normal(benchElements)
	codes, scales := make([]uint8, len(x)), make([]float32, len(x)/quant.DynamicBlock)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("quantize/workers=%d", workers), func(b *testing.B) {
			for b.Loop() {
				if err := quant.Signed().Quantize(codes, scales, x, workers); err != nil {
					b.Fatal(err)
				}
			}
			perElement(b, len(x))
		})
	}
	b.Run("dequantize", func(b *testing.B) {
		for b.Loop() {
			quant.Signed().Dequantize(x, codes, scales)
		}
		perElement(b, len(x))
	})
}
