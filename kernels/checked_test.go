package kernels

import (
	"reflect"
	"strings"
	"testing"
)

func act(rows, cols int) Tensor { return Tensor{Rows: rows, Cols: cols, Mem: 1} }
func f32(rows, cols int) Tensor { return Tensor{Rows: rows, Cols: cols, Kind: Float32, Mem: 1} }
func ints(v ...int32) Ints      { return Ints{Host: v, Mem: 1} }
func weight(rows, cols int) Matrix {
	return Matrix{Rows: rows, Cols: cols, Format: BF16, Mem: 1}
}

func lookup(rows, cols int) Matrix {
	return Matrix{Rows: rows, Cols: cols, Format: BF16, Lookup: true, Mem: 1}
}

// heads is an attention of two sequences over act(5, 8), act(7, 4).
func heads() AttentionShape {
	return AttentionShape{Heads: 4, KVHeads: 2, Width: 2, QStarts: ints(0, 3, 5), KStarts: ints(0, 4), KEnds: ints(4, 7)}
}

// attend calls Attention with heads as changed, and operands that fit heads.
func attend(change func(h *AttentionShape)) func(Device) {
	return func(d Device) {
		h := heads()
		change(&h)
		d.Attention(act(5, 8), f32(5, 4), act(5, 8), act(7, 4), act(7, 4), h)
	}
}

// attendGrad calls AttentionGrad, with operand i as x.
func attendGrad(i int, x Tensor) func(Device) {
	return func(d Device) {
		o := []Tensor{act(5, 8), act(7, 4), act(7, 4), act(5, 8), act(5, 8), f32(5, 4), act(5, 8), act(7, 4), act(7, 4)}
		o[i] = x
		d.AttentionGrad(o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7], o[8], heads())
	}
}

