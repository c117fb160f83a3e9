package quant_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/model/safetensors"
	"github.com/seed-5afa5581/graft/quant"
)

// goldenRoot is where the reference values are: GRAFT_GOLDEN, relative to the
// module's root, or testdata.
func goldenRoot() string {
	dir := os.Getenv("GRAFT_GOLDEN")
	if dir == "" {
		return "testdata"
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", dir)
	}
	return dir
}

var goldenFolder = regexp.MustCompile(`^quant(_s\d+)?$`)

func TestGolden(t *testing.T) {
	entries, err := os.ReadDir(goldenRoot())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, e := range entries {
		if goldenFolder.MatchString(e.Name()) {
			found = true
			t.Run(e.Name(), func(t *testing.T) { openGolden(t, filepath.Join(goldenRoot(), e.Name())).run(t) })
		}
	}
	if !found && os.Getenv("GRAFT_GOLDEN") == "" {
		t.Fatal("testdata/quant is missing")
	}
	if !found {
		t.Skipf("%s: no folder quant or quant_sSEED", goldenRoot())
	}
}

// A golden is a folder of tensors as bitsandbytes quantised them: NAME, and for
// each variant NAME.TYPE.sq|dq.BLOCK its packed, dequant and scales.
type golden struct {
	file *safetensors.File
	meta map[string]struct {
		Offset float32
		Block  int `json:"nested_blocksize"`
	}
}

func openGolden(t *testing.T, dir string) *golden {
	t.Helper()
	g := &golden{file: openFile(t, filepath.Join(dir, "quant.safetensors"))}
	data, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g.meta); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *golden) run(t *testing.T) {
	variants := 0
	for _, name := range g.file.Names() {
		key, ok := strings.CutSuffix(name, ".packed")
		if !ok {
			continue
		}
		variants++
		for _, workers := range []int{1, 3} {
			g.compare(t, key, workers)
		}
	}
	if variants < 8 || len(g.meta)*2 != variants {
		t.Errorf("%d variants, %d of them with offsets; want half of at least 8", variants, len(g.meta))
	}
}

// compare quantises the tensor of a variant, and dequantises it from the file's
// scales.
func (g *golden) compare(t *testing.T, key string, workers int) {
	t.Helper()
	part := strings.Split(key, ".")
	x, shape := floats(t, g.file, part[0])
	kind, err := quant.ParseType(part[1])
	if err != nil {
		t.Fatal(err)
	}
	double := part[2] == "dq"
	config := quant.Config{Type: kind, PlainScales: !double, Workers: workers}
	if _, err := fmt.Sscan(part[3], &config.Block); err != nil {
		t.Fatal(err)
	}
	got, err := quant.Quantize(quant.Floats(x), shape, config)
	if err != nil {
		t.Fatal(err)
	}
	same(t, key+".packed", got.Packed, bytesOf(t, g.file, key+".packed"))
	if double {
		got.Scales = g.compareScales(t, key, x, config, got.Scales.Offset)
	} else {
		absmax, _ := floats(t, g.file, key+".absmax")
		same(t, key+".absmax", got.Scales.Plain, absmax)
	}
	g.compareValues(t, key, got, workers)
}

// compareScales quantises the scales of x less the recorded offset, and returns
// the file's. PyTorch's mean may differ by an ulp or two between processors.
func (g *golden) compareScales(t *testing.T, key string, x []float32, c quant.Config, offset float32) quant.Scales {
	t.Helper()
	meta, ok := g.meta[key]
	if !ok || meta.Block != quant.DynamicBlock {
		t.Fatalf("%s: offset missing, or blocks of %d", key, meta.Block)
	}
	if d := int32(math.Float32bits(offset)) - int32(math.Float32bits(meta.Offset)); d < -2 || d > 2 {
		t.Errorf("%s: offset %v, want %v", key, offset, meta.Offset)
	}
	c.PlainScales = true
	plain, err := quant.Quantize(quant.Floats(x), []int{len(x)}, c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := quant.QuantizeAround(plain.Scales.Plain, meta.Offset, c.Workers)
	if err != nil {
		t.Fatal(err)
	}
	table, _ := floats(t, g.file, key+".nested_map")
	nested, _ := floats(t, g.file, key+".nested_absmax")
	codes := bytesOf(t, g.file, key+".absmax_u8")
	same(t, key+".nested_map", got.Map[:], table)
	same(t, key+".nested_absmax", got.Nested, nested)
	same(t, key+".absmax_u8", got.Codes, codes)
	file := quant.Scales{Codes: codes, Map: (*[256]float32)(table), Nested: nested, Offset: meta.Offset}
	compareExpanded(t, key, &file)
	return file
}

func compareExpanded(t *testing.T, key string, s *quant.Scales) {
	t.Helper()
	got, want := make([]float32, s.Len()), make([]float32, s.Len())
	s.Expand(got[:1], 0)
	s.Expand(got[1:], 1)
	for i, c := range s.Codes {
		product := float32(s.Map[c] * s.Nested[i/quant.DynamicBlock])
		want[i] = product + s.Offset
	}
	same(t, key+" scales", got, want)
}

// compareValues dequantises the whole tensor and parts of it.
func (g *golden) compareValues(t *testing.T, key string, q *quant.Tensor, workers int) {
	t.Helper()
	want, _ := floats(t, g.file, key+".dequant")
	got, n := make([]float32, len(want)), len(want)
	q.DequantizeAll(got, workers)
	same(t, key+".dequant", got, want)
	for _, span := range [][2]int{{1, 2}, {63, 64}, {31, 33}, {17, n}, {n / 3, n - 1}, {n - 1, n}} {
		part := got[:span[1]-span[0]]
		q.Dequantize(part, span[0])
		same(t, fmt.Sprint(key, span), part, want[span[0]:span[1]])
	}
}

func openFile(t testing.TB, path string) *safetensors.File {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func floats(t *testing.T, f *safetensors.File, name string) ([]float32, []int) {
	t.Helper()
	x, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("tensor %s is missing", name)
	}
	v := make([]float32, x.Len())
	if err := x.Float32s(v); err != nil {
		t.Fatal(err)
	}
	return v, x.Shape
}

func bytesOf(t *testing.T, f *safetensors.File, name string) []uint8 {
	t.Helper()
	x, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("tensor %s is missing", name)
	}
	return x.Data
}

// same reports the first difference. Floats are compared bit by bit.
func same[E float32 | uint8 | uint16 | int8](t *testing.T, name string, got, want []E) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%s: %d elements, want %d, and some", name, len(got), len(want))
		return
	}
	for i := range got {
		if math.Float64bits(float64(got[i])) != math.Float64bits(float64(want[i])) {
			t.Errorf("%s[%d] = %v, want %v", name, i, got[i], want[i])
			return
		}
	}
}
