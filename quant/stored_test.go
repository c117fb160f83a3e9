package quant_test

import (
	"bytes"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/model/safetensors"
	"github.com/seed-5afa5581/graft/quant"
)

const stored = "testdata/stored.safetensors"

// partsOf returns the tensors of a file that belong to a weight.
func partsOf(f *safetensors.File, weight string) (parts []quant.Part) {
	for _, name := range f.Names() {
		of, suffix, _ := quant.PartOf(name)
		if of != weight && name != weight {
			continue
		}
		x, _ := f.Tensor(name)
		parts = append(parts, quant.Part{Suffix: suffix, DType: string(x.DType), Shape: x.Shape, Data: x.Data})
	}
	return parts
}

// quantisedWeights returns the names of the weights in a file that have a state.
func quantisedWeights(f *safetensors.File) (names []string) {
	for _, name := range f.Names() {
		if weight, suffix, _ := quant.PartOf(name); strings.HasPrefix(suffix, ".quant_state") {
			names = append(names, weight)
		}
	}
	return names
}

// compareStored reads a weight's parts, quantises the dense weight to the same
// tensor, and writes the same parts.
func compareStored(t *testing.T, f *safetensors.File, weight string, dense safetensors.Tensor) {
	t.Helper()
	want := partsOf(f, weight)
	got, err := quant.FromParts(want)
	if err != nil {
		t.Fatalf("%s: %v", weight, err)
	}
	d := map[safetensors.DType]quant.DType{"F32": quant.Float32, "F16": quant.Float16, "BF16": quant.BFloat16}[dense.DType]
	if got.DType != d || !slices.Equal(got.Shape, dense.Shape) {
		t.Errorf("%s: %v %v, want %v %v", weight, got.DType, got.Shape, d, dense.Shape)
	}
	c := quant.Config{Type: got.Type, Block: got.Block, PlainScales: !got.Scales.Double()}
	made := mustQuantize(t, quant.Bytes(dense.Data, d), dense.Shape, c)
	sameParts(t, weight+" read", got.Parts(), want)
	sameParts(t, weight+" made", made.Parts(), want)
}

func sameParts(t *testing.T, name string, got, want []quant.Part) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d parts, want %d", name, len(got), len(want))
		return
	}
	for _, p := range got {
		i := slices.IndexFunc(want, func(w quant.Part) bool { return w.Suffix == p.Suffix })
		if i < 0 {
			t.Errorf("%s: part %q is not in the file", name, p.Suffix)
			continue
		}
		if w := want[i]; p.DType != w.DType || !slices.Equal(p.Shape, w.Shape) || !bytes.Equal(p.Data, w.Data) {
			t.Errorf("%s%s: %s %v %.100q\nwant %s %v %.100q", name, p.Suffix, p.DType, p.Shape, p.Data, w.DType, w.Shape, w.Data)
		}
	}
}

func TestStoredForm(t *testing.T) {
	f := openFile(t, stored)
	weights := quantisedWeights(f)
	if len(weights) != 12 {
		t.Fatalf("%d weights, want 12", len(weights))
	}
	for _, weight := range weights {
		dense, ok := f.Tensor(strings.TrimSuffix(weight, "weight") + "x")
		if !ok {
			t.Fatalf("%s: dense weight is missing", weight)
		}
		compareStored(t, f, weight, dense)
	}
}

// Folders of whole models hold the base as transformers saves it in 4 bits, beside
// the dense one.
func TestGoldenCheckpoints(t *testing.T) {
	models, err := filepath.Glob(filepath.Join(goldenRoot(), "*", "model-nf4", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if len(models) == 0 {
		t.Skipf("%s: no folder with model-nf4", goldenRoot())
	}
	for _, path := range models {
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(path))), func(t *testing.T) { compareCheckpoint(t, path) })
	}
}

func compareCheckpoint(t *testing.T, path string) {
	small := openFile(t, path)
	dense := openFile(t, filepath.Join(filepath.Dir(path), "..", "model", "model.safetensors"))
	weights := quantisedWeights(small)
	if len(weights) < 7 {
		t.Errorf("%d weights, want those of a layer at least", len(weights))
	}
	for _, weight := range weights {
		x, ok := dense.Tensor(weight)
		if !ok {
			t.Fatalf("%s: dense weight is missing", weight)
		}
		compareStored(t, small, weight, x)
	}
}

// replaced returns parts with one of them changed, or taken away.
func replaced(parts []quant.Part, suffix string, change func(*quant.Part)) []quant.Part {
	parts = slices.Clone(parts)
	i := slices.IndexFunc(parts, func(p quant.Part) bool { return p.Suffix == suffix })
	if change == nil {
		return slices.Delete(parts, i, i+1)
	}
	parts[i].Data = slices.Clone(parts[i].Data)
	change(&parts[i])
	return parts
}

