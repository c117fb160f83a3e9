package show

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

func sample(t *testing.T, row string) (*tokenizer.Tokenizer, data.Sample) {
	t.Helper()
	k, err := tokenizer.Open(filepath.Join("..", "..", "examples", "quickstart", "model"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := data.Parse("f.jsonl", []byte(row), k, data.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return k, set.Sample(0)
}

func TestText(t *testing.T) {
	k, s := sample(t, `{"question":"Who?","answer":"A <b>cat</b>.\nYes."}`)
	for color, want := range map[bool]string{
		false: "<s>Who?↵\n⟦A <b>cat</b>.↵\nYes.<s>⟧\n",
		true:  "\x1b[2m\x1b[36m<s>\x1b[0m\x1b[2mWho?↵\n\x1b[0m\x1b[32mA <b>cat</b>.↵\nYes.\x1b[0m\x1b[32m\x1b[36m<s>\x1b[0m\n",
	} {
		var b bytes.Buffer
		if err := Text(&b, k, s, color); err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(b.String(), "\n")
		if body != want || !strings.HasPrefix(head, "── f.jsonl:1: ") {
			t.Errorf("color %t: %q, want %q (%s)", color, body, want, head)
		}
	}
}

func TestPage(t *testing.T) {
	k, s := sample(t, `{"question":"Who?","answer":"A <b>cat</b>."}`)
	p := Page{Title: "a & b"}
	p.Add(k, s)
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<title>a &amp; b</title>", `class="learned"`, "A &lt;b&gt;cat&lt;/b&gt;.</span>", `class="learned special" title="1 tokens">&lt;s&gt;`, "f.jsonl:1: "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}

// No token gets lost between segments.
func TestSegments(t *testing.T) {
	k, s := sample(t, `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"é漢"},{"role":"user","content":"b"},{"role":"assistant","content":"c"}]}`)
	tokens, learned, text := 0, 0, ""
	for _, x := range Segments(k, s) {
		tokens, text = tokens+x.Tokens, text+x.Text
		if x.Learned {
			learned += x.Tokens
		}
	}
	if tokens != len(s.Tokens) || learned != s.Learned() || strings.ReplaceAll(text, " ", "") != strings.ReplaceAll(k.Decode(s.Tokens), " ", "") {
		t.Errorf("%d tokens, %d learned: %q", tokens, learned, text)
	}
}
