package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

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
// gets {"format":"pt"}, which transformers asks for.
func Write(file string, metadata map[string]string, entries []Entry) error {
	header, err := makeHeader(metadata, entries)
	if err != nil {
		return fmt.Errorf("safetensors: %s: %w", file, err)
	}
	err = atomicfile.Write(file, func(w io.Writer) error {
		if _, err := w.Write(header); err != nil {
			return err
		}
		for _, e := range entries {
			if err := e.write(w); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("safetensors: %s: %w", file, err)
	}
	return nil
}

// write writes the entry's bytes and counts them.
func (e Entry) write(w io.Writer) error {
	size, err := e.size()
	if err != nil {
		return err
	}
	counted := counter{w: w}
	if err := e.Write(&counted); err != nil {
		return fmt.Errorf("tensor %q: %w", e.Name, err)
	}
	if counted.n != size {
		return fmt.Errorf("tensor %q: %d bytes written of %d", e.Name, counted.n, size)
	}
	return nil
}

func (e Entry) size() (int64, error) {
	for _, s := range e.Shape {
		if s < 0 {
			return 0, fmt.Errorf("tensor %q: shape %v", e.Name, e.Shape)
		}
	}
	if e.DType.Bits() == 0 {
		return 0, fmt.Errorf("tensor %q: unknown dtype %q", e.Name, e.DType)
	}
	n, err := byteSize(e.DType, e.Shape)
	if err != nil {
		return 0, fmt.Errorf("tensor %q: %w", e.Name, err)
	}
	return n, nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// makeHeader returns the length and the header, padded with spaces so that the
// data begins at a multiple of 8.
func makeHeader(metadata map[string]string, entries []Entry) ([]byte, error) {
	if metadata == nil {
		metadata = map[string]string{"format": "pt"}
	}
	var text bytes.Buffer
	text.Write(make([]byte, 8))
	text.WriteString(`{"` + metadataKey + `":`)
	text.Write(marshal(metadata))
	seen, at := map[string]bool{metadataKey: true}, int64(0)
	for _, e := range entries {
		if seen[e.Name] {
			return nil, fmt.Errorf("tensor %q comes twice", e.Name)
		}
		seen[e.Name] = true
		size, err := e.size()
		if err != nil {
			return nil, err
		}
		shape := e.Shape
		if shape == nil {
			shape = []int{}
		}
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

// marshal returns the JSON of strings, numbers and maps of them.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// WriteSharded writes a model into dir: one file, or where that would be larger
// than maxBytes, several with an index, named as Hugging Face does. The index
// comes last, so that a directory with one is whole.
func WriteSharded(dir string, maxBytes int64, metadata map[string]string, entries []Entry) error {
	shards, total, err := split(entries, maxBytes)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	if len(shards) <= 1 {
		return Write(filepath.Join(dir, SingleFile), metadata, entries)
	}
	weightMap := map[string]string{}
	for i, shard := range shards {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		if err := Write(filepath.Join(dir, name), metadata, shard); err != nil {
			return err
		}
		for _, e := range shard {
			weightMap[e.Name] = name
		}
	}
	index, err := json.MarshalIndent(map[string]any{
		"metadata": map[string]int64{"total_size": total}, "weight_map": weightMap,
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Bytes(filepath.Join(dir, IndexFile), append(index, '\n')); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	return nil
}

// split deals the entries into files of at most maxBytes; a larger tensor gets
// one of its own.
func split(entries []Entry, maxBytes int64) (shards [][]Entry, total int64, err error) {
	var size int64
	for _, e := range entries {
		n, err := e.size()
		if err != nil {
			return nil, 0, err
		}
		if len(shards) == 0 || size+n > maxBytes {
			shards, size = append(shards, nil), 0
		}
		last := len(shards) - 1
		shards[last], size, total = append(shards[last], e), size+n, total+n
	}
	return shards, total, nil
}
