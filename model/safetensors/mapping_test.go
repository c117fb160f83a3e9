//go:build linux || darwin

package safetensors

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestOpenPipe opens a named pipe that nobody writes to.
func TestOpenPipe(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SingleFile)
	if err := syscall.Mkfifo(path, 0o666); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	inTime(t, func() {
		if _, err := Open(path); err == nil || !strings.HasSuffix(err.Error(), path+": not a regular file") {
			t.Errorf("error %v", err)
		}
		if _, err := OpenCheckpoint(dir); err == nil || !strings.HasSuffix(err.Error(), path+": not a regular file") {
			t.Errorf("checkpoint: error %v", err)
		}
	})
}

// TestOpenLargerThanMemory maps a sparse file of 4 TiB.
func TestOpenLargerThanMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not every file system has sparse files")
	}
	path := save(t, []byte(pack(`{"a":{"dtype":"U8","shape":[4398046511104],"data_offsets":[0,4398046511104]}}`, 0)))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()+1<<42); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, _ := f.Tensor("a")
	a.Data[0], a.Data[1<<42-1] = 1, 2
	if a.Data[0] != 1 || a.Data[1<<41] != 0 || a.Data[1<<42-1] != 2 {
		t.Error("not what was written")
	}
}

// TestOpenUnreadable opens a file without the right to read it.
func TestOpenUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("the superuser may read everything")
	}
	path := save(t, sound)
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
}
