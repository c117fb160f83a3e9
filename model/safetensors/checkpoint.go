package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// The names that Hugging Face gives a model's files.
const (
	SingleFile = "model.safetensors"
	IndexFile  = "model.safetensors.index.json"
)

// A Checkpoint is the tensors of a model: of one file, or of the shards that an
// index names.
type Checkpoint struct {
	files  []*File
	holder map[string]*File // of each tensor
	names  []string
}

// OpenCheckpoint maps the files of the model in a directory.
func OpenCheckpoint(dir string) (*Checkpoint, error) {
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	return openCheckpoint(os.DirFS(dir), dir, func(name string) (*File, error) { return Open(filepath.Join(dir, name)) })
}

// OpenCheckpointFS reads the files of the model at the root of a file system.
func OpenCheckpointFS(files fs.FS) (*Checkpoint, error) {
	return openCheckpoint(files, ".", func(name string) (*File, error) {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("safetensors: %w", err)
		}
		return Parse(name, data)
	})
}

func openCheckpoint(files fs.FS, dir string, open func(name string) (*File, error)) (*Checkpoint, error) {
	// With both, transformers takes the single file too.
	if _, err := fs.Stat(files, SingleFile); !errors.Is(err, fs.ErrNotExist) {
		file, err := open(SingleFile)
		if err != nil {
			return nil, err
		}
		return single(file), nil
	}
	index, err := fs.ReadFile(files, IndexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("safetensors: %s: neither %s nor %s%s", dir, SingleFile, IndexFile, otherWeights(files))
	}
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", dir, err)
	}
	weightMap, err := parseIndex(index)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", filepath.Join(dir, IndexFile), err)
	}
	return sharded(dir, weightMap, open)
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("safetensors: %s: no such directory", dir)
	}
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("safetensors: %s: a file: give the directory that holds the model", dir)
	}
	return nil
}

// otherWeights gives advice when a directory holds weights in other formats.
func otherWeights(files fs.FS) string {
	for _, pattern := range []string{"*.bin", "*.pt", "*.pth", "*.gguf"} {
		if found, _ := fs.Glob(files, pattern); len(found) > 0 {
			return fmt.Sprintf(" (%s is another format: save the model as safetensors)", found[0])
		}
	}
	return ""
}

func single(file *File) *Checkpoint {
	c := &Checkpoint{files: []*File{file}, holder: map[string]*File{}, names: file.Names()}
	for _, n := range c.names {
		c.holder[n] = file
	}
	return c
}

// parseIndex returns the shard of each tensor.
func parseIndex(text []byte) (map[string]string, error) {
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return nil, err
	}
	if len(index.WeightMap) == 0 {
		return nil, errors.New("weight_map is missing or empty")
	}
	for tensor, shard := range index.WeightMap {
		if shard != filepath.Base(shard) || !filepath.IsLocal(shard) || shard == "." {
			return nil, fmt.Errorf("tensor %q is in %q, which is no file name in the same directory", tensor, shard)
		}
	}
	return index.WeightMap, nil
}

// sharded opens the shards and checks that they hold what the index says.
func sharded(dir string, weightMap map[string]string, open func(string) (*File, error)) (_ *Checkpoint, err error) {
	c, shardOf := &Checkpoint{holder: map[string]*File{}}, map[string]string{}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	for _, shard := range slices.Compact(slices.Sorted(maps.Values(weightMap))) {
		file, err := open(shard)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("safetensors: %s: no %s, which %s names: get the files that are missing", dir, shard, IndexFile)
		}
		if err != nil {
			return nil, err
		}
		c.files = append(c.files, file)
		for _, name := range file.Names() {
			if c.holder[name] != nil {
				return nil, fmt.Errorf("safetensors: %s: tensor %q is in %s and in %s", dir, name, shardOf[name], shard)
			}
			c.holder[name], shardOf[name] = file, shard
			c.names = append(c.names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(weightMap)) {
		if shardOf[name] != weightMap[name] {
			return nil, fmt.Errorf("safetensors: %s: tensor %q is not in %s, where %s has it", dir, name, weightMap[name], IndexFile)
		}
	}
	return c, nil
}

// Names returns the names of the tensors, shard by shard.
func (c *Checkpoint) Names() []string { return slices.Clone(c.names) }

// Tensor returns the tensor of a name. Its data is valid until Close.
func (c *Checkpoint) Tensor(name string) (Tensor, bool) {
	f := c.holder[name]
	if f == nil {
		return Tensor{}, false
	}
	return f.Tensor(name)
}

// Close ends the mappings: no tensor of the checkpoint may be used after it,
// unless it was kept.
func (c *Checkpoint) Close() error {
	var faults []error
	for _, f := range c.files {
		faults = append(faults, f.Close())
	}
	c.files, c.holder, c.names = nil, nil, nil
	return errors.Join(faults...)
}
