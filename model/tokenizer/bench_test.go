package tokenizer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// benchTexts reads the documents of GRAFT_TOKENIZER_DOCS, {"text": ...} a line.
func benchTexts(b *testing.B) (texts []string, size int64) {
	path := os.Getenv("GRAFT_TOKENIZER_DOCS")
	if path == "" {
		b.Skip("GRAFT_TOKENIZER_DOCS is not set")
	}
	f, err := os.Open(fromRoot(path))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for d := json.NewDecoder(bufio.NewReader(f)); d.More(); {
		var r struct{ Text string }
		if err := d.Decode(&r); err != nil {
			b.Fatal(err)
		}
		texts, size = append(texts, r.Text), size+int64(len(r.Text))
	}
	return texts, size
}

// benchFiles runs f for each tokenizer in the folders of GRAFT_TOKENIZERS.
func benchFiles(b *testing.B, f func(b *testing.B, path string)) {
	for _, dir := range foldersOf("GRAFT_TOKENIZERS") {
		files, _ := filepath.Glob(filepath.Join(dir, "*", "tokenizer.json"))
		for _, path := range files {
			b.Run(filepath.Base(filepath.Dir(path)), func(b *testing.B) { f(b, path) })
		}
	}
}

// BenchmarkEncode encodes all documents, one call each, as a training run that goes over its data again does.
func BenchmarkEncode(b *testing.B) {
	texts, size := benchTexts(b)
	benchFiles(b, func(b *testing.B, path string) {
		tok := loadFile(b, path)
		var ids []int32
		pass := func() (n int) {
			for _, s := range texts {
				ids = tok.EncodeAppend(ids[:0], s, false)
				n += len(ids)
			}
			return n
		}
		tokens := pass()
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			pass()
		}
		b.ReportMetric(float64(tokens)*float64(b.N)/b.Elapsed().Seconds()/1e3, "ktok/s")
	})
}

// BenchmarkEncodeCold is BenchmarkEncode with a fresh cache of words each time.
func BenchmarkEncodeCold(b *testing.B) {
	texts, size := benchTexts(b)
	benchFiles(b, func(b *testing.B, path string) {
		tok := loadFile(b, path)
		var ids []int32
		b.SetBytes(size)
		for b.Loop() {
			tok.works.free = nil
			for _, s := range texts {
				ids = tok.EncodeAppend(ids[:0], s, false)
			}
		}
	})
}

// BenchmarkDecode decodes the ids of all documents, one call each.
func BenchmarkDecode(b *testing.B) {
	texts, _ := benchTexts(b)
	benchFiles(b, func(b *testing.B, path string) {
		tok := loadFile(b, path)
		var lists [][]int32
		n := 0
		for _, s := range texts {
			lists = append(lists, tok.EncodePlain(s))
			n += len(lists[len(lists)-1])
		}
		for b.Loop() {
			for _, ids := range lists {
				tok.Decode(ids)
			}
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e3, "ktok/s")
	})
}

// BenchmarkLoad reads and builds a tokenizer.
func BenchmarkLoad(b *testing.B) {
	benchFiles(b, func(b *testing.B, path string) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Open(filepath.Dir(path)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkEncodeWord encodes words without end: the time for a byte must not grow with their length.
func BenchmarkEncodeWord(b *testing.B) {
	for _, name := range fuzzNames {
		tok := loadSample(b, name)
		for kind, unit := range longUnits {
			for _, size := range []int{1 << 14, 1 << 20} {
				text := strings.Repeat(unit, size/len(unit))
				b.Run(fmt.Sprintf("%s/%s/%d", name, kind, size), func(b *testing.B) {
					b.SetBytes(int64(len(text)))
					for b.Loop() {
						tok.Count(text)
					}
				})
			}
		}
	}
}
