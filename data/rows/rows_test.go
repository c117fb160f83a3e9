package rows

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// read returns what a file in memory holds, one "place object" a row.
func read(t testing.TB, name string, content []byte) (got []string, f *File, err error) {
	t.Helper()
	if f, err = Memory(name, content); err != nil {
		return nil, nil, err
	}
	for r, e := range f.Rows() {
		if e != nil {
			return got, f, e
		}
		if !json.Valid(r.JSON) {
			t.Errorf("%s: %s is not JSON", r.Place, r.JSON)
		}
		got = append(got, r.Place.String()+" "+string(r.JSON))
	}
	return got, f, nil
}

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          []string
	}{
		{"a.jsonl", "{\"a\":1}\r\n\n{\"a\":2}", []string{`a.jsonl:1 {"a":1}`, `a.jsonl:3 {"a":2}`}},
		{"a.ndjson", "{\"a\":1}\n", []string{`a.ndjson:1 {"a":1}`}},
		{"a.jsonl", "[{\"a\":1},\n{\"a\":2}]", []string{`a.jsonl:1 {"a":1}`, `a.jsonl:2 {"a":2}`}},
		{"a.json", "[\n{\"a\":\n\"}]\\\"\"},\n{\"a\":[{}]} ]\n", []string{"a.json:2 {\"a\":\n\"}]\\\"\"}", `a.json:4 {"a":[{}]}`}},
		{"a.json", "{\"a\":1}\n{\"a\":2}", []string{`a.json:1 {"a":1}`, `a.json:2 {"a":2}`}},
		{"a.json", "{\n\"conversations\": [{\"from\":\"human\"}]\n}", []string{"a.json:1 {\n\"conversations\": [{\"from\":\"human\"}]\n}"}},
		{"a.json", "{\"version\":\"1\",\n\"data\":[\n{\"a\":1},{\"a\":2}\n]}", []string{`a.json:3 {"a":1}`, `a.json:3 {"a":2}`}},
		{"a.csv", "a,b\n1,\"x\ny\"\n2,\"\"\"q\"\"\"\n", []string{`a.csv:2 {"a":"1","b":"x\ny"}`, `a.csv:4 {"a":"2","b":"\"q\""}`}},
		{"a.csv", "a;b\r\n1;<2>\r\n", []string{`a.csv:2 {"a":"1","b":"<2>"}`}},
		{"a.tsv", "a\tb\nx,y\tz\n", []string{`a.tsv:2 {"a":"x,y","b":"z"}`}},
		{"a.txt", "hello\nyou", []string{`a.txt {"text":"hello\nyou"}`}},
		{"A.MD", "# hello", []string{`A.MD {"text":"# hello"}`}},
	} {
		got, _, err := read(t, c.name, []byte(c.content))
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s %q: %q, %v; want %q", c.name, c.content, got, err, c.want)
		}
	}
}

func TestCompression(t *testing.T) {
	text := []byte(`{"a":1}`)
	var g bytes.Buffer
	z := gzip.NewWriter(&g)
	if _, err := z.Write(text); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"a.jsonl.gz": g.Bytes(), "a.jsonl.zst": e.EncodeAll(text, nil)} {
		got, f, err := read(t, name, content)
		if err != nil || len(got) != 1 || got[0] != name+`:1 {"a":1}` || f.Compression == "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if _, _, err := read(t, name, content[:len(content)-3]); err == nil {
			t.Errorf("%s: cut short, and no error", name)
		}
		if _, _, err := read(t, name, text); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: not compressed: %v", name, err)
		}
	}
}

