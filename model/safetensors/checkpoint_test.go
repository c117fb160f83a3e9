package safetensors

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// one returns a file that holds tensors of one byte each.
func one(names ...string) string {
	var entries []string
	for i, n := range names {
		entries = append(entries, `"`+n+`":{"dtype":"U8","shape":[1],"data_offsets":[`+string(rune('0'+i))+`,`+string(rune('1'+i))+`]}`)
	}
	return string(pack("{"+strings.Join(entries, ",")+"}", len(names)))
}

func index(weightMap string) string {
	return `{"metadata":{"total_size":2},"weight_map":{` + weightMap + `}}`
}

var checkpoints = []struct {
	name  string
	files map[string]string
	names []string // of the tensors
	err   string   // after the directory; names and err exclude each other
}{
	{"single", map[string]string{"model.safetensors": one("a", "b")}, []string{"a", "b"}, ""},
	{"sharded", map[string]string{
		"model.safetensors.index.json": index(`"b":"2.safetensors","c":"2.safetensors","a":"1.safetensors"`),
		"1.safetensors":                one("a"), "2.safetensors": one("b", "c"),
	}, []string{"a", "b", "c"}, ""},
	{"more in a shard than in the index", map[string]string{
		"model.safetensors.index.json": index(`"a":"1.safetensors"`), "1.safetensors": one("a", "b"),
	}, []string{"a", "b"}, ""},
	{"both", map[string]string{
		"model.safetensors": one("single"), "model.safetensors.index.json": index(`"a":"1.safetensors"`), "1.safetensors": one("a"),
	}, []string{"single"}, ""},
	{"nothing", map[string]string{"config.json": "{}"}, nil, ": neither model.safetensors nor model.safetensors.index.json"},
	{"another format", map[string]string{"pytorch_model.bin": ""}, nil,
		": neither model.safetensors nor model.safetensors.index.json (pytorch_model.bin is another format: save the model as safetensors)"},
	{"llama.cpp's format", map[string]string{"m.gguf": ""}, nil,
		": neither model.safetensors nor model.safetensors.index.json (m.gguf is another format: save the model as safetensors)"},
	{"damaged", map[string]string{"model.safetensors": one("a")[:20]}, nil, "model.safetensors: header of 53 bytes in a file of 20: the file is cut off or no safetensors file"},
	{"index is no JSON", map[string]string{"model.safetensors.index.json": "{"}, nil, "model.safetensors.index.json: unexpected end of JSON input"},
	{"index without a map", map[string]string{"model.safetensors.index.json": "{}"}, nil, "model.safetensors.index.json: weight_map is missing or empty"},
	{"index of an empty map", map[string]string{"model.safetensors.index.json": index("")}, nil, "model.safetensors.index.json: weight_map is missing or empty"},
	{"map of numbers", map[string]string{"model.safetensors.index.json": index(`"a":1`)}, nil, "cannot unmarshal number"},
	{"missing shard", map[string]string{
		"model.safetensors.index.json": index(`"a":"1.safetensors","b":"2.safetensors"`), "1.safetensors": one("a"),
	}, nil, ": no 2.safetensors, which model.safetensors.index.json names: get the files that are missing"},
	{"damaged shard", map[string]string{
		"model.safetensors.index.json": index(`"a":"1.safetensors","b":"2.safetensors"`), "1.safetensors": one("a"), "2.safetensors": "version https://git-lfs",
	}, nil, "2.safetensors: a pointer of Git LFS, not the file: fetch it with git lfs pull"},
	{"tensor in two shards", map[string]string{
		"model.safetensors.index.json": index(`"a":"1.safetensors","b":"2.safetensors"`), "1.safetensors": one("a"), "2.safetensors": one("b", "a"),
	}, nil, `: tensor "a" is in 1.safetensors and in 2.safetensors`},
	{"tensor elsewhere", map[string]string{
		"model.safetensors.index.json": index(`"a":"2.safetensors","b":"1.safetensors"`), "1.safetensors": one("a"), "2.safetensors": one("b"),
	}, nil, `: tensor "a" is not in 2.safetensors, where model.safetensors.index.json has it`},
	{"tensor nowhere", map[string]string{
		"model.safetensors.index.json": index(`"a":"1.safetensors","z":"1.safetensors"`), "1.safetensors": one("a"),
	}, nil, `: tensor "z" is not in 1.safetensors, where model.safetensors.index.json has it`},
	{"shard above", map[string]string{"model.safetensors.index.json": index(`"a":"../1.safetensors"`)}, nil,
		`model.safetensors.index.json: tensor "a" is in "../1.safetensors", which is no file name in the same directory`},
	{"shard at the root", map[string]string{"model.safetensors.index.json": index(`"a":"/etc/passwd"`)}, nil,
		`model.safetensors.index.json: tensor "a" is in "/etc/passwd", which is no file name in the same directory`},
	{"shard below", map[string]string{"model.safetensors.index.json": index(`"a":"d/1.safetensors"`)}, nil,
		`model.safetensors.index.json: tensor "a" is in "d/1.safetensors", which is no file name in the same directory`},
	{"shard is the directory", map[string]string{"model.safetensors.index.json": index(`"a":"."`)}, nil,
		`model.safetensors.index.json: tensor "a" is in ".", which is no file name in the same directory`},
	{"shard is the directory above", map[string]string{"model.safetensors.index.json": index(`"a":".."`)}, nil,
		`model.safetensors.index.json: tensor "a" is in "..", which is no file name in the same directory`},
	{"shard without a name", map[string]string{"model.safetensors.index.json": index(`"a":""`)}, nil,
		`model.safetensors.index.json: tensor "a" is in "", which is no file name in the same directory`},
}

