package safetensors

import "testing"

// FuzzParse feeds Parse with damaged files: whatever is in them, it returns an
// error or tensors inside the file, which convert and can be written again.
func FuzzParse(f *testing.F) {
	for _, s := range specimens {
		f.Add(s.file)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("x", data)
		if err != nil {
			return
		}
		checkFile(t, file)
		bytes := 0
		for _, v := range file.tensors {
			bytes += len(v.Data)
			if v.DType == F32 || v.DType == F16 || v.DType == BF16 || v.DType == F64 {
				if err := v.Float32s(make([]float32, v.Len())); err != nil {
					t.Fatal(err)
				}
			}
		}
		if bytes > len(data) {
			t.Fatalf("%d bytes in a file of %d", bytes, len(data))
		}
		again(t, file)
	})
}

// again writes a file and compares what comes back.
func again(t *testing.T, file *File) {
	t.Helper()
	var entries []Entry
	for _, v := range file.tensors {
		entries = append(entries, copyOf(v))
	}
	copied := written(t, file.Metadata, entries)
	if len(copied.tensors) != len(file.tensors) {
		t.Fatalf("%d tensors became %d", len(file.tensors), len(copied.tensors))
	}
	for _, v := range file.tensors {
		w, _ := copied.Tensor(v.Name)
		sameTensor(t, w, v)
	}
}