func TestEncodings(t *testing.T) {
	// The character that is not ASCII stands beyond the first window, and on the
	// edges of one.
	for _, fill := range []int{0, 1, window - 1, window, window + 1, 3 * window} {
		want := `{"a":"` + strings.Repeat("x", fill) + `劳动合同，第一条"}`
		gb, err := simplifiedchinese.GB18030.NewEncoder().String(want)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ encoding, content string }{
			{"UTF-8", want},
			{"UTF-8 with a byte order mark", "\ufeff" + want},
			{"UTF-16 (little endian)", utf16(t, unicode.LittleEndian, unicode.UseBOM, want)},
			{"UTF-16 (big endian)", utf16(t, unicode.BigEndian, unicode.UseBOM, want)},
			{"UTF-16 (little endian)", utf16(t, unicode.LittleEndian, unicode.IgnoreBOM, want)},
			{"UTF-16 (big endian)", utf16(t, unicode.BigEndian, unicode.IgnoreBOM, want)},
			{"GB18030", gb},
		} {
			got, f, err := read(t, "a.jsonl", []byte(c.content))
			if err != nil || len(got) != 1 || got[0] != "a.jsonl:1 "+want || f.Encoding != c.encoding {
				t.Errorf("%s after %d bytes: read as %v, %d rows, %v", c.encoding, fill, f, len(got), err)
			}
		}
	}
}