var misfits = []struct {
	message string
	calls   []func(d Device)
}{
	{"kernels: Read: length of dst", []func(Device){func(d Device) { d.Read(make([]float32, 5), f32(2, 3)) }}},
	{"kernels: Write: length of src", []func(Device){func(d Device) { d.Write(f32(2, 3), make([]float32, 7)) }}},
	{"kernels: NewMatrix: length of data", []func(Device){
		func(d Device) { _, _ = d.NewMatrix(Weights{Rows: 2, Cols: 3, Format: F16, Data: make([]byte, 24)}) },
		func(d Device) { _, _ = d.NewMatrix(Weights{Rows: -2, Cols: -3, Format: F16, Data: make([]byte, 12)}) },
	}},
	{"kernels: MatMul: shapes", []func(Device){
		func(d Device) { d.MatMul(act(4, 2), act(4, 3), Matrix{}, 1, false) },
		func(d Device) { d.MatMul(act(4, 2), act(4, 3), weight(3, 2), 1, false) },
		func(d Device) { d.MatMul(act(5, 2), act(4, 3), weight(2, 3), 1, false) },
		func(d Device) { d.MatMul(Tensor{}, act(4, 3), weight(2, 3), 1, false) },
	}},
	{"kernels: MatMul: matrix for lookups", []func(Device){func(d Device) { d.MatMul(act(4, 2), act(4, 3), lookup(2, 3), 1, false) }}},
	{"kernels: MatMulGradInput: matrix for lookups", []func(Device){func(d Device) { d.MatMulGradInput(act(4, 3), act(4, 2), lookup(2, 3), 1, false) }}},
	{"kernels: MatMulGradInput: shapes", []func(Device){
		func(d Device) { d.MatMulGradInput(act(4, 3), act(4, 2), weight(3, 2), 1, false) },
		func(d Device) { d.MatMulGradInput(act(5, 3), act(4, 2), weight(2, 3), 1, false) },
		func(d Device) { d.MatMulGradInput(act(4, 3), act(4, 2), Matrix{}, 1, false) },
	}},
	{"kernels: MatMulGradWeight: shapes", []func(Device){
		func(d Device) { d.MatMulGradWeight(act(2, 3), act(4, 2), act(4, 3), 1, ints(0)) },
		func(d Device) { d.MatMulGradWeight(f32(3, 2), act(4, 2), act(4, 3), 1, ints(0)) },
		func(d Device) { d.MatMulGradWeight(f32(2, 3), act(4, 2), act(5, 3), 1, ints(0)) },
	}},
	{"kernels: MatMulGradWeight: folds", []func(Device){
		func(d Device) { d.MatMulGradWeight(f32(2, 3), act(4, 2), act(4, 3), 1, Ints{}) },
		func(d Device) { d.MatMulGradWeight(f32(2, 3), act(4, 2), act(4, 3), 1, ints(1)) },
		func(d Device) { d.MatMulGradWeight(f32(2, 3), act(4, 2), act(4, 3), 1, ints(0, 3, 2)) },
		func(d Device) { d.MatMulGradWeight(f32(2, 3), act(4, 2), act(4, 3), 1, ints(0, 5)) },
	}},
	{"kernels: AddBias: shapes", []func(Device){
		func(d Device) { d.AddBias(act(4, 3), f32(1, 4)) },
		func(d Device) { d.AddBias(act(4, 3), act(1, 3)) },
	}},
	{"kernels: AddBiasGrad: shapes", []func(Device){func(d Device) { d.AddBiasGrad(f32(3, 1), act(4, 3), ints(0)) }}},
	{"kernels: AddBiasGrad: folds", []func(Device){func(d Device) { d.AddBiasGrad(f32(1, 3), act(4, 3), ints(2)) }}},
	{"kernels: RMSNorm: shapes", []func(Device){
		func(d Device) { d.RMSNorm(act(4, 2), f32(4, 1), f32(4, 3), f32(1, 3), 1) },
		func(d Device) { d.RMSNorm(act(4, 3), f32(1, 4), f32(4, 3), f32(1, 3), 1) },
		func(d Device) { d.RMSNorm(act(4, 3), act(4, 1), f32(4, 3), f32(1, 3), 1) },
		func(d Device) { d.RMSNorm(act(4, 3), f32(4, 1), f32(4, 3), f32(1, 4), 1) },
	}},
	{"kernels: RMSNormGrad: shapes", []func(Device){
		func(d Device) {
			d.RMSNormGrad(act(4, 2), Tensor{}, act(4, 3), f32(4, 3), f32(4, 1), f32(1, 3), Ints{}, false)
		},
		func(d Device) {
			d.RMSNormGrad(act(4, 3), Tensor{}, act(3, 3), f32(4, 3), f32(4, 1), f32(1, 3), Ints{}, false)
		},
	}},
	{"kernels: RMSNormGrad: dgain", []func(Device){
		func(d Device) {
			d.RMSNormGrad(act(4, 3), f32(1, 2), act(4, 3), f32(4, 3), f32(4, 1), f32(1, 3), ints(0), false)
		},
		func(d Device) {
			d.RMSNormGrad(act(4, 3), f32(1, 3), act(4, 3), f32(4, 3), f32(4, 1), f32(1, 3), Ints{}, false)
		},
	}},
	{"kernels: RoPE: shapes", []func(Device){
		func(d Device) { d.RoPE(act(2, 8), f32(9, 4), ints(0, 1), 0, false) },
		func(d Device) { d.RoPE(act(2, 8), f32(9, 2), ints(0, 1), 3, false) },
		func(d Device) { d.RoPE(act(2, 8), f32(9, 4), ints(0), 2, false) },
	}},
	{"kernels: RoPE: table", []func(Device){
		func(d Device) { d.RoPE(act(2, 8), act(9, 4), ints(0, 1), 2, false) },
		func(d Device) { d.RoPE(act(2, 8), f32(9, 3), ints(0, 1), 2, false) },
		func(d Device) { d.RoPE(act(2, 8), f32(9, 6), ints(0, 1), 2, false) },
		func(d Device) { d.RoPE(act(2, 8), f32(9, 4), ints(0, 9), 2, false) },
		func(d Device) { d.RoPE(act(2, 8), f32(9, 4), ints(-1, 0), 2, false) },
	}},
	{"kernels: Attention: heads", []func(Device){
		attend(func(h *AttentionShape) { h.Heads = 0 }),
		attend(func(h *AttentionShape) { h.KVHeads = 3 }),
	}},
	{"kernels: Attention: shapes", []func(Device){
		attend(func(h *AttentionShape) { h.Width = 3 }),
		func(d Device) { d.Attention(act(5, 8), f32(5, 4), act(5, 8), act(7, 4), act(6, 4), heads()) },
	}},
	{"kernels: Attention: starts", []func(Device){
		attend(func(h *AttentionShape) { h.KEnds = ints(4) }),
		attend(func(h *AttentionShape) { h.QStarts = ints(0, 5) }),
		attend(func(h *AttentionShape) { h.QStarts = ints(0, 6, 5) }),
	}},
	{"kernels: Attention: query starts", []func(Device){
		attend(func(h *AttentionShape) { h.QStarts = ints(1, 3, 5) }),
		attend(func(h *AttentionShape) { h.QStarts = ints(0, 3, 4) }),
	}},
	{"kernels: Attention: key ranges", []func(Device){
		attend(func(h *AttentionShape) { h.KStarts = ints(-1, 4) }),
		attend(func(h *AttentionShape) { h.KEnds = ints(4, 8) }),
		attend(func(h *AttentionShape) { h.KEnds = ints(2, 7) }),
	}},
	{"kernels: Attention: outputs", []func(Device){
		func(d Device) { d.Attention(act(4, 8), f32(5, 4), act(5, 8), act(7, 4), act(7, 4), heads()) },
		func(d Device) { d.Attention(act(5, 8), f32(5, 8), act(5, 8), act(7, 4), act(7, 4), heads()) },
		func(d Device) { d.Attention(act(5, 8), act(5, 4), act(5, 8), act(7, 4), act(7, 4), heads()) },
	}},
	{"kernels: AttentionGrad: inputs", []func(Device){attendGrad(3, act(5, 4)), attendGrad(4, act(7, 8)), attendGrad(5, f32(4, 5))}},
	{"kernels: AttentionGrad: outputs", []func(Device){attendGrad(0, act(5, 4)), attendGrad(1, act(5, 8)), attendGrad(2, Tensor{})}},
	{"kernels: SwiGLU: shapes", []func(Device){
		func(d Device) { d.SwiGLU(act(2, 3), act(2, 4), act(2, 4)) },
		func(d Device) { d.SwiGLU(act(2, 3), act(2, 3), act(3, 2)) },
	}},
	{"kernels: SwiGLUGrad: shapes", []func(Device){
		func(d Device) { d.SwiGLUGrad(act(2, 4), act(2, 3), act(2, 3), act(2, 3), act(2, 3)) },
		func(d Device) { d.SwiGLUGrad(act(2, 3), act(2, 3), act(1, 3), act(2, 3), act(2, 3)) },
	}},
	{"kernels: Embed: shapes", []func(Device){
		func(d Device) { d.Embed(act(2, 3), weight(5, 4), ints(0, 1)) },
		func(d Device) { d.Embed(act(2, 3), weight(5, 3), ints(0, 5)) },
		func(d Device) { d.Embed(act(2, 3), Matrix{}, ints(0, 1)) },
	}},
	{"kernels: EmbedGrad: shapes", []func(Device){
		func(d Device) { d.EmbedGrad(f32(5, 3), act(3, 3), ints(0, 1)) },
		func(d Device) { d.EmbedGrad(f32(5, 3), act(2, 3), ints(0, -1)) },
		func(d Device) { d.EmbedGrad(act(5, 3), act(2, 3), ints(0, 1)) },
	}},
	{"kernels: CrossEntropy: shapes", []func(Device){
		func(d Device) { d.CrossEntropy(f32(2, 2), f32(2, 5), f32(2, 1), ints(0, 1), CrossEntropy{}) },
		func(d Device) { d.CrossEntropy(f32(2, 3), act(2, 5), f32(2, 1), ints(0, 1), CrossEntropy{}) },
		func(d Device) { d.CrossEntropy(f32(2, 3), f32(2, 5), f32(1, 2), ints(0, 1), CrossEntropy{}) },
	}},
	{"kernels: CrossEntropy: targets", []func(Device){
		func(d Device) { d.CrossEntropy(f32(2, 3), f32(2, 5), f32(2, 1), ints(0), CrossEntropy{}) },
		func(d Device) { d.CrossEntropy(f32(2, 3), f32(2, 5), f32(2, 1), ints(-100, 0), CrossEntropy{}) },
	}},
	{"kernels: CrossEntropy: smoothing or penalty", []func(Device){
		func(d Device) { d.CrossEntropy(f32(1, 3), f32(1, 5), f32(1, 1), ints(0), CrossEntropy{Smoothing: 1}) },
		func(d Device) { d.CrossEntropy(f32(1, 3), f32(1, 5), f32(1, 1), ints(0), CrossEntropy{Penalty: -1}) },
	}},
	{"kernels: TakeRows: shapes", []func(Device){
		func(d Device) { d.TakeRows(act(2, 3), act(5, 3), ints(0)) },
		func(d Device) { d.TakeRows(act(2, 3), act(5, 3), ints(0, 5)) },
	}},
	{"kernels: PutRows: shapes", []func(Device){
		func(d Device) { d.PutRows(act(5, 3), act(2, 4), ints(0, 1)) },
		func(d Device) { d.PutRows(act(5, 3), act(2, 3), ints(0, 5)) },
	}},
	{"kernels: Copy: shapes", []func(Device){func(d Device) { d.Copy(act(2, 3), f32(3, 2)) }}},
	{"kernels: Expand: shapes", []func(Device){
		func(d Device) { d.Expand(f32(2, 3), weight(5, 3), 4) },
		func(d Device) { d.Expand(f32(2, 3), weight(5, 3), -1) },
		func(d Device) { d.Expand(act(2, 3), weight(5, 3), 0) },
	}},
	{"kernels: Dropout: shapes", []func(Device){
		func(d Device) {
			d.Dropout(act(2, 3), act(2, 4), Dropout{Samples: ints(0, 0), Positions: ints(0, 1)}, false)
		},
		func(d Device) {
			d.Dropout(act(2, 3), act(2, 3), Dropout{Samples: ints(0, 0), Positions: ints(0)}, false)
		},
	}},
	{"kernels: Dropout: rate", []func(Device){
		func(d Device) {
			d.Dropout(act(1, 3), act(1, 3), Dropout{Rate: 1, Samples: ints(0), Positions: ints(0)}, false)
		},
		func(d Device) {
			d.Dropout(act(1, 3), act(1, 3), Dropout{Rate: -0.1, Samples: ints(0), Positions: ints(0)}, false)
		},
	}},
	{"kernels: SumSquares: shapes", []func(Device){
		func(d Device) { d.SumSquares(f32(1, 2), f32(2, 3)) },
		func(d Device) { d.SumSquares(f32(1, 1), act(2, 3)) },
	}},
	{"kernels: AdamW: shapes", []func(Device){
		func(d Device) { d.AdamW(f32(2, 3), f32(2, 3), f32(2, 3), f32(3, 2), AdamW{Step: 1}) },
		func(d Device) { d.AdamW(f32(2, 3), act(2, 3), f32(2, 3), f32(2, 3), AdamW{Step: 1}) },
	}},
	{"kernels: AdamW: step", []func(Device){func(d Device) { d.AdamW(f32(2, 3), f32(2, 3), f32(2, 3), f32(2, 3), AdamW{}) }}},
}