// TestCheckpoint opens each from a directory and from a file system in memory.
func TestCheckpoint(t *testing.T) {
	for _, c := range checkpoints {
		t.Run(c.name, func(t *testing.T) {
			dir, memory := t.TempDir(), fstest.MapFS{}
			for name, content := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
					t.Fatal(err)
				}
				memory[name] = &fstest.MapFile{Data: []byte(content)}
			}
			onDisk, err := OpenCheckpoint(dir)
			checkCheckpoint(t, onDisk, err, c.names, c.err)
			inMemory, err := OpenCheckpointFS(memory)
			checkCheckpoint(t, inMemory, err, c.names, c.err)
		})
	}
}

func checkCheckpoint(t *testing.T, c *Checkpoint, err error, names []string, want string) {
	t.Helper()
	if want != "" {
		if err == nil || !strings.HasPrefix(err.Error(), "safetensors: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error\n%v\nwant\n%s", err, want)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Names(), names) {
		t.Errorf("tensors %q, want %q", c.Names(), names)
	}
	for _, name := range names {
		if v, ok := c.Tensor(name); !ok || v.Name != name || len(v.Data) != 1 {
			t.Errorf("tensor %q: %+v", name, v)
		}
	}
	if _, ok := c.Tensor("no such name"); ok {
		t.Error("a tensor that is not there")
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, ok := c.Tensor(names[0]); ok || len(c.Names()) > 0 {
		t.Error("tensors of a closed checkpoint")
	}
}

func TestCheckpointWithoutDirectory(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenCheckpoint(filepath.Join(dir, "none")); err == nil || !strings.HasSuffix(err.Error(), "none: no such directory") {
		t.Errorf("error %v", err)
	}
	path := save(t, sound)
	if _, err := OpenCheckpoint(path); err == nil || !strings.HasSuffix(err.Error(), path+": a file: give the directory that holds the model") {
		t.Errorf("error %v", err)
	}
}

// TestCheckpointOfLinks opens a directory as Hugging Face's cache lays it out:
// links to files elsewhere.
func TestCheckpointOfLinks(t *testing.T) {
	blobs, dir := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{IndexFile: index(`"a":"1.safetensors"`), "1.safetensors": one("a")} {
		if err := os.WriteFile(filepath.Join(blobs, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(blobs, name), filepath.Join(dir, name)); err != nil {
			t.Skipf("no links here: %v", err)
		}
	}
	c, err := OpenCheckpoint(dir)
	checkCheckpoint(t, c, err, []string{"a"}, "")
}