func utf16(t *testing.T, order unicode.Endianness, mark unicode.BOMPolicy, s string) string {
	t.Helper()
	out, err := unicode.UTF16(order, mark).NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestParquet(t *testing.T) {
	for name, want := range map[string][]string{
		"pairs.parquet": {`:1 {"prompt":"a","completion":"b"}`, `:2 {"prompt":"c","completion":"d"}`},
		"nested.parquet": {
			`:1 {"id":1,"conversations":[{"from":"human","value":"a\n\"b\""},{"from":"gpt","value":"é"}],"score":0.5,"tags":["x",null],"meta":{"n":null,"ok":true}}`,
			`:2 {"id":2,"conversations":[],"score":null,"tags":null,"meta":null}`,
			`:3 {"id":3,"conversations":null,"score":2,"tags":[],"meta":{"n":7,"ok":false}}`,
		},
	} {
		path := filepath.Join("testdata", name)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := read(t, name, content)
		for i := range want {
			want[i] = name + want[i]
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if _, _, err := read(t, name, content[:len(content)/2]); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("half of %s: %v", name, err)
		}
	}
}

func TestLZ4(t *testing.T) {
	f, err := NewFile(filepath.Join("testdata", "lz4.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range f.Rows() {
		if err == nil || !strings.Contains(err.Error(), "write it again with zstd or snappy") {
			t.Errorf("%s, %v", r.JSON, err)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"f.xlsx", "", "f.xlsx: save the sheet as CSV"},
		{"f.bin", "", `not ".bin"`},
		{"LICENSE", "", "give it an ending"},
		{"f.parquet.gz", "", "Parquet is compressed inside"},
		{"f.parquet", "PAR1", "f.parquet: not Parquet"},
		{"f.jsonl", "{}\n\xff", "f.jsonl:2: neither UTF-8"},
		{"f.txt", "a\nb\xff", "f.txt:2: neither UTF-8"},
		{"f.csv", "a\n\xff\n", "f.csv:2: neither UTF-8"},
		{"f.jsonl", "\n \n", "f.jsonl: no records"},
		{"f.txt", " \n", "f.txt: no records"},
		{"f.csv", "", "f.csv: no records"},
		{"f.json", "[]", "f.json: no records"},
		{"f.json", "[\n\"a\"]", "f.json:2: a record is a JSON object, not \"\\\"a\\\"\": a list of words"},
		{"f.json", "3", "f.json:1: a record is a JSON object"},
		{"f.json", "[{}\n", "f.json:2: the array does not end: it ends too early"},
		{"f.json", "[{},\n", "the array does not end"},
		{"f.json", "[{}\n{}]", "f.json:2: a comma"},
		{"f.json", "[{\"a\":\n", "f.json:1: it ends too early"},
		{"f.json", "{\"a\":", "f.json:1: it ends too early"},
		{"f.csv", "a,a\n", `f.csv:1: two columns are named "a"`},
		{"f.csv", "a,\n", "column 2 has no name"},
		{"f.csv", "a,b\n1\n", "f.csv:2: wrong number of fields"},
		{"f.csv", "a,b\n1,x\"y\n", "f.csv:2: bare \""},
	} {
		if got, _, err := read(t, c.name, []byte(c.content)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: %q, error %v, want %q", c.name, c.content, got, err, c.want)
		}
	}
}

func TestFields(t *testing.T) {
	r := Row{Place{"f.jsonl", 3}, []byte(`{"b":[1, 2],"a":"x","b":null}`)}
	fields, err := r.Fields()
	if err != nil || string(Object(fields)) != `{"b":null,"a":"x"}` {
		t.Errorf("%s, %v", Object(fields), err)
	}
	for text, want := range map[string]string{
		`[1]`: "not a JSON object", `{"a"`: "ends too early", `{"a":}`: "not a JSON object", `{"a":1} x`: "one JSON object a line", `{"a":1`: "ends too early",
	} {
		r.JSON = []byte(text)
		if _, err := r.Fields(); err == nil || !strings.HasPrefix(err.Error(), "data: f.jsonl:3: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	write := func(names ...string) {
		for _, name := range names {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte("{}"), 0o666)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("x/b.jsonl", "x/a.json", "x/LICENSE.txt", "x/source.jsonl", "x/dataset_info.json", "x/.hidden.json", "x/photo.png", "x/deep/c.csv", "y/train-0.parquet", "y/test-0.parquet", "z/photo.png")
	for _, c := range []struct{ path, want, passed string }{
		{"x", "x/a.json x/b.jsonl x/deep/c.csv x/source.jsonl", "x/LICENSE.txt x/dataset_info.json x/photo.png"},
		{"x/b.jsonl", "x/b.jsonl", ""},
		{"x/[ab].json*", "x/a.json x/b.jsonl", ""},
		{"y", "y/train-0.parquet", "y/test-0.parquet"},
		{"y/test-0.parquet", "y/test-0.parquet", ""},
	} {
		found, err := Find(filepath.Join(dir, filepath.FromSlash(c.path)))
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		var files, passed []string
		relative := func(path string) string {
			rel, _ := filepath.Rel(dir, path)
			return filepath.ToSlash(rel)
		}
		for _, f := range found.Files {
			files = append(files, relative(f.Path))
		}
		for _, p := range found.Passed {
			passed = append(passed, relative(p.Path))
		}
		if strings.Join(files, " ") != c.want || strings.Join(passed, " ") != c.passed {
			t.Errorf("%s: %q and passed over %q", c.path, files, passed)
		}
	}
	for path, want := range map[string]string{"z": "no file of records", "none.jsonl": "none.jsonl", "*.zip": "no file matches"} {
		if _, err := Find(filepath.Join(dir, path)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A reader may be left early, and leaves nothing open.
func TestStop(t *testing.T) {
	for _, name := range []string{"a.jsonl", "a.json", "a.csv"} {
		f, err := Memory(name, []byte("{\"a\":1}\n{\"a\":2}\n"))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for range f.Rows() {
			n++
			break
		}
		if n != 1 {
			t.Errorf("%s: %d rows", name, n)
		}
	}
}

func FuzzRows(f *testing.F) {
	for _, s := range []string{"{\"a\":1}\n{}", "[{}, {\"b\":[\"]\"]}]", "a,b\n1,2", "\ufeff{}", "\xff\xfe{\x00}\x00", "{\"data\":[{}]}"} {
		for _, name := range []string{"a.jsonl", "a.json", "a.csv", "a.tsv", "a.txt", "a.json.gz", "a.parquet"} {
			f.Add(name, []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		file, err := Memory(name, content)
		if err != nil {
			return
		}
		n := 0
		for r, err := range file.Rows() {
			if err == nil {
				r.Fields()
			}
			n++
		}
		if n == 0 {
			t.Error("neither rows nor an error")
		}
	})
}

func BenchmarkJSONLines(b *testing.B) {
	line := fmt.Sprintf("{\"prompt\":%q,\"completion\":%q}\n", strings.Repeat("a b ", 50), strings.Repeat("c d ", 200))
	content := []byte(strings.Repeat(line, 1000))
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		f, _ := Memory("a.jsonl", content)
		for r, err := range f.Rows() {
			if err != nil {
				b.Fatal(err)
			}
			if _, err := r.Fields(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
