package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"sync/atomic"
)

// A mapping is a file in memory: privately, so that writing changes the memory
// alone.
type mapping struct {
	bytes []byte
	kept  atomic.Bool // whether it stays for good
}

// openMapping maps a regular file.
func openMapping(path string) (*mapping, error) {
	// Asked before opening, which would wait for the other end of a named pipe.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := mappable(info); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := mapFile(f, int(info.Size()))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &mapping{bytes: b}, nil
}

func mappable(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return errors.New("a directory, not a file")
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	case info.Size() == 0:
		return errors.New("the file is empty")
	case info.Size() > math.MaxInt:
		return errors.New("the file is too large for this machine's addresses")
	}
	return nil
}

// close ends the mapping unless it is kept.
func (m *mapping) close() error {
	if m.kept.Load() {
		return nil
	}
	b := m.bytes
	m.bytes = nil
	return unmapFile(b)
}
