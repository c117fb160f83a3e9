package safetensors

import "fmt"

// A File is one safetensors file.
type File struct {
	Metadata map[string]string // the header's __metadata__; nil if it has none

	name    string
	tensors []Tensor // in the order of their bytes
	index   map[string]int
	mapping *mapping // nil for a file that Parse read
}

// Open maps a file into memory and checks it.
func Open(path string) (*File, error) {
	m, err := openMapping(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	f, err := Parse(path, m.bytes)
	if err != nil {
		m.close()
		return nil, err
	}
	f.mapping = m
	for i := range f.tensors {
		f.tensors[i].mapping = m
	}
	return f, nil
}

// Parse reads a file's content; name is for errors. The tensors are slices of
// data.
func Parse(name string, data []byte) (*File, error) {
	f := &File{name: name, index: map[string]int{}}
	if err := f.parse(data); err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", name, err)
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

// Close ends the mapping: no tensor of the file may be used after it, unless it
// was kept. A file that Parse read has nothing to close.
func (f *File) Close() error {
	if f.mapping == nil {
		return nil
	}
	m := f.mapping
	f.mapping, f.tensors, f.index = nil, nil, nil
	if err := m.close(); err != nil {
		return fmt.Errorf("safetensors: %s: %w", f.name, err)
	}
	return nil
}
