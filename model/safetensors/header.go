package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// maxHeader is the longest header that the format allows.
const maxHeader = 100_000_000

// metadataKey is the header's one entry that is no tensor.
const metadataKey = "__metadata__"

// entryKeys are what a tensor's entry has, in any order.
var entryKeys = [...]string{"dtype", "shape", "data_offsets"}

// parse reads a whole file into f.
func (f *File) parse(data []byte) error {
	header, body, err := cut(data)
	if err != nil {
		return err
	}
	h := headerReader{scanner: scanner{text: header}, body: body, file: f}
	if err := h.read(); err != nil {
		return err
	}
	return h.place()
}

// cut returns a file's header and the tensors' bytes.
func cut(data []byte) (header, body []byte, err error) {
	if bytes.HasPrefix(data, []byte("version https://git-lfs")) {
		return nil, nil, errors.New("a pointer of Git LFS, not the file: fetch it with git lfs pull")
	}
	if len(data) < 8 {
		return nil, nil, fmt.Errorf("%d bytes are too few for the length of a header: the file is cut off or no safetensors file", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader {
		return nil, nil, fmt.Errorf("header of %d bytes: at most %d are allowed, so this is no safetensors file", n, maxHeader)
	}
	if n > uint64(len(data)-8) {
		return nil, nil, fmt.Errorf("header of %d bytes in a file of %d: the file is cut off or no safetensors file", n, len(data))
	}
	header, body = data[8:8+n], data[8+n:]
	if !utf8.Valid(header) {
		return nil, nil, errors.New("the header is not UTF-8")
	}
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, errors.New("the header does not begin with {")
	}
	return header, body, nil
}

// A headerReader fills a File from its header.
type headerReader struct {
	scanner
	body   []byte
	file   *File
	begins []int // of each tensor in body
}

func (h *headerReader) read() error {
	if err := h.object(h.readEntry); err != nil {
		return err
	}
	if h.peek(); h.at < len(h.text) {
		return h.unexpected("the end of the header")
	}
	return nil
}

func (h *headerReader) readEntry(name string) error {
	if name == metadataKey {
		if h.file.Metadata != nil {
			return fmt.Errorf("the header has two %s", metadataKey)
		}
		return h.readMetadata()
	}
	if _, twice := h.file.index[name]; twice {
		return fmt.Errorf("two tensors are named %q", name)
	}
	if err := h.readTensor(name); err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	return nil
}

func (h *headerReader) readMetadata() error {
	metadata := map[string]string{}
	h.file.Metadata = metadata
	err := h.object(func(key string) (err error) {
		if _, twice := metadata[key]; twice {
			return fmt.Errorf("%q comes twice", key)
		}
		metadata[key], err = h.string("a string")
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", metadataKey, err)
	}
	return nil
}

// readTensor reads one tensor's entry and checks it by itself.
func (h *headerReader) readTensor(name string) error {
	t := Tensor{Name: name}
	var offsets []int
	var seen [len(entryKeys)]bool
	err := h.object(func(key string) (err error) {
		i := slices.Index(entryKeys[:], key)
		if i < 0 {
			return fmt.Errorf("unknown key %q", key)
		}
		if seen[i] {
			return fmt.Errorf("%s comes twice", key)
		}
		seen[i] = true
		switch key {
		case "dtype":
			t.DType, err = h.dtype()
		case "shape":
			t.Shape, err = h.sizes()
		case "data_offsets":
			offsets, err = h.sizes()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if i := slices.Index(seen[:], false); i >= 0 {
		return fmt.Errorf("no %s", entryKeys[i])
	}
	if t.Data, err = h.slice(t, offsets); err != nil {
		return err
	}
	h.file.index[name] = len(h.begins)
	h.file.tensors, h.begins = append(h.file.tensors, t), append(h.begins, offsets[0])
	return nil
}

func (h *headerReader) dtype() (DType, error) {
	s, err := h.string("a type's name")
	if err != nil {
		return "", err
	}
	if DType(s).Bits() == 0 {
		return "", fmt.Errorf("unknown type %q", s)
	}
	return DType(s), nil
}

// slice returns a tensor's bytes after checking that they are inside the file
// and as many as its type and shape say.
func (h *headerReader) slice(t Tensor, offsets []int) ([]byte, error) {
	if len(offsets) != 2 {
		return nil, fmt.Errorf("%d data_offsets instead of 2", len(offsets))
	}
	begin, end := offsets[0], offsets[1]
	if begin > end {
		return nil, fmt.Errorf("data_offsets begin at %d, after their end at %d", begin, end)
	}
	if end > len(h.body) {
		return nil, fmt.Errorf("data_offsets end at %d of %d bytes of data: the file is cut off or damaged", end, len(h.body))
	}
	size, err := byteSize(t.DType, t.Shape)
	if err != nil {
		return nil, err
	}
	if size != int64(end-begin) {
		return nil, fmt.Errorf("%d bytes for %s %v, which has %d", end-begin, t.DType, t.Shape, size)
	}
	return h.body[begin:end:end], nil
}

// byteSize returns how many bytes a tensor has.
func byteSize(d DType, shape []int) (int64, error) {
	n := int64(d.Bits())
	for _, s := range shape {
		if s > 0 && n > math.MaxInt64/int64(s) {
			return 0, fmt.Errorf("shape %v overflows", shape)
		}
		n *= int64(s)
	}
	if n%8 != 0 {
		return 0, fmt.Errorf("%s %v does not fill whole bytes", d, shape)
	}
	return n / 8, nil
}

// place sorts the tensors by their bytes, which must follow one another without
// gap or overlap from the first byte of the data to the last.
func (h *headerReader) place() error {
	tensors, order := h.file.tensors, make([]int, len(h.begins))
	for i := range order {
		order[i] = i
	}
	end := func(i int) int { return h.begins[i] + len(tensors[i].Data) }
	slices.SortStableFunc(order, func(a, b int) int { // empty tensors first
		return cmp.Or(cmp.Compare(h.begins[a], h.begins[b]), cmp.Compare(end(a), end(b)))
	})
	sorted, at := make([]Tensor, len(order)), 0
	for rank, i := range order {
		t := tensors[i]
		if gap := h.begins[i] - at; gap > 0 {
			return fmt.Errorf("a gap of %d bytes before tensor %q", gap, t.Name)
		} else if gap < 0 {
			return fmt.Errorf("tensor %q overlaps the one before it by %d bytes", t.Name, -gap)
		}
		at = end(i)
		sorted[rank], h.file.index[t.Name] = t, rank
	}
	if at != len(h.body) {
		return fmt.Errorf("%d bytes after the last tensor", len(h.body)-at)
	}
	h.file.tensors = sorted
	return nil
}
