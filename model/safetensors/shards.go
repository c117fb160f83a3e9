package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed-5afa5581/graft/internal/atomicfile"
)

// WriteSharded writes a model into dir: one file, or where its tensors take more
// than maxBytes, several with an index, named as Hugging Face does. The index
// comes last, so that a directory with one is whole; after an error no file of
// it is left. A directory that holds a model already is refused.
func WriteSharded(dir string, maxBytes int64, metadata map[string]string, entries []Entry) error {
	for _, name := range []string{SingleFile, IndexFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("safetensors: %s holds a model already: choose another directory", dir)
		}
	}
	if err := checkNames(entries); err != nil {
		return fmt.Errorf("safetensors: %s: %w", dir, err)
	}
	shards, total, err := split(entries, maxBytes)
	if err != nil {
		return fmt.Errorf("safetensors: %s: %w", dir, err)
	}
	if len(shards) <= 1 {
		return Write(filepath.Join(dir, SingleFile), metadata, entries)
	}
	return writeShards(dir, metadata, shards, total)
}

// writeShards writes the shards and their index, which has the total of bytes.
func writeShards(dir string, metadata map[string]string, shards [][]Entry, total int64) (err error) {
	var written []string
	defer func() {
		if err != nil {
			for _, path := range written {
				err = errors.Join(err, os.Remove(path))
			}
		}
	}()
	weightMap := map[string]string{}
	for i, shard := range shards {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		if err := Write(filepath.Join(dir, name), metadata, shard); err != nil {
			return err
		}
		written = append(written, filepath.Join(dir, name))
		for _, e := range shard {
			weightMap[e.Name] = name
		}
	}
	index, err := json.MarshalIndent(map[string]any{
		"metadata": map[string]int64{"total_size": total}, "weight_map": weightMap,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("safetensors: %s: %w", dir, err)
	}
	if err := atomicfile.Bytes(filepath.Join(dir, IndexFile), append(index, '\n')); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	return nil
}

// split deals the entries into files of at most maxBytes; a larger tensor gets
// one of its own.
func split(entries []Entry, maxBytes int64) (shards [][]Entry, total int64, err error) {
	if maxBytes <= 0 {
		return nil, 0, fmt.Errorf("shards of at most %d bytes: the limit must be positive", maxBytes)
	}
	var size int64
	for _, e := range entries {
		n, err := e.size()
		if err != nil {
			return nil, 0, err
		}
		if len(shards) == 0 || n > maxBytes-size && size > 0 {
			shards, size = append(shards, nil), 0
		}
		last := len(shards) - 1
		shards[last], size, total = append(shards[last], e), size+n, total+n
	}
	return shards, total, nil
}
