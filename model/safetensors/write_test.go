package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// entry returns an Entry of n bytes that count up.
func entry(name string, d DType, shape []int, n int) Entry {
	return Entry{name, d, shape, func(w io.Writer) error {
		for i := range n {
			if _, err := w.Write([]byte{byte(i)}); err != nil {
				return err
			}
		}
		return nil
	}}
}

func copyOf(t Tensor) Entry {
	return Entry{t.Name, t.DType, t.Shape, func(w io.Writer) error {
		_, err := w.Write(t.Data)
		return err
	}}
}

// written writes a file and reads it into memory.
func written(t *testing.T, metadata map[string]string, entries []Entry) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := Write(path, metadata, entries); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(path, data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func sameTensor(t *testing.T, got, want Tensor) {
	t.Helper()
	if got.Name != want.Name || got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestWrite(t *testing.T) {
	f := written(t, nil, []Entry{
		entry("odd", U8, []int{3}, 3),
		Float32Entry("weights", F32, []int{2, 1}, []float32{1.5, -0.25}),
		entry("вес \"<\\>\n", F16, []int{1}, 2),
		entry("scalar", F64, nil, 8),
		entry("empty", BF16, []int{0, 7}, 0),
		entry("second", F16, []int{2}, 4),
	})
	if !maps.Equal(f.Metadata, map[string]string{"format": "pt"}) {
		t.Errorf("metadata %v", f.Metadata)
	}
	// Larger types first, those of one size as given, but empty ones before what
	// begins at the same byte.
	if want := []string{"scalar", "weights", "вес \"<\\>\n", "empty", "second", "odd"}; !slices.Equal(f.Names(), want) {
		t.Errorf("names %q, want %q", f.Names(), want)
	}
	if w, _ := f.Tensor("weights"); !bytes.Equal(w.Data, []byte{0, 0, 0xc0, 0x3f, 0, 0, 0x80, 0xbe}) {
		t.Errorf("weights are % x", w.Data)
	}
	if s, _ := f.Tensor("scalar"); s.Shape == nil || len(s.Shape) != 0 || !bytes.Equal(s.Data, []byte{0, 1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("scalar is %+v", s)
	}
}

// TestAlignment checks that the data begins at a multiple of 8 for headers of
// every length, and every tensor at a multiple of its elements' size.
func TestAlignment(t *testing.T) {
	for n := range 9 {
		entries := []Entry{entry(strings.Repeat("n", n), U8, []int{1}, 1), entry("other", F32, nil, 4), entry("wide", I64, nil, 8)}
		header, err := makeHeader(map[string]string{}, aligned(entries))
		if err != nil {
			t.Fatal(err)
		}
		if len(header)%8 != 0 || binary.LittleEndian.Uint64(header) != uint64(len(header)-8) || header[8] != '{' {
			t.Errorf("name of %d bytes: header of %d", n, len(header))
		}
		f, err := Parse("x", append(header, make([]byte, 13)...))
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"wide", "other", strings.Repeat("n", n)}; !slices.Equal(f.Names(), want) {
			t.Errorf("names %q, want %q", f.Names(), want)
		}
	}
}

func TestWriteKeepsMetadata(t *testing.T) {
	want := map[string]string{"a": "\u2028<\x01\"", "": "empty"}
	if f := written(t, want, nil); !maps.Equal(f.Metadata, want) {
		t.Errorf("metadata %q, want %q", f.Metadata, want)
	}
	if f := written(t, map[string]string{}, nil); f.Metadata == nil || len(f.Metadata) != 0 {
		t.Errorf("metadata %v, want none", f.Metadata)
	}
}

var errDisk = errors.New("disk on fire")

// refusals are what Write and WriteSharded refuse.
var refusals = []struct {
	name     string
	entries  []Entry
	metadata map[string]string
	err      string
}{
	{"too few bytes", []Entry{entry("a", F32, []int{2}, 7)}, nil, `tensor "a": 7 bytes written of 8`},
	{"too many bytes", []Entry{entry("a", F32, []int{2}, 9)}, nil, `tensor "a": more bytes written than its type and shape say`},
	{"error on the way", []Entry{entry("a", U8, nil, 1), {"b", U8, []int{2}, func(w io.Writer) error {
		w.Write([]byte{1})
		return errDisk
	}}}, nil, `tensor "b": disk on fire`},
	{"two of a name", []Entry{entry("a", U8, nil, 1), entry("b", U8, nil, 1), entry("a", F32, nil, 4)}, nil, `two tensors are named "a"`},
	{"the metadata's name", []Entry{entry("__metadata__", U8, nil, 1)}, nil, `tensor "__metadata__": not a name that the format allows`},
	{"name not UTF-8", []Entry{entry("\xff", U8, nil, 1)}, nil, `tensor "\xff": not a name that the format allows`},
	{"metadata not UTF-8", nil, map[string]string{"k": "\xff"}, `metadata "k": "\xff" is not UTF-8`},
	{"unknown type", []Entry{entry("a", "F128", nil, 16)}, nil, `tensor "a": unknown type "F128"`},
	{"no type", []Entry{entry("a", "", nil, 16)}, nil, `tensor "a": unknown type ""`},
	{"negative size", []Entry{entry("a", U8, []int{-1, -1}, 1)}, nil, `tensor "a": shape [-1 -1]`},
	{"overflow", []Entry{entry("a", U8, []int{math.MaxInt, 2}, 1)}, nil, `tensor "a": shape [9223372036854775807 2] overflows`},
	{"half a byte", []Entry{entry("a", F4, []int{1}, 1)}, nil, `tensor "a": F4 [1] does not fill whole bytes`},
	{"no float", []Entry{Float32Entry("a", I32, []int{1}, []float32{1})}, nil, `tensor "a": safetensors: float32 values are written as F32, F16 or BF16, not as "I32"`},
}

func TestWriteRefuses(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "x.safetensors")
			err := Write(path, c.metadata, c.entries)
			if want := "safetensors: " + path + ": " + c.err; err == nil || err.Error() != want {
				t.Errorf("error\n%v\nwant\n%s", err, want)
			}
			if left := ls(t, dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestWriteReplaces checks that a failing Write leaves the old file and that
// one that works replaces it.
func TestWriteReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	for _, step := range []struct {
		bytes int
		fails bool
		want  int
	}{{4, false, 4}, {3, true, 4}, {8, false, 8}} {
		err := Write(path, nil, []Entry{entry("a", F32, []int{(step.bytes + 3) / 4}, step.bytes)})
		if (err != nil) != step.fails {
			t.Fatalf("%d bytes: %v", step.bytes, err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if a, _ := f.Tensor("a"); len(a.Data) != step.want {
			t.Errorf("%d bytes, want %d", len(a.Data), step.want)
		}
		f.Close()
	}
}

func ls(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}
