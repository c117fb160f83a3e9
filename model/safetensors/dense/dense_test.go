package dense

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"gorgonia.org/tensor"

	"github.com/seed-5afa5581/graft/model/safetensors"
)

// written writes a file of the entries.
func written(t *testing.T, entries ...safetensors.Entry) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "dense")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) // fails on Windows where a mapping is kept
	path = filepath.Join(dir, "x.safetensors")
	if err := safetensors.Write(path, nil, entries); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *safetensors.File {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// of returns the Dense of a tensor, and whether it is over the tensor's memory.
func of(t *testing.T, f *safetensors.File, name string) (d *tensor.Dense, aliases bool) {
	t.Helper()
	v, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	d, err := Of(v)
	if err != nil {
		t.Fatal(err)
	}
	return d, d.Uintptr() == reflect.ValueOf(v.Data).Pointer()
}

// python is a file that the reference implementation wrote: six elements of each
// type, 0 to 5, for reals a quarter of it less 0.5.
const python = "../testdata/python.safetensors"

func TestOf(t *testing.T) {
	f := open(t, python)
	for name, want := range map[string]any{
		"f64": []float64{-0.5, -0.25, 0, 0.25, 0.5, 0.75},
		"f32": []float32{-0.5, -0.25, 0, 0.25, 0.5, 0.75},
		"c64": []complex64{-0.5 + 0.5i, -0.25 + 0.25i, 0, 0.25 - 0.25i, 0.5 - 0.5i, 0.75 - 0.75i},
		"i64": []int64{0, 1, 2, 3, 4, 5}, "i32": []int32{0, 1, 2, 3, 4, 5}, "i16": []int16{0, 1, 2, 3, 4, 5}, "i8": []int8{0, 1, 2, 3, 4, 5},
		"u64": []uint64{0, 1, 2, 3, 4, 5}, "u32": []uint32{0, 1, 2, 3, 4, 5}, "u16": []uint16{0, 1, 2, 3, 4, 5}, "u8": []uint8{0, 1, 2, 3, 4, 5},
		"bool": []bool{false, true, false, true, false, true},
	} {
		d, aliases := of(t, f, name)
		if !slices.Equal(d.Shape(), []int{2, 3}) || !reflect.DeepEqual(d.Data(), want) {
			t.Errorf("%s: %v %v, want %v", name, d.Shape(), d.Data(), want)
		}
		if aliases != (name != "bool") {
			t.Errorf("%s: over the file's memory: %v", name, aliases)
		}
		if row, err := d.Slice(tensor.S(1)); err != nil || !reflect.DeepEqual(row.Data(), reflect.ValueOf(want).Slice(3, 6).Interface()) {
			t.Errorf("%s: row 1 is %v, %v", name, row, err)
		}
	}
	if d, _ := of(t, f, "scalar"); !d.IsScalar() || d.Data() != float32(-0.25) {
		t.Errorf("scalar: %v", d)
	}
}

func TestFloat32(t *testing.T) {
	f := open(t, python)
	for _, name := range []string{"f64", "f32", "f16", "bf16"} {
		v, _ := f.Tensor(name)
		d, err := Float32(v)
		if err != nil {
			t.Error(err)
			continue
		}
		if !slices.Equal(d.Shape(), []int{2, 3}) || !reflect.DeepEqual(d.Data(), []float32{-0.5, -0.25, 0, 0.25, 0.5, 0.75}) {
			t.Errorf("%s: %v", name, d)
		}
	}
}

func TestRefusals(t *testing.T) {
	f := open(t, python)
	for _, c := range []struct {
		name, of, float32 string // errors, but for the tensor's name
	}{
		{"f16", "dense: f16 is F16, which Go has no numbers of: convert it with Float32", ""},
		{"bf16", "dense: bf16 is BF16, which Go has no numbers of: convert it with Float32", ""},
		{"f8_e4m3", "dense: f8_e4m3 is F8_E4M3, which Go has no numbers of", "dense: safetensors: f8_e4m3 is F8_E4M3: not a type of real numbers that converts to float32"},
		{"i32", "", "dense: safetensors: i32 is I32: not a type of real numbers that converts to float32"},
		{"empty", "dense: empty has shape [2 0 3]: package tensor has no tensors without elements", "dense: empty has shape [2 0 3]: package tensor has no tensors without elements"},
	} {
		v, _ := f.Tensor(c.name)
		if d, err := Of(v); message(err) != c.of || (d == nil) != (err != nil) {
			t.Errorf("Of: %v, %v, want %s", d, err, c.of)
		}
		if d, err := Float32(v); message(err) != c.float32 || (d == nil) != (err != nil) {
			t.Errorf("Float32: %v, %v, want %s", d, err, c.float32)
		}
	}
	short := safetensors.Tensor{Name: "a", DType: safetensors.F32, Shape: []int{2}, Data: make([]byte, 4)}
	if _, err := Of(short); message(err) != "dense: a: 4 bytes for F32 [2]" {
		t.Errorf("error %v", err)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestOddAddresses reads numbers at every address modulo 8.
func TestOddAddresses(t *testing.T) {
	bytesOf := []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}
	for shift := range 8 {
		memory := append(make([]byte, shift, 16), bytesOf...)
		v := safetensors.Tensor{Name: "a", DType: safetensors.F32, Shape: []int{2}, Data: memory[shift:]}
		d, err := Of(v)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(d.Data(), []float32{1, -2}) {
			t.Errorf("shift %d: %v", shift, d)
		}
		if aliases := d.Uintptr() == reflect.ValueOf(v.Data).Pointer(); aliases != (shift%4 == 0) {
			t.Errorf("shift %d: over the same memory: %v", shift, aliases)
		}
	}
}

// TestOutliving uses a Dense and a slice of it after the file was closed and
// forgotten. Writing through them does not reach the file.
func TestOutliving(t *testing.T) {
	values := make([]float32, 1<<14) // some pages
	for i := range values {
		values[i] = float32(i)
	}
	path := written(t, safetensors.Float32Entry("a", safetensors.F32, []int{128, 128}, values))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, part := func() (*tensor.Dense, tensor.View) {
		f := open(t, path)
		d, aliases := of(t, f, "a")
		if !aliases {
			t.Fatal("a copy")
		}
		part, err := d.Slice(tensor.S(100, 128))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return d, part
	}()
	for range 3 {
		runtime.GC()
	}
	if !reflect.DeepEqual(d.Data(), values) {
		t.Error("the values changed")
	}
	if _, err := d.MulScalar(float32(2), true, tensor.UseUnsafe()); err != nil {
		t.Fatal(err)
	}
	d = nil
	runtime.GC()
	if first := part.Data().([]float32)[0]; first != 2*100*128 {
		t.Errorf("element 100, 0 is %v", first)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file changed: %v", err)
	}
}

// TestOutlivingACheckpoint uses a Dense of a shard after its checkpoint was
// closed.
func TestOutlivingACheckpoint(t *testing.T) {
	path := written(t, safetensors.Float32Entry("a", safetensors.F32, []int{2}, []float32{1, 2}))
	index := fmt.Sprintf(`{"weight_map": {"a": %q}}`, filepath.Base(path))
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), safetensors.IndexFile), []byte(index), 0o666); err != nil {
		t.Fatal(err)
	}
	c, err := safetensors.OpenCheckpoint(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	v, _ := c.Tensor("a")
	d, err := Of(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	d.Set(0, float32(7))
	if !reflect.DeepEqual(d.Data(), []float32{7, 2}) {
		t.Errorf("%v", d)
	}
}

// TestCopyOutlives closes a file of which only copies were made.
func TestCopyOutlives(t *testing.T) {
	f := open(t, python)
	v, _ := f.Tensor("f64")
	d, err := Float32(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got := d.Data().([]float32)[5]; got != 0.75 {
		t.Errorf("element 5 is %v", got)
	}
}
