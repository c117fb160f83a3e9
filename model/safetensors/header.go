package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"
)

// maxHeader is the longest header that the format allows.
const maxHeader = 100_000_000

// metadataKey is the header's one entry that is no tensor.
const metadataKey = "__metadata__"

// parse reads a whole file and returns its tensors in the order of their bytes.
func parse(data []byte) (tensors []Tensor, metadata map[string]string, err error) {
	if len(data) < 8 {
		return nil, nil, fmt.Errorf("%d bytes are too few for the length of a header: the file is cut off or no safetensors file", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader {
		return nil, nil, fmt.Errorf("header of %d bytes: at most %d are allowed, so this is no safetensors file", n, maxHeader)
	}
	if n > uint64(len(data)-8) {
		return nil, nil, fmt.Errorf("header of %d bytes in a file of %d: the file is cut off", n, len(data))
	}
	header, body := data[8:8+n], data[8+n:]
	if !utf8.Valid(header) {
		return nil, nil, errors.New("the header is not UTF-8")
	}
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, errors.New("the header does not begin with {")
	}
	h := headerReader{body: body, d: json.NewDecoder(bytes.NewReader(header))}
	h.d.UseNumber()
	if err := h.read(); err != nil {
		return nil, nil, err
	}
	if err := h.place(); err != nil {
		return nil, nil, err
	}
	return h.tensors, h.metadata, nil
}

// A headerReader reads the header token by token: decoding into maps would hide
// that a name comes twice.
type headerReader struct {
	d        *json.Decoder
	body     []byte
	tensors  []Tensor
	begins   []int64 // of each tensor in body
	metadata map[string]string
}

func (h *headerReader) read() error {
	err := h.object("the header", func(name string) error {
		if name == metadataKey {
			return h.readMetadata()
		}
		return h.readTensor(name)
	})
	if err != nil {
		return err
	}
	if _, err := h.d.Token(); err != io.EOF {
		return errors.New("the header goes on after its object")
	}
	return nil
}

// object reads an object and calls value for each of its keys, which must
// differ, to read the value.
func (h *headerReader) object(what string, value func(key string) error) error {
	if err := h.delim(what, '{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for h.d.More() {
		t, err := h.d.Token()
		if err != nil {
			return fmt.Errorf("%s: %w", what, unexpected(err))
		}
		key := t.(string)
		if seen[key] {
			return fmt.Errorf("%s names %q twice", what, key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	return h.delim(what, '}')
}

func (h *headerReader) delim(what string, want json.Delim) error {
	t, err := h.d.Token()
	if err != nil {
		return fmt.Errorf("%s: %w", what, unexpected(err))
	}
	if t != want {
		return fmt.Errorf("%s: %v instead of %v", what, t, want)
	}
	return nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (h *headerReader) readMetadata() error {
	h.metadata = map[string]string{}
	return h.object(metadataKey, func(key string) error {
		t, err := h.d.Token()
		if err != nil {
			return fmt.Errorf("%s: %w", metadataKey, unexpected(err))
		}
		s, ok := t.(string)
		if !ok {
			return fmt.Errorf("%s: %q is not a string", metadataKey, key)
		}
		h.metadata[key] = s
		return nil
	})
}

// readTensor reads one tensor's entry and checks it by itself.
func (h *headerReader) readTensor(name string) error {
	t, what := Tensor{Name: name, Shape: []int{}}, fmt.Sprintf("tensor %q", name)
	var offsets []int64
	missing := map[string]bool{"dtype": true, "shape": true, "data_offsets": true}
	err := h.object(what, func(key string) (err error) {
		delete(missing, key)
		switch key {
		case "dtype":
			t.DType, err = h.dtype(what)
		case "shape":
			var dims []int64
			if dims, err = h.numbers(what + ": shape"); err == nil {
				t.Shape = toInts(dims)
			}
		case "data_offsets":
			offsets, err = h.numbers(what + ": data_offsets")
		default:
			err = fmt.Errorf("%s: unknown key %q", what, key)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, key := range []string{"dtype", "shape", "data_offsets"} {
		if missing[key] {
			return fmt.Errorf("%s: no %s", what, key)
		}
	}
	if t.Data, err = h.slice(t, offsets); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	h.tensors, h.begins = append(h.tensors, t), append(h.begins, offsets[0])
	return nil
}

func toInts(v []int64) []int {
	n := make([]int, len(v))
	for i, x := range v {
		n[i] = int(x)
	}
	return n
}

func (h *headerReader) dtype(what string) (DType, error) {
	t, err := h.d.Token()
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, unexpected(err))
	}
	s, ok := t.(string)
	if !ok || DType(s).Bits() == 0 {
		return "", fmt.Errorf("%s: unknown dtype %v", what, t)
	}
	return DType(s), nil
}

// numbers reads an array of integers that are not negative.
func (h *headerReader) numbers(what string) (list []int64, err error) {
	if err := h.delim(what, '['); err != nil {
		return nil, err
	}
	for h.d.More() {
		t, err := h.d.Token()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, unexpected(err))
		}
		number, ok := t.(json.Number)
		n, err := number.Int64()
		if !ok || err != nil || n < 0 || n > math.MaxInt {
			return nil, fmt.Errorf("%s: %v is not a size", what, t)
		}
		list = append(list, n)
	}
	return list, h.delim(what, ']')
}

// slice returns a tensor's bytes after checking that they are inside the file
// and as many as its type and shape say.
func (h *headerReader) slice(t Tensor, offsets []int64) ([]byte, error) {
	if len(offsets) != 2 {
		return nil, fmt.Errorf("%d data_offsets instead of 2", len(offsets))
	}
	begin, end := offsets[0], offsets[1]
	if begin > end || end > int64(len(h.body)) {
		return nil, fmt.Errorf("data_offsets %d to %d are outside the %d bytes of data: the file is cut off or damaged", begin, end, len(h.body))
	}
	size, err := byteSize(t.DType, t.Shape)
	if err != nil {
		return nil, err
	}
	if size != end-begin {
		return nil, fmt.Errorf("%d bytes for %s %v, which has %d", end-begin, t.DType, t.Shape, size)
	}
	return h.body[begin:end:end], nil
}

// byteSize returns how many bytes a tensor has.
func byteSize(d DType, shape []int) (int64, error) {
	n := int64(1)
	for _, s := range shape {
		if s > 0 && n > math.MaxInt64/int64(s) {
			return 0, fmt.Errorf("shape %v overflows", shape)
		}
		n *= int64(s)
	}
	if b := int64(d.Bits()); b > 0 && n > math.MaxInt64/b {
		return 0, fmt.Errorf("shape %v overflows", shape)
	}
	if n *= int64(d.Bits()); n%8 != 0 {
		return 0, fmt.Errorf("%s %v does not fill whole bytes", d, shape)
	}
	return n / 8, nil
}

// place sorts the tensors by their bytes, which must follow one another without
// gap or overlap from the first byte of the data to the last.
func (h *headerReader) place() error {
	order := make([]int, len(h.tensors))
	for i := range order {
		order[i] = i
	}
	end := func(i int) int64 { return h.begins[i] + int64(len(h.tensors[i].Data)) }
	slices.SortStableFunc(order, func(a, b int) int {
		if h.begins[a] != h.begins[b] {
			return int(h.begins[a] - h.begins[b])
		}
		return int(end(a) - end(b)) // empty tensors first
	})
	sorted, at := make([]Tensor, 0, len(order)), int64(0)
	for _, i := range order {
		name := h.tensors[i].Name
		if h.begins[i] > at {
			return fmt.Errorf("a gap of %d bytes before tensor %q", h.begins[i]-at, name)
		}
		if h.begins[i] < at {
			return fmt.Errorf("tensor %q overlaps the one before it by %d bytes", name, at-h.begins[i])
		}
		at = end(i)
		sorted = append(sorted, h.tensors[i])
	}
	if at != int64(len(h.body)) {
		return fmt.Errorf("%d bytes after the last tensor", int64(len(h.body))-at)
	}
	h.tensors = sorted
	return nil
}
