package chunk

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data/rows"
	"github.com/seed-5afa5581/graft/data/shape"
)

const law = `# The Law

Passed in 1994

<!-- a
note -->

## Chapter 1

Article 1 The first.

It has two parts.

Article 2 The second.

## Chapter 2 ##

Article 3 The third.
`

func show(passages []Passage) (all []string) {
	for _, p := range passages {
		all = append(all, strings.Join(p.Headings, " > ")+" | "+p.Text)
	}
	return all
}

func TestCut(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		want   []string
		lines  [][2]int
	}{
		"sections": {Config{}, []string{"The Law | Passed in 1994", "The Law > Chapter 1 | Article 1 The first.\n\nIt has two parts.\n\nArticle 2 The second.",
			"The Law > Chapter 2 | Article 3 The third."}, [][2]int{{3, 3}, {10, 14}, {18, 18}}},
		"articles": {Config{Begin: regexp.MustCompile(`^Article \d`)}, []string{"The Law | Passed in 1994", "The Law > Chapter 1 | Article 1 The first.\n\nIt has two parts.",
			"The Law > Chapter 1 | Article 2 The second.", "The Law > Chapter 2 | Article 3 The third."}, [][2]int{{3, 3}, {10, 12}, {14, 14}, {18, 18}}},
		"small": {Config{Size: 25}, []string{"The Law | Passed in 1994", "The Law > Chapter 1 | Article 1 The first.", "The Law > Chapter 1 | It has two parts.",
			"The Law > Chapter 1 | Article 2 The second.", "The Law > Chapter 2 | Article 3 The third."}, [][2]int{{3, 3}, {10, 10}, {12, 12}, {14, 14}, {18, 18}}},
		"words": {Config{Size: 6, Measure: func(s string) int { return len(strings.Fields(s)) }}, []string{"The Law | Passed in 1994", "The Law > Chapter 1 | Article 1 The first.",
			"The Law > Chapter 1 | It has two parts.", "The Law > Chapter 1 | Article 2 The second.", "The Law > Chapter 2 | Article 3 The third."}, nil},
	} {
		passages, err := Cut("law.md", law, c.config)
		if err != nil || !slices.Equal(show(passages), c.want) {
			t.Errorf("%s: %q, %v; want %q", name, show(passages), err, c.want)
			continue
		}
		for i, lines := range c.lines {
			if p := passages[i]; p.From != lines[0] || p.To != lines[1] || p.File != "law.md" {
				t.Errorf("%s: passage %d is from %s:%d-%d, want %v", name, i, p.File, p.From, p.To, lines)
			}
		}
	}
}

// A long paragraph is cut behind sentences, and no character of it is lost.
func TestSentences(t *testing.T) {
	const text = "第一条 为了保护劳动者。第二句！Third one. 3.5 is no end? No"
	passages, err := Cut("a.txt", text, Config{Size: 12})
	if err != nil {
		t.Fatal(err)
	}
	var joined string
	for _, p := range passages {
		joined += p.Text
	}
	if strings.ReplaceAll(joined, " ", "") != strings.ReplaceAll(text, " ", "") || len(passages) != 5 || passages[0].Text != "第一条 为了保护劳动者。" {
		t.Errorf("%q", show(passages))
	}
}

func TestCode(t *testing.T) {
	passages, err := Cut("a.md", "Text\n\n```sh\n# no heading\n\nls\n```\n\nMore", Config{Size: 30})
	want := []string{" | Text", " | ```sh\n# no heading\n\nls\n```", " | More"}
	if got := show(passages); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write("a.md", law)
	passages, err := Read(path, Config{})
	if err != nil || len(passages) != 3 || passages[0].File != path {
		t.Errorf("%v, %v", passages, err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"a.jsonl": {`{"text":"a"}`, "has records already"}, "a.txt": {" \n", "no records"}, "b.md": {"# Only\n", "no text"}, "a.pdf": {"", "extract its text first"},
	} {
		if _, err := Read(write(name, c.text), Config{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Cut("a.txt", "a", Config{Size: -1}); err == nil {
		t.Error("a negative size")
	}
}

// What Write writes is a question and answer that is left out until it is
// written.
func TestWrite(t *testing.T) {
	passages, err := Cut("a.md", law, Config{})
	if err != nil {
		t.Fatal(err)
	}
	passages[1].Question, passages[1].Answer = "What is <first>?", "Article 1."
	var out bytes.Buffer
	if err := Write(&out, passages); err != nil {
		t.Fatal(err)
	}
	f, err := rows.Memory("a.jsonl", out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	r, err := shape.NewReader(shape.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var left []bool
	for row, err := range f.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		records, err := r.Read(row)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, records[0].Left != "")
	}
	if !slices.Equal(left, []bool{true, false, true}) || !strings.Contains(out.String(), "<first>") {
		t.Errorf("left out: %v", left)
	}
}

func FuzzCut(f *testing.F) {
	f.Add(law, 20)
	f.Add("```\n", 3)
	f.Add("<!-- -->。.", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		passages, err := Cut("a.md", text, Config{Size: size})
		for _, p := range passages {
			if err != nil || p.From < 1 || p.To < p.From || strings.TrimSpace(p.Text) == "" {
				t.Errorf("%+v, %v", p, err)
			}
		}
	})
}
