package safetensors

import (
	"fmt"
	"os"

	"github.com/edsrzf/mmap-go"
)

// A File is one safetensors file.
type File struct {
	Metadata map[string]string // the header's __metadata__; nil if it has none

	name    string
	tensors []Tensor // in the order of their bytes
	index   map[string]int
	mapping mmap.MMap
}

// Open maps a file into memory and checks it.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("safetensors: %s: not a file", path)
	}
	if info.Size() == 0 {
		return nil, fmt.Errorf("safetensors: %s: the file is empty", path)
	}
	m, err := mmap.Map(f, mmap.COPY, 0)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", path, err)
	}
	file, err := Parse(path, m)
	if err != nil {
		m.Unmap()
		return nil, err
	}
	file.mapping = m
	return file, nil
}

// Parse reads a file's content; name is for errors. The tensors are slices of
// data.
func Parse(name string, data []byte) (*File, error) {
	f := &File{name: name, index: map[string]int{}}
	var err error
	if f.tensors, f.Metadata, err = parse(data); err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", name, err)
	}
	for i, t := range f.tensors {
		f.index[t.Name] = i
	}
	return f, nil
}

// Names returns the names of the tensors in the order of their bytes.
func (f *File) Names() []string {
	names := make([]string, len(f.tensors))
	for i, t := range f.tensors {
		names[i] = t.Name
	}
	return names
}

// Tensor returns the tensor of a name. Its data is valid until Close.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := f.index[name]
	if !ok {
		return Tensor{}, false
	}
	return f.tensors[i], true
}

// Close ends the mapping: no tensor of the file may be used after it.
func (f *File) Close() error {
	if f.mapping == nil {
		return nil
	}
	m := f.mapping
	f.mapping, f.tensors, f.index = nil, nil, nil
	if err := m.Unmap(); err != nil {
		return fmt.Errorf("safetensors: %s: %w", f.name, err)
	}
	return nil
}