func TestFromPartsRefuses(t *testing.T) {
	const state = ".quant_state.bitsandbytes__nf4"
	parts := partsOf(openFile(t, stored), "nf4.bf16.dq.weight")
	plain := partsOf(openFile(t, stored), "nf4.f32.sq.weight")
	short := func(p *quant.Part) { p.Data = p.Data[:len(p.Data)-1] }
	poison := func(p *quant.Part) { copy(p.Data[4:], []byte{0, 0, 0xc0, 0x7f}) }
	large := func(p *quant.Part) { copy(p.Data, []byte{0, 0, 0x7f, 0x7f}) }
	for _, c := range []struct {
		parts []quant.Part
		want  string
	}{
		{replaced(parts, "", nil), "quant: weight is missing"},
		{replaced(parts, "", short), "quant: weight has 64 bytes, want 65"},
		{replaced(parts, ".absmax", nil), "quant: absmax is missing"},
		{replaced(parts, ".absmax", short), "quant: absmax has 2 elements, want 3"},
		{replaced(parts, ".absmax", func(p *quant.Part) { p.DType = "F32" }), "quant: absmax is F32, want U8"},
		{replaced(plain, ".absmax", func(p *quant.Part) { p.DType = "U8" }), "quant: absmax is U8, want F32"},
		{replaced(plain, ".absmax", poison), "quant: absmax has NaN at 1, want finite numbers"},
		{replaced(parts, ".quant_map", poison), "quant: quant_map has NaN at 1"},
		{replaced(parts, ".quant_map", large), "quant: quant_map has 3.3895314e+38 at 0, want nf4's -1"},
		{replaced(parts, ".quant_map", short), "quant: quant_map has 63 bytes, want 16 float32s"},
		{replaced(parts, ".nested_absmax", nil), "quant: nested_absmax is missing"},
		{replaced(parts, ".nested_quant_map", nil), "quant: nested_quant_map is missing"},
		{replaced(replaced(parts, ".nested_absmax", large), ".nested_quant_map", large), "quant: absmax may reach 1.15e+77, beyond float32"},
		{replaced(parts, state, nil), "quant: 0 parts named quant_state.bitsandbytes__nf4 or __fp4, want one"},
		{replaced(parts, state, func(p *quant.Part) { p.DType = "F32" }), "quant: quant_state.bitsandbytes__nf4 is F32, want U8"},
		{replaced(parts, state, func(p *quant.Part) { p.Suffix = ".quant_state.bitsandbytes__fp4" }), "quant_type is nf4, but its name ends in fp4"},
		{append(slices.Clone(plain), plain[0]), " is there twice"},
		{append(slices.Clone(plain), quant.Part{Suffix: ".nested_absmax"}), "quant: nested_absmax is no part of this weight"},
	} {
		if _, err := quant.FromParts(c.parts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestStateRefuses(t *testing.T) {
	parts := partsOf(openFile(t, stored), "nf4.bf16.dq.weight")
	const state = ".quant_state.bitsandbytes__nf4"
	for _, c := range []struct{ old, new, want string }{
		{`{"quant_type"`, `["quant_type"`, "quant: quant_state: no JSON object: "},
		{`"quant_type": "nf4"`, `"quant_type": "nf3"`, `quant_state: quant_type "nf3" is unknown; known are nf4, fp4`},
		{`"quant_type": "nf4", `, ``, "quant_state: quant_type is missing"},
		{`"blocksize": 64`, `"blocksize": 60`, "quant_state: blocksize is 60; want a power of two from 32 to 4096"},
		{`"blocksize": 64`, `"blocksize": "64"`, `quant_state: blocksize is "64", want a value like that of bitsandbytes`},
		{`"blocksize"`, `"Blocksize"`, "quant_state: blocksize is missing\nquant: quant_state: Blocksize is unknown"},
		{`"bfloat16"`, `"float8"`, `quant_state: dtype "float8" is unknown; known are float32, float16, bfloat16`},
		{`[5, 26]`, `null`, "quant_state: shape is null"},
		{`[5, 26]`, `[]`, "quant_state: shape is []; want positive dimensions"},
		{`[5, 26]`, `[5, -26]`, "quant_state: shape is [5 -26]; want positive dimensions"},
		{`[5, 26]`, `[4294967296, 4294967296]`, "want positive dimensions"},
		{`[5, 26]`, `[5, 27]`, "quant: weight has 65 bytes, want 68"},
		{`"nested_blocksize": 256`, `"nested_blocksize": 128`, "nested_blocksize is 128; only 256 is known"},
		{`"nested_dtype": "float32"`, `"nested_dtype": "float16"`, "nested_dtype is float16; only float32 is known"},
		{`"nested_offset": 2`, `"nested_offset": 1e300, "x": 2`, "nested_offset is 1e+300, beyond float32"},
		{`"nested_offset"`, `"nested_ofset"`, "nested_offset is missing"},
	} {
		changed := replaced(parts, state, func(p *quant.Part) {
			if !bytes.Contains(p.Data, []byte(c.old)) {
				t.Fatalf("no %s in %s", c.old, p.Data)
			}
			p.Data = bytes.Replace(p.Data, []byte(c.old), []byte(c.new), 1)
		})
		if _, err := quant.FromParts(changed); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// The offset is written as Python writes a float.
func TestStateOffset(t *testing.T) {
	x := mustQuantize(t, quant.Floats(normal(130)), []int{2, 65}, quant.Config{})
	for offset, want := range map[float32]string{
		0: "0.0", 1: "1.0", -2.5: "-2.5", 0.1: "0.10000000149011612", 1e-4: "9.999999747378752e-05",
		1.5e-7: "1.500000053056283e-07", 12345678: "12345678.0", 1 << 60: "1.152921504606847e+18", 1 << 50: "1125899906842624.0",
	} {
		x.Scales.Offset = offset
		state := x.Parts()[5]
		if text := `"nested_offset": ` + want + "}"; !bytes.HasSuffix(state.Data, []byte(text)) {
			t.Errorf("state %s, want the end %s", state.Data, text)
		}
	}
}

func TestPartOf(t *testing.T) {
	for _, suffix := range []string{
		".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", ".quant_state.bitsandbytes__nf4", ".quant_state.bitsandbytes__fp4",
		".SCB", ".weight_format",
	} {
		name := quant.Part{Suffix: suffix}.Name("a.weight")
		if weight, got, ok := quant.PartOf(name); weight != "a.weight" || got != suffix || !ok {
			t.Errorf("%s: %q, %q, %v", name, weight, got, ok)
		}
	}
	if weight, suffix, ok := quant.PartOf("a.weight"); ok {
		t.Errorf("a.weight is part %q of %q", suffix, weight)
	}
	if name := (quant.Part{Suffix: ".SCB"}).Name("a.weight"); name != "a.SCB" {
		t.Error(name)
	}
}

// What is accepted reads back as itself and can be dequantised.
func FuzzQuantState(f *testing.F) {
	file := openFile(f, stored)
	for _, weight := range quantisedWeights(file) {
		var state []byte
		name := ""
		for _, p := range partsOf(file, weight) {
			if strings.HasPrefix(p.Suffix, ".quant_state") {
				state, name = p.Data, p.Suffix
			}
		}
		f.Add(state, name, uint16(65), uint8(3), float32(0.5))
	}
	f.Add([]byte(`{"shape": [1e9]}`), ".quant_state.bitsandbytes__nf4", uint16(1), uint8(1), float32(math.Inf(1)))
	f.Fuzz(func(t *testing.T, state []byte, name string, packed uint16, blocks uint8, scale float32) {
		for _, kind := range []quant.Type{quant.NF4, quant.FP4} {
			parts := mustQuantize(t, quant.Floats(normal(2)), []int{2}, quant.Config{Type: kind, PlainScales: scale < 0}).Parts()
			parts[0].Data = bytes.Repeat([]byte{0xa5}, int(packed))
			for i, p := range parts {
				switch {
				case strings.HasPrefix(p.Suffix, ".quant_state"):
					parts[i].Suffix, parts[i].Data = name, state
				case p.Suffix == ".absmax" && p.DType == "U8":
					parts[i].Data = bytes.Repeat([]byte{7}, int(blocks))
				case p.Suffix == ".absmax":
					parts[i].Data = bytes.Repeat(safetensors.Encode(safetensors.F32, []float32{scale}), int(blocks))
				}
			}
			checkReadable(t, parts)
		}
	})
}

func checkReadable(t *testing.T, parts []quant.Part) {
	x, err := quant.FromParts(parts)
	if err != nil {
		return
	}
	again, err := quant.FromParts(x.Parts())
	if err != nil {
		t.Fatalf("accepted %s, but not what was made of it: %v", parts[len(parts)-1].Data, err)
	}
	sameParts(t, "again", again.Parts(), x.Parts())
	values := make([]float32, x.Len())
	x.DequantizeAll(values, 1)
	for i, v := range values {
		if v-v != 0 {
			t.Fatalf("element %d is %v", i, v)
		}
	}
}
