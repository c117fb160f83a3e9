package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/seed-5afa5581/graft/internal/atomicfile"
)

// An Entry is a tensor to be written. Write writes its bytes, exactly as many as
// type and shape say, when their turn comes.
type Entry struct {
	Name  string
	DType DType
	Shape []int
	Write func(w io.Writer) error
}

// Float32Entry returns an Entry for v as elements of d, as Encode does.
func Float32Entry(name string, d DType, shape []int, v []float32) Entry {
	return Entry{name, d, shape, func(w io.Writer) error { return WriteFloats(w, d, v) }}
}

// Write writes a file that is there whole or not at all. Without metadata it
// gets {"format":"pt"}, which transformers asks for. Larger types come first, so
// that every tensor begins at a multiple of its elements' size; among those of
// one size the order is that of entries.
func Write(file string, metadata map[string]string, entries []Entry) error {
	err := atomicfile.Write(file, func(w io.Writer) error { return WriteTo(w, metadata, entries) })
	if err != nil {
		return fmt.Errorf("safetensors: %s: %w", file, err)
	}
	return nil
}

// WriteTo writes what Write does, wherever w leads.
func WriteTo(w io.Writer, metadata map[string]string, entries []Entry) error {
	entries = aligned(entries)
	header, err := makeHeader(metadata, entries)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, e := range entries {
		if err := e.write(w); err != nil {
			return err
		}
	}
	return nil
}

// aligned returns the entries in the order that Write promises.
func aligned(entries []Entry) []Entry {
	return slices.SortedStableFunc(slices.Values(entries), func(a, b Entry) int {
		return cmp.Compare(b.DType.Bits(), a.DType.Bits())
	})
}

// write writes the entry's bytes and counts them.
func (e Entry) write(w io.Writer) error {
	size, err := e.size()
	if err != nil {
		return err
	}
	counted := counter{w: w, left: size}
	if err := e.Write(&counted); err != nil {
		return fmt.Errorf("tensor %q: %w", e.Name, err)
	}
	if counted.left != 0 {
		return fmt.Errorf("tensor %q: %d bytes written of %d", e.Name, size-counted.left, size)
	}
	return nil
}

// size checks the entry and returns how many bytes it has.
func (e Entry) size() (int64, error) {
	if e.Name == metadataKey || !utf8.ValidString(e.Name) {
		return 0, fmt.Errorf("tensor %q: not a name that the format allows", e.Name)
	}
	if e.DType.Bits() == 0 {
		return 0, fmt.Errorf("tensor %q: unknown type %q", e.Name, e.DType)
	}
	if slices.ContainsFunc(e.Shape, func(n int) bool { return n < 0 }) {
		return 0, fmt.Errorf("tensor %q: shape %v", e.Name, e.Shape)
	}
	n, err := byteSize(e.DType, e.Shape)
	if err != nil {
		return 0, fmt.Errorf("tensor %q: %w", e.Name, err)
	}
	return n, nil
}

// A counter passes on as many bytes as are left.
type counter struct {
	w    io.Writer
	left int64
}

func (c *counter) Write(b []byte) (int, error) {
	if int64(len(b)) > c.left {
		return 0, errors.New("more bytes written than its type and shape say")
	}
	n, err := c.w.Write(b)
	c.left -= int64(n)
	return n, err
}

// makeHeader returns the length and the header, padded with spaces so that the
// data begins at a multiple of 8.
func makeHeader(metadata map[string]string, entries []Entry) ([]byte, error) {
	if metadata == nil {
		metadata = map[string]string{"format": "pt"}
	}
	if err := checkMetadata(metadata); err != nil {
		return nil, err
	}
	if err := checkNames(entries); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	text.Write(make([]byte, 8))
	text.WriteString(`{"` + metadataKey + `":`)
	text.Write(marshal(metadata))
	at := int64(0)
	for _, e := range entries {
		size, err := e.size()
		if err != nil {
			return nil, err
		}
		shape := append([]int{}, e.Shape...) // [] rather than null
		fmt.Fprintf(&text, `,%s:{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}`, marshal(e.Name), e.DType, marshal(shape), at, at+size)
		at += size
	}
	text.WriteByte('}')
	for text.Len()%8 != 0 {
		text.WriteByte(' ')
	}
	if text.Len()-8 > maxHeader {
		return nil, errors.New("too many tensors for one file")
	}
	header := text.Bytes()
	binary.LittleEndian.PutUint64(header, uint64(len(header)-8))
	return header, nil
}

func checkMetadata(metadata map[string]string) error {
	for key, value := range metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return fmt.Errorf("metadata %q: %q is not UTF-8", key, value)
		}
	}
	return nil
}

func checkNames(entries []Entry) error {
	seen := map[string]bool{}
	for _, e := range entries {
		if seen[e.Name] {
			return fmt.Errorf("two tensors are named %q", e.Name)
		}
		seen[e.Name] = true
	}
	return nil
}

// marshal returns the JSON of strings, numbers and maps of them.
func marshal(v any) []byte {
	b, _ := json.Marshal(v) // always works for these
	return b
}
