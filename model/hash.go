package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
)

// Hash returns the SHA-256 of what makes a checkpoint the model that it is: of
// the names and contents of its config.json and its safetensors files. All of
// them are read.
func Hash(files fs.FS) (string, error) {
	names, err := fs.Glob(files, "*.safetensors")
	if err != nil {
		return "", fmt.Errorf("model: %w", err)
	}
	names = append(names, configName)
	slices.Sort(names)
	sums, faults := make([][]byte, len(names)), make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { sums[i], faults[i] = hashFile(files, name) })
	}
	all.Wait()
	whole := sha256.New()
	for i, name := range names {
		if faults[i] != nil {
			return "", fmt.Errorf("model: %w", faults[i])
		}
		fmt.Fprintf(whole, "%s %x\n", name, sums[i])
	}
	return hex.EncodeToString(whole.Sum(nil)), nil
}

func hashFile(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(h, f, make([]byte, 1<<20)); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// Hash returns that of the files that the model was opened from.
func (m *Model) Hash() (string, error) { return Hash(m.files) }
