package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
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
func readGoldens(t testing.TB, fsys fs.FS, name string) (records []golden) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(readGzip(t, fsys, name)))
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

func readGzip(t testing.TB, fsys fs.FS, name string) []byte {
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
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return data
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

var samples = os.DirFS("testdata/golden")

// loadSample loads a tokenizer of testdata.
func loadSample(t testing.TB, name string) *Tokenizer {
	t.Helper()
	return loadJSON(t, readGzip(t, samples, name+"/tokenizer.json.gz"))
}

// sampleNames lists the tokenizers of testdata.
func sampleNames(t testing.TB) (names []string) {
	t.Helper()
	files, err := fs.Glob(samples, "*/tokenizer.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata has no tokenizers: %v", err)
	}
	for _, f := range files {
		names = append(names, path.Dir(f))
	}
	return names
}

// TestSample is TestGolden on the few records of testdata.
func TestSample(t *testing.T) {
	for _, name := range sampleNames(t) {
		t.Run(name, func(t *testing.T) {
			records := append(readGoldens(t, samples, name+".jsonl.gz"), readGoldens(t, samples, name+".decode.jsonl.gz")...)
			if bad := differences(t, loadSample(t, name), records); len(bad) > 0 {
				t.Errorf("of %d records differ, by category: %v", len(records), bad)
			}
		})
	}
}

// differences counts the records that tok gets wrong by category, and reports the first few, of those that may be
// excused all.
func differences(t *testing.T, tok *Tokenizer, records []golden) map[string]int {
	t.Helper()
	bad := map[string]int{}
	for i, g := range records {
		what := difference(tok, g)
		if what == "" {
			continue
		}
		if bad[g.Cat]++; bad[g.Cat] <= 3 || g.Cat == unassigned {
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

// fromRoot resolves a path of the environment: a relative one is relative to the module's root, where go test is run.
func fromRoot(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join("..", "..", path)
}

// foldersOf returns the folders that an environment variable lists.
func foldersOf(variable string) (dirs []string) {
	for _, dir := range filepath.SplitList(os.Getenv(variable)) {
		dirs = append(dirs, fromRoot(dir))
	}
	return dirs
}

// TestGolden compares with the official library's values, for every tokenizer of the folder GRAFT_TOKENIZER_GOLDEN
// and of its sub-folder variants: NAME.jsonl.gz and NAME.decode.jsonl.gz. The tokenizers are NAME/tokenizer.json
// beside them or in one of the folders that GRAFT_TOKENIZERS lists.
func TestGolden(t *testing.T) {
	dir := os.Getenv("GRAFT_TOKENIZER_GOLDEN")
	if dir == "" {
		t.Skip("GRAFT_TOKENIZER_GOLDEN is not set")
	}
	dir = fromRoot(dir)
	names, err := goldenNames(os.DirFS(dir))
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { checkGolden(t, filepath.Join(dir, path.Dir(name)), path.Base(name)) })
	}
}

// goldenNames lists the tokenizers of a golden folder. A folder without any is an error, and so is one with records
// that no name accounts for.
func goldenNames(fsys fs.FS) (names []string, err error) {
	err = fs.WalkDir(fsys, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".jsonl") {
			return err
		}
		name, zipped := strings.CutSuffix(file, ".jsonl.gz")
		if parent := path.Dir(file); !zipped || parent != "." && parent != "variants" {
			return fmt.Errorf("%s is neither NAME.jsonl.gz nor variants/NAME.jsonl.gz", file)
		}
		if base, lists := strings.CutSuffix(name, ".decode"); !lists {
			names = append(names, name)
		} else if _, err := fs.Stat(fsys, base+".jsonl.gz"); err != nil {
			return fmt.Errorf("%s has no texts beside it: %w", file, err)
		}
		return nil
	})
	if err == nil && len(names) == 0 {
		err = errors.New("no NAME.jsonl.gz")
	}
	return names, err
}

func TestGoldenNames(t *testing.T) {
	for _, c := range []struct{ files, want string }{
		{"a.jsonl.gz a.decode.jsonl.gz variants/b.jsonl.gz variants/b.decode.jsonl.gz variants/b/tokenizer.json files.json", "[a variants/b]"},
		{"README.md a/tokenizer.json", "no NAME.jsonl.gz"},
		{"a.jsonl", "a.jsonl is neither"},
		{"a.jsonl.gz other/b.jsonl.gz", "other/b.jsonl.gz is neither"},
		{"a.jsonl.gz b.decode.jsonl.gz", "b.decode.jsonl.gz has no texts"},
	} {
		fsys := fstest.MapFS{}
		for _, name := range strings.Fields(c.files) {
			fsys[name] = &fstest.MapFile{}
		}
		names, err := goldenNames(fsys)
		if got := fmt.Sprint(names, err); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.files, got, c.want)
		}
	}
}

func checkGolden(t *testing.T, dir, name string) {
	texts := readGoldens(t, os.DirFS(dir), name+".jsonl.gz")
	lists := readGoldens(t, os.DirFS(dir), name+".decode.jsonl.gz")
	for i, g := range texts {
		if g.IDs == nil || g.Plain == nil {
			t.Fatalf("text %d lacks ids or ids_plain", i)
		}
	}
	bad := differences(t, loadFile(t, goldenFile(t, dir, name)), append(texts, lists...))
	t.Logf("%d texts, %d id lists; of category unassigned differ %d", len(texts), len(lists), bad[unassigned])
	delete(bad, unassigned)
	if len(bad) > 0 {
		t.Errorf("records that differ, by category: %v", bad)
	}
}

// unassigned is the category of texts with a character that the Unicode of the official library's scripting language
// does not know; there, and nowhere else, tables of different age may differ. None does at present.
const unassigned = "unassigned"

// goldenFile finds the tokenizer.json of NAME.jsonl.gz in dir. A folder of models may call NAME by what it holds of it.
func goldenFile(t *testing.T, dir, name string) string {
	t.Helper()
	var tries []string
	for _, d := range append([]string{dir}, foldersOf("GRAFT_TOKENIZERS")...) {
		for _, suffix := range []string{"", "-tokenizer", "-hf"} {
			file := filepath.Join(d, name+suffix, "tokenizer.json")
			if _, err := os.Stat(file); err == nil {
				return file
			}
			tries = append(tries, file)
		}
	}
	t.Fatalf("GRAFT_TOKENIZERS: no tokenizer.json of %s: looked for %s", name, strings.Join(tries, ", "))
	return ""
}
