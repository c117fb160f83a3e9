//go:build cuda

package cuda

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/float16"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
)

// difficult returns n weights, some of them special: blocks and rows of zeros, of
// zeros with a sign, so small that a scale or its inverse is none that divides, and
// values that lie between two codes of a 4-bit type, just below and just above.
func difficult(n int, t quant.Type) []float32 {
	v := uniform(n, 11)
	fill := func(from, to int, x float32) {
		for i := min(from, n); i < min(to, n); i++ {
			v[i] = x * float32(1+i%3)
		}
	}
	fill(4096, 4200, 0)
	fill(4200, 8192, float32(math.Copysign(0, -1)))
	fill(8192, 12288, 3e-40)
	fill(12288, 12320, 1e-36)
	if t == quant.Int8 {
		return v
	}
	values := t.Values()
	slices.Sort(values[:])
	for i := range len(values) - 1 {
		middle := (values[i] + values[i+1]) / 2
		for j, x := range []float32{1, middle, math.Nextafter32(middle, -2), math.Nextafter32(middle, 2)} {
			if at := 16384 + 32*i + j; at < n {
				v[at] = x
			}
		}
	}
	return v
}

// stored returns v as a checkpoint has it.
func stored(v []float32, f kernels.Format) (b []byte) {
	for _, x := range v {
		switch f {
		case kernels.F32:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		case kernels.BF16:
			b = binary.LittleEndian.AppendUint16(b, float16.ToBF16(x))
		default:
			b = binary.LittleEndian.AppendUint16(b, float16.ToHalf(x))
		}
	}
	return b
}

// elements names the formats that are quantised.
var elements = map[kernels.Format]quant.DType{kernels.F32: quant.Float32, kernels.BF16: quant.BFloat16, kernels.F16: quant.Float16}

// exactly returns the bytes in use of the emulated GPU; another's driver packs what
// is small.
func exactly(t *testing.T, d *Device) int {
	if os.Getenv("GRAFT_CUDA_DRIVER") == "" {
		return 0
	}
	return used(t, d)
}

// sameTensor compares by bits: of zeros the sign counts too.
func sameTensor(t *testing.T, label string, got, want *quant.Tensor) {
	t.Helper()
	floats := func(name string, got, want []float32) {
		if !slices.Equal(bytesOf(got), bytesOf(want)) {
			t.Errorf("%s: %s differ: %v, want %v", label, name, got[:min(4, len(got))], want[:min(4, len(want))])
		}
	}
	if !slices.Equal(got.Packed, want.Packed) {
		t.Errorf("%s: codes differ", label)
	}
	if !slices.Equal(got.Scales.Codes, want.Scales.Codes) {
		t.Errorf("%s: codes of scales differ", label)
	}
	floats("scales", got.Scales.Plain, want.Scales.Plain)
	floats("scales of scales", got.Scales.Nested, want.Scales.Nested)
	floats("offsets", []float32{got.Scales.Offset}, []float32{want.Scales.Offset})
	if got.Type != want.Type || got.Block != want.Block || !slices.Equal(got.Shape, want.Shape) || !reflect.DeepEqual(got.Config(), want.Config()) {
		t.Errorf("%s: %v in blocks of %d, shape %v", label, got.Type, got.Block, got.Shape)
	}
}

// configs are all types, both kinds of scales and every size of a block.
func configs() (all []quant.Config) {
	for block := 32; block <= 4096; block *= 2 {
		all = append(all, quant.Config{Block: block}, quant.Config{Type: quant.FP4, Block: block, PlainScales: true})
	}
	return append(all, quant.Config{PlainScales: true}, quant.Config{Type: quant.FP4}, quant.Config{Type: quant.Int8})
}