func TestCheckedPanics(t *testing.T) {
	dev := Checked(&fake{})
	for _, m := range misfits {
		for i, call := range m.calls {
			if p := panics(func() { call(dev) }); p != m.message {
				t.Errorf("call %d for %q panics with %v", i, m.message, p)
			}
		}
	}
}

// What fits goes through: the operations of a fake are nil, and panic as such.
func TestCheckedPasses(t *testing.T) {
	dev := Checked(&fake{})
	for name, call := range map[string]func(){
		"MatMul":   func() { dev.MatMul(f32(4, 2), act(4, 3), weight(2, 3), 1, false) },
		"no folds": func() { dev.MatMulGradWeight(f32(2, 3), act(0, 2), act(0, 3), 1, Ints{}) },
		"no dgain": func() {
			dev.RMSNormGrad(act(4, 3), Tensor{}, act(4, 3), f32(4, 3), f32(4, 1), f32(1, 3), Ints{}, false)
		},
		"Attention":    func() { attend(func(*AttentionShape) {})(dev) },
		"gradients":    func() { attendGrad(0, act(5, 8))(dev) },
		"partial RoPE": func() { dev.RoPE(act(2, 10), f32(9, 4), ints(0, 8), 2, false) },
	} {
		if _, ok := panics(call).(error); !ok { // a nil dereference, not a message
			t.Errorf("%s does not reach the device: %v", name, panics(call))
		}
	}
}

// Every operation with a shape has a misfit above.
func TestCheckedIsComplete(t *testing.T) {
	shapeless := map[string]bool{"Info": true, "Close": true, "For": true, "Alloc": true, "Free": true, "WriteInts": true, "Sync": true, "Fill": true}
	device := reflect.TypeFor[Device]()
	for i := range device.NumMethod() {
		name, found := device.Method(i).Name, false
		for _, m := range misfits {
			found = found || strings.HasPrefix(m.message, "kernels: "+name+":")
		}
		if found == shapeless[name] {
			t.Errorf("%s: has a misfit: %v", name, found)
		}
	}
}

func TestCheckedOnce(t *testing.T) {
	dev := Checked(&fake{})
	if Checked(dev) != dev {
		t.Error("a checked device is checked again")
	}
}
