package tokenizer

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A golden is a record of NAME.jsonl.gz (with text) or of NAME.decode.jsonl.gz (with ids alone).
type golden struct {
	Cat         string
	Text        string
	IDs         []int32
	Plain       []int32 `json:"ids_plain"`
	Decoded     string
	DecodedSkip string `json:"decoded_skip"`
}

// readGoldens reads a gzipped file of one JSON record a line.
func readGoldens(t *testing.T, fsys fs.FS, name string) (records []golden) {
	t.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	d := json.NewDecoder(bufio.NewReader(z))
	for {
		var g golden
		if err := d.Decode(&g); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%s: record %d: %v", name, len(records), err)
		}
		records = append(records, g)
	}
	if len(records) == 0 {
		t.Fatalf("%s has no records", name)
	}
	return records
}

// loadFile loads tokenizer.json alone: the golden values are the file's, whatever stands beside it.
func loadFile(t testing.TB, path string) *Tokenizer {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return loadJSON(t, data)
}

func loadJSON(t testing.TB, data []byte) *Tokenizer {
	t.Helper()
	tok, err := Load(fstest.MapFS{"tokenizer.json": {Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// differences counts the records that tok gets wrong, reports the first few, and returns the count by category.
func differences(t *testing.T, tok *Tokenizer, records []golden) map[string]int {
	t.Helper()
	bad := map[string]int{}
	for i, g := range records {
		what := difference(tok, g)
		if what == "" {
			continue
		}
		if bad[g.Cat]++; bad[g.Cat] <= 3 {
			t.Logf("record %d (%s): %.300q: %s", i, g.Cat, g.Text, what)
		}
	}
	return bad
}

// difference tells how tok differs from a record, or "".
func difference(tok *Tokenizer, g golden) string {
	if g.Plain != nil {
		if got := tok.Encode(g.Text); !slices.Equal(got, g.IDs) {
			return fmt.Sprintf("ids %.300v, want %.300v", fmt.Sprint(got), fmt.Sprint(g.IDs))
		}
		if got := tok.EncodePlain(g.Text); !slices.Equal(got, g.Plain) {
			return fmt.Sprintf("plain ids %.300v, want %.300v", fmt.Sprint(got), fmt.Sprint(g.Plain))
		}
		if got, spans := tok.EncodeOffsets(g.Text, true); !slices.Equal(got, g.IDs) || len(spans) != len(got) {
			return fmt.Sprintf("ids with offsets %.300v, want %.300v", fmt.Sprint(got), fmt.Sprint(g.IDs))
		}
	}
	if got := tok.Decode(g.IDs); got != g.Decoded {
		return fmt.Sprintf("ids %v decode to %.300q, want %.300q", g.IDs[:min(len(g.IDs), 30)], got, g.Decoded)
	}
	if got := tok.DecodeSkip(g.IDs); got != g.DecodedSkip {
		return fmt.Sprintf("ids %v decode without special tokens to %.300q, want %.300q", g.IDs[:min(len(g.IDs), 30)], got, g.DecodedSkip)
	}
	return ""
}

// goldenFile finds the tokenizer.json of a golden file: in the golden folder itself, or under files by name.
func goldenFile(dir, files, name string) (string, error) {
	tries := []string{
		filepath.Join(dir, name, "tokenizer.json"),
		filepath.Join(files, name, "tokenizer.json"),
		filepath.Join(files, name+"-tokenizer", "tokenizer.json"),
		filepath.Join(files, name+"-hf", "tokenizer.json"),
	}
	for _, path := range tries {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no tokenizer.json for %s; looked for %s", name, strings.Join(tries, ", "))
}

// TestGolden compares with the official library's values, for every tokenizer of the folder GRAFT_TOKENIZER_GOLDEN
// and of its sub-folder variants: NAME.jsonl.gz and NAME.decode.jsonl.gz. Their files are in the folder itself or,
// as NAME/tokenizer.json, in one of those that GRAFT_TOKENIZERS lists.
func TestGolden(t *testing.T) {
	dir := os.Getenv("GRAFT_TOKENIZER_GOLDEN")
	if dir == "" {
		t.Skip("GRAFT_TOKENIZER_GOLDEN is not set")
	}
	names := goldenNames(t, dir)
	for _, name := range names {
		t.Run(name, func(t *testing.T) { checkGolden(t, filepath.Dir(filepath.Join(dir, name)), filepath.Base(name)) })
	}
}

// goldenNames lists the tokenizers of a golden folder; it fails if there are none or a file is of no known name.
func goldenNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	for _, sub := range []string{"", "variants"} {
		files, _ := filepath.Glob(filepath.Join(dir, sub, "*.gz"))
		for _, f := range files {
			base, ok := strings.CutSuffix(filepath.Base(f), ".jsonl.gz")
			if !ok {
				t.Fatalf("%s is not NAME.jsonl.gz", f)
			}
			base = strings.TrimSuffix(base, ".decode")
			if name := filepath.Join(sub, base); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		t.Fatalf("%s has no NAME.jsonl.gz", dir)
	}
	return names
}

func checkGolden(t *testing.T, dir, name string) {
	var path string
	var err error
	for _, files := range filepath.SplitList(os.Getenv("GRAFT_TOKENIZERS")) {
		if path, err = goldenFile(dir, files, name); err == nil {
			break
		}
	}
	if path == "" {
		if path, err = goldenFile(dir, dir, name); err != nil {
			t.Fatal(err)
		}
	}
	tok := loadFile(t, path)
	root := os.DirFS(dir)
	texts := readGoldens(t, root, name+".jsonl.gz")
	lists := readGoldens(t, root, name+".decode.jsonl.gz")
	bad := differences(t, tok, append(texts, lists...))
	excused := bad["unassigned"]
	delete(bad, "unassigned")
	t.Logf("%d texts, %d id lists; of category unassigned differ %d", len(texts), len(lists), excused)
	if len(bad) > 0 {
		t.Errorf("records that differ, by category: %v", bad)
	}
}
