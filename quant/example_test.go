package quant_test

import (
	"fmt"
	"log"

	"github.com/seed-5afa5581/graft/quant"
)

// A matrix of 2 x 96 becomes three blocks of 64 codes; its second row is read back.
func Example() {
	weights := make([]float32, 2*96)
	for i := range weights {
		weights[i] = float32(i%7-3) / 30
	}
	t, err := quant.Quantize(quant.Floats(weights), []int{2, 96}, quant.Config{PlainScales: true})
	if err != nil {
		log.Fatal(err)
	}
	row := make([]float32, 96)
	t.Dequantize(row, 1*96)
	fmt.Printf("%v: %d bytes of codes, scales %.2f\n", t.Type, len(t.Packed), t.Scales.Plain)
	fmt.Printf("%+.3f\n%+.3f\n", weights[96:101], row[:5])
	// Output:
	// nf4: 96 bytes of codes, scales [0.10 0.10 0.10]
	// [+0.067 +0.100 -0.100 -0.067 -0.033]
	// [+0.072 +0.100 -0.100 -0.070 -0.028]
}
