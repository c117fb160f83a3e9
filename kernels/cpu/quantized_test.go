package cpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// Products with a quantised weight are, to the bit, those with the dense weight
// of its values, whatever way its blocks lie.
func TestQuantizedProducts(t *testing.T) {
	for _, set := range append(instructionSets(), nil) {
		for _, bf16 := range []bool{false, true} {
			if bf16 && (set == nil || set.tileBF16 == nil) {
				continue
			}
			base, name := kernels.F32, generic
			if bf16 {
				base = kernels.NF4
			}
			if set != nil {
				name = set.name
			}
			d := newDevice(Config{Workers: 2}, set).For(base).(*Device)
			for _, c := range []quant.Config{{}, {Type: quant.FP4, PlainScales: true}, {Block: 128}, {Block: 32}, {Type: quant.Int8}} {
				for _, s := range [][2]int{{128, 192}, {65, 128}, {192, 64}, {48, 640}, {300, 576}, {33, 80}, {49, 45}} {
					t.Run(fmt.Sprintf("%s %v %v %d %v", name, bf16, c.Type, c.Block, s), func(t *testing.T) { quantizedProduct(t, d, c, s[0], s[1]) })
				}
			}
		}
	}
}

func quantizedProduct(t *testing.T, d *Device, c quant.Config, out, in int) {
	values := make([]float32, out*in)
	random.New(1, random.Sample, uint64(out)).Normal(values, 1)
	q, err := quant.Quantize(quant.Floats(values), []int{out, in}, c)
	if err != nil {
		t.Fatal(err)
	}
	q.DequantizeAll(values, 1)
	format, bytes := kernels.F32, []byte(nil)
	for _, x := range values {
		if d.bf16 {
			format, bytes = kernels.BF16, binary.LittleEndian.AppendUint16(bytes, float16.ToBF16(x))
		} else {
			bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(x))
		}
	}
	w, _ := d.NewMatrix(kernels.Weights{Rows: out, Cols: in, Format: kernels.QuantizedAs(q.Type), Quantized: q})
	dense, _ := d.NewMatrix(kernels.Weights{Rows: out, Cols: in, Format: format, Data: bytes})
	const tokens = 37
	x, dy := benchTensor(d, tokens, in), benchTensor(d, tokens, out)
	for name, product := range map[string]func(w kernels.Matrix) kernels.Tensor{
		"forward": func(w kernels.Matrix) kernels.Tensor {
			y := benchTensor(d, tokens, out)
			d.MatMul(y, x, w, 1, false)
			return y
		},
		"backward": func(w kernels.Matrix) kernels.Tensor {
			dx := benchTensor(d, tokens, in)
			d.MatMulGradInput(dx, dy, w, 1, false)
			return dx
		},
	} {
		if !slices.Equal(data(product(w)), data(product(dense))) {
			t.Errorf("%s: other bits than with a dense weight", name)
		}
	}
}
