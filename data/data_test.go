package data

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

func stories(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	k, err := tokenizer.Open(filepath.Join("..", "examples", "quickstart", "model"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestShapes(t *testing.T) {
	for text, want := range map[string]Record{
		`{"prompt":"a","completion":"b"}`:              {Prompt: "a", Answer: "b"},
		`{"input":"a","output":"b"}`:                   {Prompt: "a\n", Answer: "b"},
		`{"question":"a","answer":"b","id":3}`:         {Prompt: "a\n", Answer: "b"},
		`{"instruction":"a","input":"","output":"b"}`:  {Prompt: "a\n", Answer: "b"},
		`{"instruction":"a","input":"c","output":"b"}`: {Prompt: "a\nc\n", Answer: "b"},
		`{"text":"t"}`: {Answer: "t", IsText: true},
	} {
		want.Source = "f.jsonl:2"
		got, err := parse("f.jsonl", []byte("\n"+text+"\n\n"))
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestFiles(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		n       int
		sources []string
	}{
		"a.jsonl": {"\ufeff{\"text\":\"a\"}\r\n{\"text\":\"b\"}", 2, []string{"a.jsonl:1", "a.jsonl:2"}},
		"a.json":  {"[\n{\"text\":\n\"a\"},\n{\"text\":\"b\"}\n]", 2, []string{"a.json:3", "a.json:4"}},
		"a.txt":   {"hello\n", 1, []string{"a.txt"}},
		"A.MD":    {"# hello\n", 1, []string{"A.MD"}},
	} {
		got, err := parse(name, []byte(c.text))
		if err != nil || len(got) != c.n {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		for i, r := range got {
			if r.Source != c.sources[i] {
				t.Errorf("%s: record %d is from %s, want %s", name, i, r.Source, c.sources[i])
			}
		}
	}
}

func TestFileFaults(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"f.csv", "a,b", `f.csv: graft reads .jsonl, .json, .txt and .md, not ".csv"`},
		{"f.jsonl", "\xff", "f.jsonl: not UTF-8"},
		{"f.jsonl", "\n \n", "f.jsonl: no records"},
		{"f.txt", " \n", "f.txt: no records"},
		{"f.json", "[]", "f.json: no records"},
		{"f.json", `{"text":"a"}`, "f.json: a .json file holds an array of records"},
		{"f.json", `[{"text":"a"},`, "f.json"},
		{"f.json", "[{\"text\":\"a\"}\n", "the array does not end: unexpected EOF"},
		{"f.jsonl", "{\"text\":\"a\"}\n[1]", "f.jsonl:2: not a JSON object"},
		{"f.jsonl", "{\"text\":\"a\"", "f.jsonl:1: not a JSON object: unexpected end"},
		{"f.jsonl", `{"q":"a","a":"b"}`, "f.jsonl:1: columns a, q: graft knows prompt and completion; instruction and output; input and output; question and answer; text"},
		{"f.jsonl", `{"text":3}`, "f.jsonl:1: column text is not a string"},
		{"f.jsonl", `{"prompt":{},"completion":"b"}`, "f.jsonl:1: column prompt is not a string"},
		{"f.jsonl", `{"prompt":"a","completion":" \n"}`, "f.jsonl:1: column completion is empty"},
	} {
		if _, err := parse(c.name, []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: error %v, want %q", c.name, c.text, err, c.want)
		}
	}
	_, err := parse("f.jsonl", []byte(strings.Repeat("[]\n", 50)))
	if n := strings.Count(err.Error(), "f.jsonl:"); n != maxFaults {
		t.Errorf("%d faults named", n)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "no.jsonl"), stories(t), Config{}); err == nil || !strings.Contains(err.Error(), "no.jsonl") {
		t.Errorf("error %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a.jsonl", []byte(`{"prompt":"a","completion":"b"}`))
	f.Add("a.json", []byte(`[{"text":"a"},{"instruction":"x","output":"y"}]`))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		records, err := parse(name, text)
		if err == nil && len(records) == 0 {
			t.Error("neither records nor an error")
		}
	})
}

// The prompt keeps the tokens that inference sees, and what is learned decodes
// to the answer and ends with the end of text.
func TestAnswer(t *testing.T) {
	k := stories(t)
	for _, c := range [][2]string{
		{"Once upon", " a time"}, {"Once upo", "n a time"}, {"", "text"}, {"a ", "b"}, {"Q: 1+1?\n", "2"}, {"é", "́x"},
	} {
		s := Answer(k, c[0], c[1])
		prompt := k.Encode(c[0])
		if !slices.Equal(s.Tokens[:len(prompt)], prompt) {
			t.Errorf("%q: the prompt became %v, inference sees %v", c, s.Tokens, prompt)
		}
		for i, l := range s.Labels {
			if want := s.Tokens[i]; i >= len(prompt) && l != want || i < len(prompt) && l != model.IgnoreLabel {
				t.Errorf("%q: label %d is %d", c, i, l)
			}
		}
		if last := s.Tokens[len(s.Tokens)-1]; !slices.Contains(k.EOS(), last) {
			t.Errorf("%q ends with token %d", c, last)
		}
		if got := k.DecodeSkip(s.Tokens); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(c[0]+c[1], " ", "") {
			t.Errorf("%q decodes to %q", c, got)
		}
	}
	if s := Text(k, "Once upon"); s.Learned() != len(s.Tokens)-1 || s.Labels[0] != s.Tokens[0] {
		t.Errorf("text: %+v", s)
	}
}

// A text cut into pieces predicts every token once; a long answer is left out
// and counted.
func TestMaxLen(t *testing.T) {
	k := stories(t)
	text := strings.Repeat("Once upon a time there was a dog. ", 9)
	whole := Text(k, text)
	for _, limit := range []int{2, 3, 10, 50, len(whole.Tokens) - 1, len(whole.Tokens)} {
		set, err := New([]Record{{Answer: text, IsText: true, Source: "x"}}, k, Config{MaxLen: limit})
		if err != nil {
			t.Fatal(err)
		}
		var joined []int32
		learned := 0
		for i, s := range set.samples {
			if len(s.Tokens) > limit || s.Source != "x" {
				t.Errorf("limit %d: a piece of %d tokens from %s", limit, len(s.Tokens), s.Source)
			}
			if i > 0 {
				s.Tokens = s.Tokens[1:]
			}
			joined, learned = append(joined, s.Tokens...), learned+set.samples[i].Learned()
		}
		if !slices.Equal(joined, whole.Tokens) || learned != whole.Learned() {
			t.Errorf("limit %d: %d of %d tokens, %d of %d learned", limit, len(joined), len(whole.Tokens), learned, whole.Learned())
		}
	}
	records := []Record{{Prompt: "a", Answer: "b", Source: "f:1"}, {Prompt: "a", Answer: text, Source: "f:2"}}
	set, err := New(records, k, Config{MaxLen: 20})
	if err != nil || set.Len() != 1 || !slices.Equal(set.Dropped, []string{"f:2"}) {
		t.Errorf("%+v, %v", set, err)
	}
	if _, err := New(records[1:], k, Config{MaxLen: 20}); err == nil || !strings.Contains(err.Error(), "1 are longer than 20 tokens") {
		t.Errorf("error %v", err)
	}
	if _, err := New(records, k, Config{MaxLen: 1}); err == nil {
		t.Error("samples of one token accepted")
	}
	if _, err := New(records, nil, Config{}); err == nil || !strings.Contains(err.Error(), "no tokenizer") {
		t.Errorf("error %v", err)
	}
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	if err := os.WriteFile(path, []byte(`{"prompt":"a","completion":"b"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	set, err := Open(path, stories(t), Config{})
	if err != nil || set.Len() != 1 || set.Tokens() != len(set.Sample(0).Tokens) || set.Sample(0).Source != path+":1" {
		t.Errorf("%+v, %v", set, err)
	}
}
