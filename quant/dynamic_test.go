package quant_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/quant"
)

func TestDynamicMapAgainstBitsandbytes(t *testing.T) {
	f := openFile(t, "testdata/eight.safetensors")
	x, _ := floats(t, f, "x")
	absolute := make([]float32, len(x))
	for i, v := range x {
		absolute[i] = float32(math.Abs(float64(v)))
	}
	for _, c := range []struct {
		name string
		m    *quant.DynamicMap
		x    []float32
	}{{"signed", quant.Signed(), x}, {"unsigned", quant.Unsigned(), absolute}, {"mixed", quant.Unsigned(), x}} {
		table, _ := floats(t, f, c.name+".map")
		values := c.m.Values()
		same(t, c.name+".map", values[:], table)
		for _, workers := range []int{1, 3} {
			codes, scales := make([]uint8, len(x)), make([]float32, (len(x)+255)/256)
			if err := c.m.Quantize(codes, scales, c.x, workers); err != nil {
				t.Fatal(err)
			}
			absmax, _ := floats(t, f, c.name+".absmax")
			same(t, c.name+".codes", codes, bytesOf(t, f, c.name+".codes"))
			same(t, c.name+".absmax", scales, absmax)
			back, want := make([]float32, len(x)), []float32(nil)
			c.m.Dequantize(back, codes, scales)
			want, _ = floats(t, f, c.name+".dequant")
			same(t, c.name+".dequant", back, want)
		}
	}
}

// Behind a one, which sets the scale, come the grid's points, and the bounds
// between them. Their codes never fall, so their counts tell them all.
func TestDynamicMapOnTheGrid(t *testing.T) {
	f := openFile(t, "testdata/eight.safetensors")
	for name, m := range map[string]*quant.DynamicMap{"signed": quant.Signed(), "unsigned": quant.Unsigned()} {
		for part, shift := range map[string]float64{"points": 0, "bounds": 0.5} {
			counts, _ := floats(t, f, name+"."+part)
			got := make([]float32, 256)
			last := uint8(0)
			for i := range 65536 - int(2*shift) {
				x := []float32{1, float32((float64(i)+shift)/32767.5 - 1)}
				codes, scale := make([]uint8, 2), make([]float32, 1)
				if err := m.Quantize(codes, scale, x, 1); err != nil {
					t.Fatal(err)
				}
				if codes[1] < last {
					t.Fatalf("%s %s: code falls from %d to %d at %v", name, part, last, codes[1], x[1])
				}
				last = codes[1]
				got[last]++
			}
			same(t, name+"."+part, got, counts)
		}
	}
}

func TestDynamicMapRefuses(t *testing.T) {
	m := quant.Signed()
	x := make([]float32, 300)
	for _, c := range []struct {
		codes, scales int
		bad           float32
		want          string
	}{
		{299, 2, 0, "299 codes and 2 scales for 300 elements; want 300 and 2"},
		{300, 1, 0, "300 codes and 1 scales for 300 elements; want 300 and 2"},
		{300, 2, float32(math.NaN()), "elements 256 to 299: a NaN or an infinity"},
		{300, 2, float32(math.Inf(-1)), "elements 256 to 299: a NaN or an infinity"},
	} {
		x[256] = c.bad
		err := m.Quantize(make([]uint8, c.codes), make([]float32, c.scales), x, 0)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}
