//go:build !linux && !darwin && !windows

package safetensors

import (
	"io"
	"os"
)

// mapFile reads a file's first size bytes: graft maps no memory on this system.
func mapFile(f *os.File, size int) ([]byte, error) {
	b := make([]byte, size)
	_, err := io.ReadFull(f, b)
	return b, err
}

func unmapFile([]byte) error { return nil }
