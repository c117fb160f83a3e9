package cpu

import (
	"fmt"
	"testing"

	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// The shapes of SmolLM2-135M and TinyLlama-1.1B: out and in.
var benchShapes = [][2]int{{576, 576}, {192, 576}, {1536, 576}, {576, 1536}, {16, 576}, {576, 16}, {2048, 2048}, {5632, 2048}, {2048, 5632}}

func benchTensor(d *Device, rows, cols int) kernels.Tensor {
	mem, _ := d.Alloc(kernels.Float32, rows*cols)
	t := kernels.Tensor{Rows: rows, Cols: cols, Kind: kernels.Float32, Mem: mem}
	random.New(1, random.Sample, uint64(rows)).Normal(data(t), 1)
	return t
}

// BenchmarkFormats reports GFLOP/s of the two products of 512 tokens with a weight
// that is expanded while it is packed.
func BenchmarkFormats(b *testing.B) {
	const tokens, out, in = 512, 1536, 576
	d := New(0).For(kernels.BF16).(*Device)
	x, y := benchTensor(d, tokens, in), benchTensor(d, tokens, out)
	for _, format := range []kernels.Format{kernels.BF16, kernels.NF4, kernels.Int8} {
		w := benchMatrix(b, d, format, out, in)
		for name, product := range map[string]func(){
			"NT": func() { d.MatMul(y, x, w, 1, false) },
			"NN": func() { d.MatMulGradInput(x, y, w, 1, false) },
		} {
			b.Run(fmt.Sprintf("%v/%s", format, name), func(b *testing.B) {
				for b.Loop() {
					product()
				}
				b.ReportMetric(2*tokens*out*in*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

// BenchmarkProducts reports GFLOP/s of the three products of 512 tokens.
func BenchmarkProducts(b *testing.B) {
	const tokens = 512
	base := New(0)
	for _, format := range []kernels.Format{kernels.F32, kernels.BF16} {
		d := base.For(format).(*Device)
		for _, s := range benchShapes {
			out, in := s[0], s[1]
			x, y, dw := benchTensor(d, tokens, in), benchTensor(d, tokens, out), benchTensor(d, out, in)
			w, err := d.NewMatrix(kernels.Weights{Rows: out, Cols: in, Format: format, Data: make([]byte, format.Bytes(out*in))})
			if err != nil {
				b.Fatal(err)
			}
			folds := kernels.Ints{Host: []int32{0, 256}}
			for name, product := range map[string]func(){
				"NT": func() { d.MatMul(y, x, w, 1, false) },
				"NN": func() { d.MatMulGradInput(x, y, w, 1, false) },
				"TN": func() { d.MatMulGradWeight(dw, y, x, 1, folds) },
			} {
				b.Run(fmt.Sprintf("%v/%s/%dx%d", format, name, out, in), func(b *testing.B) {
					for b.Loop() {
						product()
					}
					b.ReportMetric(2*float64(tokens)*float64(out)*float64(in)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}

// BenchmarkToken reports how many weights a second the product of one token takes,
// going round more of them than a core's caches hold.
func BenchmarkToken(b *testing.B) {
	const weights = 1 << 26
	base := New(0)
	for _, format := range []kernels.Format{kernels.BF16, kernels.NF4, kernels.Int8} {
		d := base.For(format).(*Device)
		for _, s := range [][2]int{{576, 576}, {1536, 576}, {576, 1536}, {5632, 2048}, {2048, 5632}} {
			out, in := s[0], s[1]
			all := make([]kernels.Matrix, weights/(out*in))
			for i := range all {
				all[i] = benchMatrix(b, d, format, out, in)
			}
			b.Run(fmt.Sprintf("%v/%dx%d", format, out, in), func(b *testing.B) {
				x, y := benchTensor(d, 1, in), benchTensor(d, 1, out)
				for i := 0; b.Loop(); i++ {
					d.MatMul(y, x, all[i%len(all)], 1, false)
				}
				b.ReportMetric(float64(out)*float64(in)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gweights/s")
			})
		}
	}
}

func benchMatrix(b *testing.B, d *Device, format kernels.Format, out, in int) kernels.Matrix {
	b.Helper()
	w := kernels.Weights{Rows: out, Cols: in, Format: format}
	switch {
	case format == kernels.Int8:
		w.Quantized = &quant.Tensor{
			Type: quant.Int8, Block: in, Shape: []int{out, in}, Packed: make([]byte, out*in), Scales: quant.Scales{Plain: make([]float32, out)},
		}
	case format.Quantized():
		table, blocks := quant.Signed().Values(), out*in/codeBlock
		w.Quantized = &quant.Tensor{
			Block: codeBlock, Shape: []int{out, in}, Packed: make([]byte, out*in/2),
			Scales: quant.Scales{Codes: make([]byte, blocks), Map: &table, Nested: make([]float32, ceil(blocks, quant.DynamicBlock))},
		}
	default:
		w.Data = make([]byte, format.Bytes(out*in))
	}
	m, err := d.NewMatrix(w)
	if err != nil {
		b.Fatal(err)
	}
	return m
}
