package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/seed-5afa5581/graft/internal/jinja"
)

// A chatGolden is a record of NAME.jsonl.gz, the template of which is templates/NAME.jinja, or of jinja.jsonl.gz.
type chatGolden struct {
	Case      string
	Messages  []Object
	Tools     []Object
	Kwargs    map[string]json.RawMessage
	Tokens    map[string]string
	Now       string
	Text      *string
	Error     string
	ErrorType string   `json:"error_type"`
	Spans     [][2]int // code points
	Tokenizer string
	IDs       []int32
	Mask      []int `json:"assistant_masks"`

	Name     string // these are of jinja.jsonl.gz
	Template string
	Context  json.RawMessage
}

var chatSamples = os.DirFS("testdata/chat")

// TestGoldenChat compares with what transformers renders, for all of the folder GRAFT_CHAT_GOLDEN. The tokenizers
// that assistant masks need are NAME/tokenizer.json in one of the folders that GRAFT_TOKENIZERS lists.
func TestGoldenChat(t *testing.T) {
	dir := os.Getenv("GRAFT_CHAT_GOLDEN")
	if dir == "" {
		t.Skip("GRAFT_CHAT_GOLDEN is not set")
	}
	checkChats(t, os.DirFS(fromRoot(dir)))
}

// TestSampleChat is TestGoldenChat on the few templates of testdata.
func TestSampleChat(t *testing.T) { checkChats(t, chatSamples) }

func checkChats(t *testing.T, fsys fs.FS) {
	names, err := chatNames(fsys)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			records := readChats(t, fsys, name+".jsonl.gz")
			if name == "jinja" {
				checkFeatures(t, records)
				return
			}
			source, err := fs.ReadFile(fsys, "templates/"+name+".jinja")
			if err != nil {
				t.Fatal(err)
			}
			checkTemplate(t, name, string(source), records)
		})
	}
}

// chatNames lists the NAME.jsonl.gz of a golden folder. It is an error if there are none, if one has no template, or
// if a template has no records.
func chatNames(fsys fs.FS) (names []string, err error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".jsonl.gz")
		if !ok && strings.Contains(e.Name(), ".jsonl") {
			return nil, fmt.Errorf("%s is not NAME.jsonl.gz", e.Name())
		}
		if !ok {
			continue
		}
		if _, err := fs.Stat(fsys, "templates/"+name+".jinja"); err != nil && name != "jinja" {
			return nil, err
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, errors.New("no NAME.jsonl.gz")
	}
	templates, err := fs.Glob(fsys, "templates/*.jinja")
	for _, file := range templates {
		if name := strings.TrimSuffix(path.Base(file), ".jinja"); !slices.Contains(names, name) {
			return nil, fmt.Errorf("%s has no records", file)
		}
	}
	return names, err
}

func TestChatNames(t *testing.T) {
	for _, c := range []struct{ files, want string }{
		{"a.jsonl.gz templates/a.jinja jinja.jsonl.gz LICENSE", "[a jinja] <nil>"},
		{"README.md", "no NAME.jsonl.gz"},
		{"a.jsonl templates/a.jinja", "a.jsonl is not NAME.jsonl.gz"},
		{"a.jsonl.gz", "templates/a.jinja"},
		{"a.jsonl.gz templates/a.jinja templates/b.jinja", "b.jinja has no records"},
	} {
		fsys := fstest.MapFS{}
		for _, name := range strings.Fields(c.files) {
			fsys[name] = &fstest.MapFile{}
		}
		names, err := chatNames(fsys)
		if got := fmt.Sprint(names, err); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.files, got, c.want)
		}
	}
}

func readChats(t *testing.T, fsys fs.FS, name string) (records []chatGolden) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(readGzip(t, fsys, name)))
	for d.More() {
		var g chatGolden
		if err := d.Decode(&g); err != nil {
			t.Fatalf("%s: record %d: %v", name, len(records), err)
		}
		if g.Text == nil && g.ErrorType == "" {
			t.Fatalf("%s: record %d has neither text nor error_type", name, len(records))
		}
		records = append(records, g)
	}
	if len(records) == 0 {
		t.Fatalf("%s has no records", name)
	}
	return records
}

func (g *chatGolden) clock(t *testing.T) func() time.Time {
	now, err := time.Parse("2006-01-02T15:04:05", g.Now)
	if err != nil {
		t.Fatal(err)
	}
	return func() time.Time { return now }
}

// checkFeatures renders the small templates of jinja.jsonl.gz.
func checkFeatures(t *testing.T, records []chatGolden) {
	failed := 0
	for _, g := range records {
		context, err := jinja.FromJSON(g.Context)
		if err != nil {
			t.Fatal(err)
		}
		vars := map[string]jinja.Value{}
		for k, v := range context.(*jinja.Dict).All {
			vars[k.(string)] = v
		}
		var text string
		parsed, err := jinja.Parse(g.Template)
		if err == nil {
			text, err = parsed.Render(vars, jinja.Options{Now: g.clock(t)})
		}
		if what := g.difference(text, err); what != "" {
			failed++
			t.Errorf("%s: %.200q: %s", g.Name, g.Template, what)
		}
	}
	t.Logf("%d of %d templates differ", failed, len(records))
}

