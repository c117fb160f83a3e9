package safetensors

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPython opens a file that scripts/safetensors-check/check.py had the reference
// implementation write: six elements of each type, 0 to 5, for reals a quarter
// of it less 0.5.
func TestPython(t *testing.T) {
	f, err := Open(filepath.Join("testdata", "python.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if want := map[string]string{"format": "pt", "quoted": "a \"b\"\né 😀"}; !maps.Equal(f.Metadata, want) {
		t.Errorf("metadata %q, want %q", f.Metadata, want)
	}
	types := []DType{F64, F32, F16, BF16, F8E4M3, F8E5M2, C64, I64, I32, I16, I8, U64, U32, U16, U8, Bool}
	if n := len(f.Names()); n != len(types)+2 {
		t.Errorf("%d tensors", n)
	}
	for _, d := range types {
		v, ok := f.Tensor(strings.ToLower(string(d)))
		if !ok || v.DType != d || !slices.Equal(v.Shape, []int{2, 3}) {
			t.Errorf("%s: %+v", d, v)
		}
		switch d {
		case F64, F32, F16, BF16:
			checkReals(t, v)
		case I64, I32, I16, I8, U64, U32, U16, U8:
			for i := range 6 {
				if b := v.Data[i*d.Bits()/8]; int(b) != i {
					t.Errorf("%s: element %d is %d", d, i, b)
				}
			}
		}
	}
	if s, _ := f.Tensor("scalar"); s.DType != F32 || len(s.Shape) != 0 || s.Len() != 1 {
		t.Errorf("scalar: %+v", s)
	}
	if e, _ := f.Tensor("empty"); !slices.Equal(e.Shape, []int{2, 0, 3}) || e.Len() != 0 {
		t.Errorf("empty: %+v", e)
	}
}

func checkReals(t *testing.T, v Tensor) {
	t.Helper()
	got := make([]float32, 6)
	if err := v.Float32s(got); err != nil {
		t.Error(err)
	}
	if want := []float32{-0.5, -0.25, 0, 0.25, 0.5, 0.75}; !slices.Equal(got, want) {
		t.Errorf("%s: %v", v.DType, got)
	}
}

// TestCorpus writes the specimens and files of our own into the directory that
// GRAFT_CORPUS names, for scripts/safetensors-check/check.py to read them with the
// reference implementation.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("GRAFT_CORPUS")
	if dir == "" {
		t.Skip("GRAFT_CORPUS names no directory")
	}
	type row struct {
		Name, File, Err string
		Taken           bool
	}
	var rows []row
	for _, s := range specimens {
		file := strings.ReplaceAll(s.name, " ", "-") + ".safetensors"
		put(t, filepath.Join(dir, file), s.file)
		rows = append(rows, row{s.name, file, s.err, s.taken})
	}
	putJSON(t, filepath.Join(dir, "specimens.json"), rows)

	path := filepath.Join(dir, "written.safetensors")
	if err := Write(path, nil, everyType()); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "sharded"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := WriteSharded(filepath.Join(dir, "sharded"), 30, nil, everyType()); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	putJSON(t, filepath.Join(dir, "written.json"), f.tensors)
}

// everyType returns entries of every type that PyTorch has too, in an order
// that Write changes.
func everyType() []Entry {
	entries := []Entry{
		entry("scalar", U8, nil, 1), entry("empty", F32, []int{4, 0}, 0), entry("вес \"\n", I8, []int{3}, 3),
		Float32Entry("reals.F32", F32, []int{3}, []float32{1, -2.5, 1e-20}),
		Float32Entry("reals.BF16", BF16, []int{3}, []float32{1, -2.5, 1e-20}),
		Float32Entry("reals.F16", F16, []int{3}, []float32{1, -2.5, 1e-20}),
	}
	for _, d := range slices.Sorted(maps.Keys(bits)) {
		if d != F4 && d != F6E2M3 && d != F6E3M2 {
			entries = append(entries, entry("type."+string(d), d, []int{2, 1}, 2*d.Bits()/8))
		}
	}
	return entries
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
}

func putJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	put(t, path, text)
}
