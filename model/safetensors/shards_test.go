package safetensors

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWriteSharded(t *testing.T) {
	const single = "model.safetensors"
	of := func(i, n int) string { return fmt.Sprintf("model-%05d-of-%05d.safetensors", i, n) }
	for _, c := range []struct {
		name  string
		sizes []int // of the tensors a, b, c ...
		limit int64
		files []string // that the tensors come to lie in
	}{
		{"none", nil, 8, nil},
		{"all in one", []int{1, 2, 3}, 6, []string{single, single, single}},
		{"one byte over", []int{1, 2, 3}, 5, []string{of(1, 2), of(1, 2), of(2, 2)}},
		{"each by itself", []int{4, 4, 4}, 7, []string{of(1, 3), of(2, 3), of(3, 3)}},
		{"larger than the limit", []int{1, 9, 1}, 2, []string{of(1, 3), of(2, 3), of(3, 3)}},
		{"empty ones", []int{0, 9, 0, 2}, 2, []string{of(1, 2), of(1, 2), of(2, 2), of(2, 2)}},
		{"one larger than the limit", []int{9}, 1, []string{single}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			var entries []Entry
			for i, n := range c.sizes {
				entries = append(entries, entry(string(rune('a'+i)), U8, []int{n}, n))
			}
			if err := WriteSharded(dir, c.limit, nil, entries); err != nil {
				t.Fatal(err)
			}
			checkSharded(t, dir, c.sizes, c.files)
		})
	}
}

// checkSharded checks the tensors, and that the index has them where they are.
func checkSharded(t *testing.T, dir string, sizes []int, files []string) {
	t.Helper()
	c, err := OpenCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want, total := map[string]string{}, 0
	for i, n := range sizes {
		name := string(rune('a' + i))
		want[name], total = files[i], total+n
		if v, ok := c.Tensor(name); !ok || len(v.Data) != n || n > 1 && v.Data[1] != 1 {
			t.Errorf("tensor %q: %+v", name, v)
		}
	}
	names := slices.Compact(slices.Sorted(maps.Values(want)))
	if len(names) <= 1 {
		if got := ls(t, dir); !slices.Equal(got, []string{SingleFile}) {
			t.Errorf("files %q", got)
		}
		return
	}
	if got := ls(t, dir); !slices.Equal(got, append(names, IndexFile)) {
		t.Errorf("files %q, want %q and the index", got, names)
	}
	var index struct {
		Metadata  map[string]int    `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"`
	}
	text, err := os.ReadFile(filepath.Join(dir, IndexFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &index); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(index.WeightMap, want) || index.Metadata["total_size"] != total {
		t.Errorf("index %+v, want %v and %d bytes", index, want, total)
	}
}

// TestWriteShardedRefuses has the last tensor be wrong, so that shards before
// it are on disk already.
func TestWriteShardedRefuses(t *testing.T) {
	for _, c := range refusals {
		if c.metadata != nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			err := WriteSharded(dir, 1, nil, append([]Entry{entry("first", U8, []int{2}, 2)}, c.entries...))
			if err == nil || !strings.HasPrefix(err.Error(), "safetensors: "+dir) || !strings.HasSuffix(err.Error(), ": "+c.err) {
				t.Errorf("error %v, want %s", err, c.err)
			}
			if left := ls(t, dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestWriteShardedLimit(t *testing.T) {
	for _, limit := range []int64{0, -1} {
		err := WriteSharded(t.TempDir(), limit, nil, nil)
		if err == nil || !strings.HasSuffix(err.Error(), fmt.Sprintf("shards of at most %d bytes: the limit must be positive", limit)) {
			t.Errorf("error %v", err)
		}
	}
}

func TestWriteShardedKeepsModels(t *testing.T) {
	for _, name := range []string{SingleFile, IndexFile} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
		err := WriteSharded(dir, 1, nil, []Entry{entry("a", U8, nil, 1), entry("b", U8, nil, 1)})
		if err == nil || !strings.HasSuffix(err.Error(), "holds a model already: choose another directory") {
			t.Errorf("error %v", err)
		}
		if got := ls(t, dir); !slices.Equal(got, []string{name}) {
			t.Errorf("files %q", got)
		}
	}
}

// TestManyShards writes as many shards as need five digits to stay in order.
func TestManyShards(t *testing.T) {
	entries := make([]Entry, 12)
	for i := range entries {
		entries[i] = entry(fmt.Sprintf("t%02d", i), U8, nil, 1)
	}
	dir := t.TempDir()
	if err := WriteSharded(dir, 1, nil, entries); err != nil {
		t.Fatal(err)
	}
	got := ls(t, dir)
	if got[0] != "model-00001-of-00012.safetensors" || got[11] != "model-00012-of-00012.safetensors" {
		t.Errorf("files %q", got)
	}
	c, err := OpenCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if names := c.Names(); len(names) != 12 || !slices.IsSorted(names) {
		t.Errorf("tensors %q", names)
	}
}