// difference tells how a rendering differs from the record, or "".
func (g *chatGolden) difference(text string, err error) string {
	var raised *jinja.Raised
	var refused *TemplateError
	switch {
	case g.Text == nil && err == nil:
		return fmt.Sprintf("%.300q, want the error %.200q", text, g.Error)
	case g.ErrorType == "TemplateError":
		if errors.As(err, &refused) && refused.Message == g.Error || errors.As(err, &raised) && raised.Message == g.Error {
			return ""
		}
		return fmt.Sprintf("%v, want the template's error %q", err, g.Error)
	case g.Text == nil:
		return ""
	case err != nil:
		return err.Error()
	case text != *g.Text:
		at := 0
		for at < min(len(text), len(*g.Text)) && text[at] == (*g.Text)[at] {
			at++
		}
		return fmt.Sprintf("byte %d: %.100q, want %.100q", at, text[at:], (*g.Text)[at:])
	}
	return ""
}

// chat returns the record's chat and options.
func (g *chatGolden) chat(t *testing.T) (Chat, ChatOptions) {
	c := Chat{Messages: g.Messages, Tools: g.Tools, Variables: map[string]any{}}
	o := ChatOptions{Now: g.clock(t)}
	for name, raw := range g.Kwargs {
		var err error
		switch name {
		case "add_generation_prompt":
			err = json.Unmarshal(raw, &o.GenerationPrompt)
		case "continue_final_message":
			err = json.Unmarshal(raw, &o.ContinueFinal)
		case "documents":
			err = json.Unmarshal(raw, &c.Documents)
		default:
			c.Variables[name] = raw
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", g.Case, name, err)
		}
	}
	return c, o
}

func checkTemplate(t *testing.T, name, source string, records []chatGolden) {
	toks := map[string]*Tokenizer{}
	failed, masks, skipped := 0, 0, 0
	for i, g := range records {
		p, err := ParseTemplate(name, source, g.Tokens)
		var text string
		c, o := g.chat(t)
		if err == nil {
			text, err = p.Render(c, o)
		}
		what := g.difference(text, err)
		if what == "" && g.Tokenizer != "" {
			if what = g.spanDifference(p, c, o); what == "" {
				if tok := chatTokenizer(t, toks, g.Tokenizer); tok != nil {
					masks++
					what = g.maskDifference(tok, p, c, o)
				} else {
					skipped++
				}
			}
		}
		if what == "" {
			continue
		}
		if failed++; failed <= 5 {
			t.Errorf("record %d (%s): %s", i, g.Case, what)
		}
	}
	t.Logf("%d of %d records differ; %d masks compared, %d not for want of GRAFT_TOKENIZERS", failed, len(records), masks, skipped)
}

// chatTokenizer loads a tokenizer once; nil if GRAFT_TOKENIZERS is not set.
func chatTokenizer(t *testing.T, toks map[string]*Tokenizer, name string) *Tokenizer {
	if os.Getenv("GRAFT_TOKENIZERS") == "" {
		return nil
	}
	if toks[name] == nil {
		toks[name] = loadFile(t, goldenFile(t, "testdata/chat", name))
	}
	return toks[name]
}

// spanDifference compares the spans of generation blocks.
func (g *chatGolden) spanDifference(p *Template, c Chat, o ChatOptions) string {
	text, spans, err := p.RenderSpans(c, o)
	if err != nil {
		return err.Error()
	}
	got := [][2]int{}
	for _, s := range spans {
		got = append(got, [2]int{utf8.RuneCountInString(text[:s.Start]), utf8.RuneCountInString(text[:s.End])})
	}
	if text != *g.Text || !slices.Equal(got, g.Spans) {
		return fmt.Sprintf("spans %v, want %v", got, g.Spans)
	}
	return ""
}

// maskDifference compares ids and the assistant's mask.
func (g *chatGolden) maskDifference(tok *Tokenizer, p *Template, c Chat, o ChatOptions) string {
	ids, mask, err := tok.EncodeChat(p, c, o)
	if err != nil {
		return err.Error()
	}
	want := make([]bool, len(g.Mask))
	for i, m := range g.Mask {
		want[i] = m != 0
	}
	if !slices.Equal(ids, g.IDs) {
		return fmt.Sprintf("ids %.200v, want %.200v", fmt.Sprint(ids), fmt.Sprint(g.IDs))
	}
	if !slices.Equal(mask, want) {
		return fmt.Sprintf("mask %.300v, want %.300v", fmt.Sprint(mask), fmt.Sprint(want))
	}
	return ""
}
