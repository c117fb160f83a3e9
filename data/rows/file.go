package rows

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// A Format is a kind of file.
type Format string

// The formats that are read.
const (
	JSON      Format = "JSON"
	JSONLines Format = "JSON Lines"
	CSV       Format = "CSV"
	TSV       Format = "TSV"
	Parquet   Format = "Parquet"
	Document  Format = "text"
)

// endings are the formats by the ending of a file's name.
var endings = map[string]Format{
	".json": JSON, ".jsonl": JSONLines, ".ndjson": JSONLines, ".csv": CSV, ".tsv": TSV, ".tab": TSV,
	".parquet": Parquet, ".pq": Parquet, ".txt": Document, ".text": Document, ".md": Document, ".markdown": Document,
}

// compressions are by the ending that comes after the format's.
var compressions = map[string]string{".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}

// advice is what to do with files that are not read, by ending.
var advice = map[string]string{
	".xlsx": "save the sheet as CSV", ".xls": "save the sheet as CSV", ".ods": "save the sheet as CSV",
	".docx": "save it as text or Markdown", ".doc": "save it as text or Markdown", ".pdf": "extract its text first",
	".html": "extract its text first", ".htm": "extract its text first", ".arrow": "save the data set as Parquet",
	".feather": "save the data set as Parquet", ".py": "it is a loading script: save what it yields as Parquet",
	".zip": "unpack it", ".tar": "unpack it", ".tgz": "unpack it", ".bz2": "unpack it, or compress it with gzip or zstd",
	".xz": "unpack it, or compress it with gzip or zstd", ".yaml": "save it as JSON", ".yml": "save it as JSON", ".xml": "save it as JSON",
	"": "give it an ending: .txt for text, .jsonl for a JSON object a line",
}

const known = ".jsonl, .json, .csv, .tsv, .parquet, .txt and .md, and those with .gz or .zst"

// A File is a file of records.
type File struct {
	Path        string
	Format      Format
	Compression string // "gzip", "zstd" or ""
	Encoding    string // of the text, known once it has been read; "" for Parquet

	content []byte // of a file in memory; nil for one on disk
}

// NewFile returns a file by its name. It is not opened before it is read.
func NewFile(path string) (*File, error) {
	name := strings.ToLower(filepath.Base(path))
	ending := filepath.Ext(name)
	f := &File{Path: path, Compression: compressions[ending]}
	if f.Compression != "" {
		name = strings.TrimSuffix(name, ending)
		ending = filepath.Ext(name)
	}
	if f.Format = endings[ending]; f.Format == "" {
		if a, ok := advice[ending]; ok {
			return nil, fmt.Errorf("data: %s: %s; graft reads %s", path, a, known)
		}
		return nil, fmt.Errorf("data: %s: graft reads %s, not %q", path, known, ending)
	}
	if f.Format == Parquet && f.Compression != "" {
		return nil, fmt.Errorf("data: %s: unpack it: Parquet is compressed inside", path)
	}
	return f, nil
}

// Memory is NewFile for a content; the name tells the format.
func Memory(name string, content []byte) (*File, error) {
	f, err := NewFile(name)
	if err == nil {
		f.content = content
	}
	return f, err
}

// Rows reads the file from its beginning. After an error there are no more rows.
func (f *File) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		n, stopped := 0, false
		err := f.each(func(r Row) bool {
			n++
			stopped = !yield(r, nil)
			return !stopped
		})
		if err == nil && n == 0 {
			err = fmt.Errorf("data: %s: no records", f.Path)
		}
		if err != nil && !stopped {
			yield(Row{}, err)
		}
	}
}

// A visitor takes rows until it returns false.
type visitor func(Row) bool

func (f *File) each(visit visitor) error {
	if f.Format == Parquet {
		return f.parquet(visit)
	}
	r, err := f.open()
	if err != nil {
		return err
	}
	defer r.Close()
	text := newText(r)
	switch f.Format {
	case JSONLines:
		err = f.lines(text, visit)
	case JSON:
		err = f.values(newSplitter(text), visit)
	case CSV, TSV:
		err = f.table(text, visit)
	default:
		err = f.document(text, visit)
	}
	f.Encoding = text.encoding
	var place *placed
	if err != nil && !errors.As(err, &place) {
		return fmt.Errorf("data: %s: %w", f.Path, whole(err))
	}
	return err
}

// placed is an error that names its place already.
type placed struct {
	at  Place
	err error
}

func (p *placed) Error() string { return fmt.Sprintf("data: %s: %v", p.at, p.err) }
func (p *placed) Unwrap() error { return p.err }

func (f *File) at(line int, err error) error { return &placed{Place{f.Path, line}, err} }

// open returns the content with its compression undone.
func (f *File) open() (io.ReadCloser, error) {
	raw, err := f.raw()
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	r, err := unpack(f.Compression, raw)
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("data: %s: not %s: %w", f.Path, f.Compression, err)
	}
	return r, nil
}

func (f *File) raw() (io.ReadCloser, error) {
	if f.content != nil {
		return io.NopCloser(bytes.NewReader(f.content)), nil
	}
	return os.Open(f.Path)
}

// unpack undoes a compression; closing the result closes raw.
func unpack(compression string, raw io.ReadCloser) (io.ReadCloser, error) {
	const buffered = 1 << 16
	in := bufio.NewReaderSize(raw, buffered)
	switch compression {
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		return closing{z, func() error { return errors.Join(z.Close(), raw.Close()) }}, nil
	case "zstd":
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return closing{z, func() error { z.Close(); return raw.Close() }}, nil
	}
	return closing{in, raw.Close}, nil
}

type closing struct {
	io.Reader
	close func() error
}

func (c closing) Close() error { return c.close() }
