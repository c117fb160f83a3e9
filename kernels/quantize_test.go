package kernels

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/quant"
)

// keeper is a device that keeps the last weights of which it made a matrix.
type keeper struct {
	Device
	last Weights
}

func (k *keeper) NewMatrix(w Weights) (Matrix, error) {
	k.last = w
	return Matrix{Rows: w.Rows, Cols: w.Cols, Format: w.Format, Mem: "uploaded"}, nil
}

// quantizing is one that quantises, or fails to.
type quantizing struct {
	keeper
	err error
}

func (q *quantizing) Quantize(w Weights, c quant.Config) (Matrix, error) {
	return Matrix{Rows: w.Rows, Cols: w.Cols, Format: QuantizedAs(c.Type), Mem: "made"}, q.err
}

func (q *quantizing) Quantized(Matrix) (*quant.Tensor, error) { return &quant.Tensor{Block: 7}, q.err }

// Package quant quantises what the device does not.
func TestQuantize(t *testing.T) {
	w := Weights{Rows: 2, Cols: 40, Format: BF16, Data: make([]byte, 160)}
	for i := range w.Data {
		w.Data[i] = byte(i) & 63
	}
	c := quant.Config{Type: quant.FP4, Block: 32}
	want, err := quant.Quantize(quant.Bytes(w.Data, quant.BFloat16), []int{2, 40}, c)
	if err != nil {
		t.Fatal(err)
	}
	plain, none := &keeper{}, &quantizing{err: errors.ErrUnsupported}
	for dev, last := range map[Device]*Weights{plain: &plain.last, none: &none.last} {
		m, q, err := Quantize(Checked(dev), w, c)
		if err != nil || m.Mem != "uploaded" || m.Format != FP4 || last.Quantized != q || !slices.Equal(q.Packed, want.Packed) {
			t.Errorf("%T: %+v, %v", dev, m, err)
		}
	}
	able := Checked(&quantizing{})
	if m, q, err := Quantize(able, w, c); m.Mem != "made" || m.Format != FP4 || q != nil || err != nil {
		t.Errorf("%+v, %v, %v", m, q, err)
	}
	if q, err := Quantized(able, Matrix{Format: FP4}); q == nil || q.Block != 7 || err != nil {
		t.Errorf("%+v, %v", q, err)
	}
}

func TestQuantizeFaults(t *testing.T) {
	w := Weights{Rows: 1, Cols: 32, Format: F32, Data: make([]byte, 128)}
	w.Data[3], w.Data[2] = 0x7f, 0x80
	if _, _, err := Quantize(&keeper{}, w, quant.Config{}); err == nil || !strings.Contains(err.Error(), "quant: elements 0 to 31") {
		t.Errorf("error %v", err)
	}
	full := errors.New("no memory")
	if _, _, err := Quantize(&quantizing{err: full}, w, quant.Config{}); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	for want, do := range map[string]func(){
		"kernels: Quantize: length of data":                           func() { w.Rows = 2; _, _, _ = Quantize(&keeper{}, w, quant.Config{}) },
		"kernels: Quantized: no weight that the device has quantised": func() { _, _ = Quantized(Checked(&keeper{}), Matrix{Format: NF4}) },
	} {
		if got := panics(do); got != want {
			t.Errorf("panic %v, want %q", got, want)
		}
	}
}
