package safetensors

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// save writes content as a file of a new directory.
func save(t *testing.T, content []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "x.safetensors")
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

var sound = pack(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ name, path, err string }{
		{"missing", filepath.Join(dir, "missing"), filepath.Join(dir, "missing") + ": "},
		{"directory", dir, dir + ": a directory, not a file"},
		{"empty", save(t, nil), "x.safetensors: the file is empty"},
		{"short", save(t, sound[:7]), "x.safetensors: 7 bytes are too few"},
		{"cut off", save(t, sound[:len(sound)-1]), `x.safetensors: tensor "a": data_offsets end at 8 of 7 bytes of data`},
		{"device", os.DevNull, os.DevNull + ": not a regular file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "device" && runtime.GOOS == "windows" {
				t.Skip("there is no such file on Windows")
			}
			f, err := Open(c.path)
			if err == nil || !strings.HasPrefix(err.Error(), "safetensors: ") || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %s", err, c.err)
			}
			if f != nil {
				t.Error("a file beside the error")
			}
		})
	}
}

// inTime fails when do takes suspiciously long, as opening a pipe would.
func inTime(t *testing.T, do func()) {
	t.Helper()
	done := make(chan bool)
	go func() { do(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("not done after 10 s")
	}
}

// TestWritingThroughATensor writes into the mapping: nothing faults, and the
// file stays as it is.
func TestWritingThroughATensor(t *testing.T) {
	path := save(t, sound)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, _ := f.Tensor("a")
	copy(a.Data, "overwrit")
	if again, _ := f.Tensor("a"); string(again.Data) != "overwrit" {
		t.Errorf("the tensor holds %q", again.Data)
	}
	if content, _ := os.ReadFile(path); !bytes.Equal(content, sound) {
		t.Error("the file changed")
	}
	other, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if b, _ := other.Tensor("a"); b.Data[0] != 0 {
		t.Error("another mapping of the file changed")
	}
}

func TestClose(t *testing.T) {
	f, err := Open(save(t, sound))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, ok := f.Tensor("a"); ok || len(f.Names()) > 0 {
		t.Error("tensors of a closed file")
	}
}

// TestKeep reads and writes a kept tensor's data after its file was closed.
func TestKeep(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the test's directory could not be removed")
	}
	f, err := Open(save(t, sound))
	if err != nil {
		t.Fatal(err)
	}
	a, _ := f.Tensor("a")
	a.Keep()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = nil
	runtime.GC()
	a.Data[7]++
	if !bytes.Equal(a.Data, []byte{0, 1, 2, 3, 4, 5, 6, 8}) {
		t.Errorf("data % x", a.Data)
	}
}

// TestKeepOfMemory keeps what needs no keeping.
func TestKeepOfMemory(t *testing.T) {
	f, err := Parse("x", sound)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := f.Tensor("a")
	a.Keep()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if a.Data[1] != 1 {
		t.Error("the data changed")
	}
}
