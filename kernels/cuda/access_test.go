//go:build cuda

package cuda

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// counted launches, at shapes that fit them, the kernels whose speed matters.
func counted() {
	d, err := Open(Config{})
	if err != nil {
		fmt.Println("Open:", err)
		return
	}
	arena := kernels.NewArena(d)
	x, y := arena.Activation(128, 256), arena.Activation(128, 256)
	for _, kind := range []quant.Type{quant.NF4, quant.Int8} {
		q, err := quant.Quantize(quant.Floats(make([]float32, 256*256)), []int{256, 256}, quant.Config{Type: kind})
		if err != nil {
			fmt.Println(err)
			return
		}
		w, err := d.NewMatrix(kernels.Weights{Rows: 256, Cols: 256, Format: kernels.QuantizedAs(kind), Quantized: q})
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, p := range []product{matMul, matMulInput} {
			for _, s := range []shape{p.eight, p.sixteen, p.square, p.wide} {
				if s.family != nil {
					d.multiply(s, y, x, w, 1, false)
				}
			}
		}
	}
	starts, ends := arena.Ints([]int32{0, 128}), arena.Ints([]int32{128})
	for _, width := range []int{64, 128} {
		h := kernels.AttentionShape{Heads: 256 / width, KVHeads: 256 / width, Width: width, Scale: 1, QStarts: starts, KStarts: starts.Slice(0, 1), KEnds: ends}
		lse := arena.Float32(128, h.Heads)
		d.Attention(y, lse, x, x, x, h)
		d.AttentionGrad(y, arena.Like(x), arena.Like(x), x, y, lse, x, x, x, h)
	}
	dense := kernels.Weights{Rows: 256, Cols: 256, Format: kernels.BF16, Data: stored(uniform(256*256, 1), kernels.BF16)}
	for _, c := range []quant.Config{{}, {Type: quant.Int8}} {
		if _, err := d.Quantize(dense, c); err != nil {
			fmt.Println(err)
			return
		}
	}
	stream, rstd, gain := arena.Float32(128, 256), arena.Float32(128, 1), arena.Float32(1, 256)
	d.RMSNorm(y, rstd, stream, gain, 1e-5)
	d.RMSNormGrad(stream, kernels.Tensor{}, y, stream, rstd, gain, kernels.Ints{}, true)
	d.SwiGLU(y, x, x)
	d.Copy(x, stream)
	d.AdamW(stream, arena.Like(stream), arena.Like(stream), stream, kernels.AdamW{Step: 1})
	fmt.Println("Sync:", d.Sync())
}

// limits are the most wavefronts of shared memory and sectors of global memory,
// beside the fewest possible, of each kernel. No bank is met twice, but by lanes
// that search the map for the code of a scale, each its own way. Sectors are
// moved twice where a thread's 32 bytes are two loads, which share them, and
// where a result leaves the tensor cores four bytes a lane, half a sector a row.
var limits = map[string][2]float64{
	"matmul_eight_quantised": {1, 1.6}, "matmul_sixteen_quantised": {1, 1.7}, "matmul_square_nf4": {1, 1.45}, "matmul_wide_nf4": {1, 1.45}, "matmul_square_input_nf4": {1, 1.45}, "matmul_wide_input_nf4": {1, 1.45},
	"matmul_eight_int8": {1, 1.6}, "matmul_sixteen_int8": {1, 1.7}, "matmul_square_int8": {1, 1.7}, "matmul_wide_int8": {1, 1.7}, "matmul_square_input_int8": {1, 1.7}, "matmul_wide_input_int8": {1, 1.7},
	"flash_64": {1, 1.35}, "flash_queries_64": {1, 1.35}, "flash_keys_64": {1, 1.35}, "flash_128": {1, 1.35}, "flash_queries_128": {1, 1.35}, "flash_keys_128": {1, 1.35},
	"quantise_blocks_bf16": {1, 1}, "quantise_rows_bf16": {1, 1.2}, "mean_of_scales": {1, 1}, "quantise_scales": {3.2, 1.75},
	"rms_norm": {1, 1.9}, "rms_norm_grad": {1, 1.9}, "swiglu": {1, 1}, "copy": {1, 1.7}, "adamw": {1, 2},
}

// Shared memory is used without conflicts of banks, and global memory in whole
// sectors, up to the limits.
func TestAccess(t *testing.T) {
	needsEmulator(t)
	if !strings.Contains(open(t, Config{}).Info().Detail, "checked") {
		t.Skip("needs an emulator that sees every access")
	}
	file := filepath.Join(t.TempDir(), "counts")
	wants(t, child(t, "counted", "GRAFT_EMULATOR_COUNT="+file), "Sync: <nil>\n")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	totals := map[string]*[4]float64{}
	for line := range strings.Lines(string(text)) {
		var name string
		var n [4]float64
		if _, err := fmt.Sscan(line, &name, &n[0], &n[1], &n[2], &n[3]); err != nil {
			t.Fatal(err)
		}
		if totals[name] == nil {
			totals[name] = new([4]float64)
		}
		for i, v := range n {
			totals[name][i] += v
		}
	}
	for name, limit := range limits {
		n := totals[name]
		if n == nil {
			t.Errorf("%s did not run", name)
			continue
		}
		t.Logf("%s: %.0f wavefronts of %.0f, %.0f sectors of %.0f", name, n[0], n[1], n[2], n[3])
		if n[0] > limit[0]*n[1] || n[2] > limit[1]*n[3] || n[3] == 0 {
			t.Errorf("%s: %.0f wavefronts of %.0f at the fewest, limit %g; %.0f sectors of %.0f, limit %g", name, n[0], n[1], limit[0], n[2], n[3], limit[1])
		}
	}
}
