package dense

import (
	"errors"
	"io"
	"reflect"
	"slices"
	"testing"

	"gorgonia.org/tensor"
)

// again saves d and returns what comes back.
func again(t *testing.T, d *tensor.Dense) *tensor.Dense {
	t.Helper()
	e, err := Entry("a", d)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := of(t, open(t, written(t, e)), "a")
	return got
}

func TestEntryOfEveryType(t *testing.T) {
	for _, dt := range []tensor.Dtype{
		tensor.Float64, tensor.Float32, tensor.Complex64, tensor.Int64, tensor.Int32, tensor.Int16, tensor.Int8,
		tensor.Uint64, tensor.Uint32, tensor.Uint16, tensor.Uint8,
	} {
		want := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking(tensor.Range(dt, 1, 7)))
		got := again(t, want)
		if got.Dtype() != dt || !slices.Equal(got.Shape(), want.Shape()) || !reflect.DeepEqual(got.Data(), want.Data()) {
			t.Errorf("%v became %v %v", want, got.Dtype(), got)
		}
	}
	truth := []bool{true, false, true}
	if got := again(t, tensor.New(tensor.WithBacking(truth))); !reflect.DeepEqual(got.Data(), truth) {
		t.Errorf("%v became %v", truth, got)
	}
	if got := again(t, tensor.New(tensor.FromScalar(float32(7)))); !got.IsScalar() || got.Data() != float32(7) {
		t.Errorf("scalar 7 became %v", got)
	}
}

// TestEntryOfLayouts saves tensors whose elements do not lie in row-major order.
func TestEntryOfLayouts(t *testing.T) {
	base := func() *tensor.Dense {
		return tensor.New(tensor.WithShape(2, 3, 2), tensor.WithBacking(tensor.Range(tensor.Float32, 0, 12)))
	}
	slice := func(s ...tensor.Slice) *tensor.Dense {
		v, err := base().Slice(s...)
		if err != nil {
			t.Fatal(err)
		}
		return v.(*tensor.Dense)
	}
	transposed := base()
	if err := transposed.T(2, 0, 1); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		d     *tensor.Dense
		shape []int
		want  []float32
	}{
		{"rows", slice(tensor.S(1, 2)), []int{3, 2}, []float32{6, 7, 8, 9, 10, 11}},
		{"rows within", slice(nil, tensor.S(1, 3)), []int{2, 2, 2}, []float32{2, 3, 4, 5, 8, 9, 10, 11}},
		{"column", slice(nil, nil, tensor.S(1)), []int{2, 3}, []float32{1, 3, 5, 7, 9, 11}},
		{"column of a row", slice(tensor.S(1), nil, tensor.S(1)), []int{3}, []float32{7, 9, 11}},
		{"element", slice(tensor.S(1), tensor.S(2), tensor.S(0)), []int{}, []float32{10}},
		{"transpose", transposed, []int{2, 2, 3}, []float32{0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11}},
		{"column-major", tensor.New(tensor.WithShape(2, 3), tensor.AsFortran([]float32{0, 1, 2, 3, 4, 5})), []int{2, 3}, []float32{0, 1, 2, 3, 4, 5}},
	} {
		e, err := Entry("a", c.d)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		a, _ := open(t, written(t, e)).Tensor("a")
		got := make([]float32, len(c.want))
		if err := a.Float32s(got); err != nil || !slices.Equal(a.Shape, c.shape) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v %v (%v), want %v %v", c.name, a.Shape, got, err, c.shape, c.want)
		}
	}
}

// TestEntryInPieces saves more than is written at once.
func TestEntryInPieces(t *testing.T) {
	want := tensor.New(tensor.WithBacking(tensor.Range(tensor.Int32, 0, 1<<17+5)))
	if got := again(t, want); !reflect.DeepEqual(got.Data(), want.Data()) {
		t.Error("not what was saved")
	}
}

func TestEntryReadsWhenWritten(t *testing.T) {
	d := tensor.New(tensor.WithBacking([]float32{1, 2}))
	e, err := Entry("a", d)
	if err != nil {
		t.Fatal(err)
	}
	d.Set(1, float32(5))
	got, _ := of(t, open(t, written(t, e)), "a")
	if !reflect.DeepEqual(got.Data(), []float32{1, 5}) {
		t.Errorf("saved %v", got)
	}
}

func TestEntryRefuses(t *testing.T) {
	masked := tensor.New(tensor.WithBacking([]float32{1, 2}))
	masked.SetMask([]bool{true, false})
	for _, c := range []struct {
		d   *tensor.Dense
		err string
	}{
		{tensor.New(tensor.WithBacking([]int{1})), "dense: a: safetensors has no type for int"},
		{tensor.New(tensor.WithBacking([]complex128{1})), "dense: a: safetensors has no type for complex128"},
		{tensor.New(tensor.WithBacking([]string{"x"})), "dense: a: safetensors has no type for string"},
		{masked, "dense: a is masked, which safetensors does not know: fill in its values first"},
	} {
		if _, err := Entry("a", c.d); message(err) != c.err {
			t.Errorf("error %v, want %s", err, c.err)
		}
	}
}

// TestEntryPassesErrorsOn writes to a full disk.
func TestEntryPassesErrorsOn(t *testing.T) {
	full := errors.New("no space left on device")
	column, err := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{1, 2, 3, 4})).Slice(nil, tensor.S(0))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*tensor.Dense{tensor.New(tensor.WithBacking([]float32{1, 2})), tensor.New(tensor.FromScalar(1.5)), column.(*tensor.Dense)} {
		e, err := Entry("a", d)
		if err != nil {
			t.Fatal(err)
		}
		r, w := io.Pipe()
		r.CloseWithError(full)
		if err := e.Write(w); !errors.Is(err, full) {
			t.Errorf("error %v", err)
		}
	}
}
