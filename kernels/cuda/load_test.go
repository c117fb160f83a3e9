//go:build cuda

package cuda_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-5afa5581/graft/internal/tiny"
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/cuda"
	"github.com/seed-5afa5581/graft/kernels/cuda/driver"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/quant"
)

// A checkpoint quantised on the GPU while it is loaded, and read back to be saved,
// is the one that the CPU makes, byte for byte.
func TestQuantizedWhileLoading(t *testing.T) {
	if err := driver.Start(); err != nil {
		t.Skip(err)
	}
	gpu, err := cuda.Open(cuda.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer gpu.Close()
	from := tiny.Dir(t, map[string]any{"hidden_size": 64, "intermediate_size": 200})
	for name, c := range map[string]quant.Config{"nf4": {}, "fp4": {Type: quant.FP4, Block: 128, PlainScales: true}, "int8": {Type: quant.Int8}} {
		want, got := saved(t, cpu.New(1), from, c), saved(t, gpu, from, c)
		if len(want) < 2 || len(got) != len(want) {
			t.Errorf("%s: %d files, want %d", name, len(got), len(want))
		}
		for file, content := range want {
			if !bytes.Equal(got[file], content) {
				t.Errorf("%s: %s differs", name, file)
			}
		}
	}
}

// saved opens a checkpoint, quantised, and returns the files that saving it makes.
func saved(t *testing.T, dev kernels.Device, from string, c quant.Config) map[string][]byte {
	t.Helper()
	m, err := model.OpenWith(kernels.Checked(dev), from, model.Options{Quantize: &c})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	dir := filepath.Join(t.TempDir(), "saved")
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