// What the GPU quantises has the bits of package quant, in pieces too, and is the
// matrix that those make.
func TestQuantizeAgrees(t *testing.T) {
	d := open(t, Config{Blocking: true})
	for i, c := range configs() {
		for j, s := range [][2]int{{75, 250}, {13, 37}, {1, 1}, {4, 4096}} {
			format := []kernels.Format{kernels.F32, kernels.BF16, kernels.F16}[(i+j)%3]
			if s[0] == 75 && (c.Type == quant.Int8 || c.Block == 32) {
				for f := range elements {
					d.quantizeBoth(t, s, f, c)
				}
				continue
			}
			d.quantizeBoth(t, s, format, c)
		}
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
}

func (d *Device) quantizeBoth(t *testing.T, s [2]int, format kernels.Format, c quant.Config) {
	t.Helper()
	label := fmt.Sprintf("%dx%d of %v, %+v", s[0], s[1], format, c)
	w := kernels.Weights{Rows: s[0], Cols: s[1], Format: format, Data: stored(difficult(s[0]*s[1], c.Type), format)}
	want, err := quant.Quantize(quant.Bytes(w.Data, elements[format]), s[:], c)
	if err != nil {
		t.Fatal(err)
	}
	before := exactly(t, d)
	m, err := d.quantize(w, c, 1<<14)
	if err != nil {
		t.Fatalf("%s: %v", label, err)
	}
	defer d.Free(m.Mem)
	takes := exactly(t, d) - before
	got, err := d.Quantized(m)
	if err != nil {
		t.Fatal(err)
	}
	sameTensor(t, label, got, want)

	before = exactly(t, d)
	uploaded, err := d.NewMatrix(kernels.Weights{Rows: s[0], Cols: s[1], Format: m.Format, Quantized: want})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Free(uploaded.Mem)
	if n := exactly(t, d) - before; takes != n {
		t.Errorf("%s: %d bytes are taken, by NewMatrix %d", label, takes, n)
	}
	if !slices.Equal(d.expanded(t, m), d.expanded(t, uploaded)) {
		t.Errorf("%s: the matrix has other elements", label)
	}
}

// expanded returns the bits of what a matrix stands for.
func (d *Device) expanded(t *testing.T, m kernels.Matrix) []byte {
	x := placed(t, d, kernels.Float32, m.Rows, m.Cols, 0, make([]float32, m.Rows*m.Cols))
	d.Expand(x, m, 0)
	return bytesOf(contents(d, x))
}

// The mean of scales is package quant's, whatever their number: in one chunk, in
// all levels, and with vectors and elements that fill none.
func TestMeanOfScales(t *testing.T) {
	d := open(t, Config{})
	numbers := []int{1, 3, 4, 7, 8, 9, 31, 32, 100, 513, 16*32*17 + 45, 16*16*32*2 + 16*32*3 + 77}
	if !strings.Contains(d.Info().Detail, "checked") {
		numbers = append(numbers, 1<<25+16*32*5+77) // levels of 32 rows
	}
	for _, n := range numbers {
		v := uniform(n, 5)
		for i := range v {
			v[i] = max(v[i], -v[i])
		}
		x := placed(t, d, kernels.Float32, 1, n, 0, v)
		mean := placed(t, d, kernels.Float32, 1, 1, 0, []float32{0})
		d.meanOf(address(mean), address(x), n)
		want, err := quant.QuantizeScales(v, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := contents(d, mean)[0]; got != want.Offset {
			t.Errorf("%d scales: mean %v, want %v", n, got, want.Offset)
		}
	}
}

// What cannot be quantised gets package quant's error, and leaves nothing behind.
func TestQuantizeRefuses(t *testing.T) {
	d := open(t, Config{})
	for _, c := range []quant.Config{{}, {PlainScales: true}, {Type: quant.Int8}, {Block: 48}} {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1)), 3e38} {
			for _, at := range []int{5, 9*70 - 1} { // of a full block and of a short one
				v := uniform(9*70, 1)
				v[at] = bad
				w := kernels.Weights{Rows: 9, Cols: 70, Format: kernels.F32, Data: stored(v, kernels.F32)}
				_, want := quant.Quantize(quant.Floats(v), []int{9, 70}, c)
				before := exactly(t, d)
				m, tensor, err := kernels.Quantize(kernels.Checked(d), w, c)
				if fmt.Sprint(err) != fmt.Sprint(want) || tensor != nil {
					t.Errorf("%+v, %v at %d: error %v, want %v", c, bad, at, err, want)
				}
				if err == nil {
					d.Free(m.Mem)
				} else if _, err := d.Quantize(w, c); !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("%+v, %v at %d: error %v of the device", c, bad, at, err)
				}
				if n := exactly(t, d) - before; n != 0 {
					t.Errorf("%+v, %v at %d: %d bytes are left", c, bad, at, n)
				}
			}
		}
	}
}
