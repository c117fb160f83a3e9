package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/data/shape"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

func stories(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	k, err := tokenizer.Open(filepath.Join("..", "..", "examples", "quickstart", "model"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// files writes lines to a file and finds it.
func files(t testing.TB, content string) *data.Files {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.jsonl")
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := data.Find([]string{path}, shape.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func renderer(t testing.TB, c data.Config) *data.Renderer {
	t.Helper()
	r, err := data.NewRenderer(stories(t), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var topics = []string{"boats", "the price of tea", "bread", "how birds sleep", "rust", "glass", "a trip to Rome", "fractions", "the moon", "goats",
	"winter tyres", "jam", "knots", "the colour blue", "paper", "whales", "chess", "coal", "bees", "maps", "salt", "wool", "clocks", "rain"}

// clean are lines without a fault: a question and an answer on each topic.
func clean() (lines []string) {
	for i, topic := range topics {
		lines = append(lines, fmt.Sprintf(`{"question":"What should I know about %s, and why (%d)?","answer":"There are %d things about %s. %s."}`,
			topic, i, i+2, topic, strings.Repeat(topic+" again, ", i%5+1)+topics[(i*7+3)%len(topics)]))
	}
	return lines
}

func TestClean(t *testing.T) {
	r := Files(files(t, strings.Join(clean(), "\n")), nil, renderer(t, data.Config{}))
	if len(r.Findings) > 0 || r.Records != len(topics) || r.Samples != len(topics) || r.Shapes["question"] != len(topics) || r.Scripts["Latin"] != len(topics) {
		t.Errorf("%+v", r)
	}
	if _, any := r.Worst(); any {
		t.Error("a worst finding of none")
	}
	if r.Learned == 0 || r.Learned >= r.Tokens || r.Lengths.Max == 0 || r.Lengths.Quantile(1) != r.Lengths.Max {
		t.Errorf("%d of %d tokens are learned, %+v", r.Learned, r.Tokens, r.Lengths)
	}
}

// A fault of each kind, planted among clean lines, is found at its line, and
// nothing else is.
func TestPlanted(t *testing.T) {
	pair := func(question, answer string) string {
		q, _ := json.Marshal(question)
		a, _ := json.Marshal(answer)
		return fmt.Sprintf(`{"question":%s,"answer":%s}`, q, a)
	}
	noEnd := filepath.Join(t.TempDir(), "noend.jinja")
	masksEnd := filepath.Join(t.TempDir(), "masksend.jinja")
	twice := filepath.Join(t.TempDir(), "twice.jinja")
	for path, source := range map[string]string{
		noEnd:    "{% for m in messages %}{{ m.content }} {% endfor %}{% if add_generation_prompt %}{% endif %}",
		masksEnd: "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}</s>{% else %}{{ m.content }}{% endif %}{% endfor %}",
		twice:    "<s><s>{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}</s>{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}",
	} {
		if err := os.WriteFile(path, []byte(source), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	first := clean()[0]
	for _, c := range []struct {
		kind   Kind
		line   string
		config data.Config
		text   string
	}{
		{Unreadable, `{"q":"a","reply":"b"}`, data.Config{}, "columns q, reply"},
		{Unreadable, `{"question": `, data.Config{}, "not a JSON object"},
		{NothingLearned, `{"messages":[{"role":"user","content":"hello you"}]}`, data.Config{}, "no answer"},
		{NothingLearned, `{"input_ids":[300,301,302],"labels":[-100,-100,-100]}`, data.Config{}, "no token would be learned"},
		{TooLong, pair("Tell me everything", strings.Repeat("and more ", 300)), data.Config{MaxLen: 400}, "more than 400"},
		{Truncated, pair("Tell me everything", strings.Repeat("and more ", 300)), data.Config{MaxLen: 400, Overflow: data.CutAnswer}, "its answer was cut"},
		{Truncated, pair(strings.Repeat("and more ", 300), "That was long."), data.Config{MaxLen: 400, Overflow: data.CutPrompt}, "its prompt was cut"},
		{EmptyAnswer, `{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":" "},{"role":"user","content":"yes?"},{"role":"assistant","content":"Here I am."}]}`, data.Config{}, "message 2"},
		{OneWord, pair("Is it so, or is it not?", "Yes"), data.Config{}, "single word"},
		{Duplicate, first, data.Config{}, "line 1"},
		{NearDuplicate, strings.Replace(clean()[4], "What should", "So what should", 1), data.Config{}, "line 5"},
		{Contradiction, pair("What should I know about boats, and why (0)?", "Nothing at all, they sink anyway."), data.Config{}, "line 1"},
		{Leftover, pair("Say it", "<|im_start|>assistant It is said."), data.Config{}, "<|im_start|>"},
		{Leftover, pair("Below is it.\n### Response:", "It is said."), data.Config{}, "### Response:"},
		{MissingEOS, `{"input_ids":[300,301,302,303],"labels":[-100,301,302,303]}`, data.Config{}, "no end of text"},
		{MaskedEOS, `{"input_ids":[300,301,302,2],"labels":[-100,301,302,-100]}`, data.Config{}, "not learned"},
		{RepeatedEOS, `{"input_ids":[300,301,2,2,2],"labels":[-100,301,2,2,2]}`, data.Config{}, "several tokens"},
		{DoubleBOS, `{"input_ids":[1,1,301,2],"labels":[-100,-100,301,2]}`, data.Config{}, "two tokens"},
		{Mojibake, pair("What is a cafe?", "A cafÃ© is a house where coffee is sold."), data.Config{}, "Ã©"},
		{Mojibake, pair("What is lost?", "The word that was here \ufffd is lost."), data.Config{}, "\ufffd"},
		{Control, pair("What rings?", "The bell \u0007 rings at noon."), data.Config{}, "U+0007"},
		{Control, pair("What turns?", "The text \u202e turns around here."), data.Config{}, "U+202E"},
		{Secret, pair("What is the key?", "The key is AKIAABCDEFGHIJKLMNOP, keep it."), data.Config{}, "an AWS key"},
		{Secret, pair("Where is it?", "At postgres://admin:hunter22@db.internal it is."), data.Config{}, "a password in an address"},
		{Personal, pair("Who can help?", "Write to jane.doe@acme.co, she helps."), data.Config{}, "an e-mail address"},
		{Personal, pair("Who can help?", "Call +49 170 1234567 any day."), data.Config{}, "a phone number"},
		{Personal, pair("Who can help?", "Call (212) 555-0123 any day."), data.Config{}, "a phone number"},
		{Personal, pair("How do I pay?", "Use the card 4111 1111 1111 1111 for it."), data.Config{}, "a card number"},
		{Personal, pair("Who is it?", "The person has the number 11010519491231002X here."), data.Config{}, "an identity number"},
		{Personal, pair("Who is it?", "The number is 078-05-1120 on the form."), data.Config{}, "a social security number"},
		{Language, pair("Что это такое, скажи?", "Это простой русский текст для проверки."), data.Config{}, "Cyrillic"},
	} {
		lines := append(clean(), c.line)
		r := Files(files(t, strings.Join(lines, "\n")), nil, renderer(t, c.config))
		if len(r.Findings) != 1 || r.Counts[c.kind] != 1 {
			t.Errorf("%s: %s\n%v", c.kind, c.line, r.Findings)
			continue
		}
		f := r.Findings[0]
		if f.Kind != c.kind || !strings.HasSuffix(f.Source, fmt.Sprintf("f.jsonl:%d", len(lines))) || !strings.Contains(f.Text, c.text) || f.Remedy == "" {
			t.Errorf("%s: %s\n%+v", c.kind, c.line, f)
		}
	}
	for _, c := range []struct {
		kind   Kind
		config data.Config
	}{{MaskedEOS, data.Config{Template: masksEnd}}, {DoubleBOS, data.Config{Template: twice}}} {
		r := Files(files(t, strings.Join(clean(), "\n")), nil, renderer(t, c.config))
		if r.Counts[c.kind] != len(topics) || len(r.Counts) != 1 {
			t.Errorf("%s by a template: %v", c.kind, r.Counts)
		}
	}
	// A template without an end gets one.
	if r := Files(files(t, strings.Join(clean(), "\n")), nil, renderer(t, data.Config{Template: noEnd})); len(r.Findings) > 0 {
		t.Errorf("%v", r.Findings)
	}
}

// What looks like a fault and is none gives no finding.
func TestInnocent(t *testing.T) {
	for _, answer := range []string{
		"Write to someone@example.com, or to nobody.", "It costs 12345678 or 1234567890123456789012 units.", "See https://host/a:b@c for more of it.",
		"An array a[INSTANCE] and a < b.", "Use sk-learn, it is good.", "Café, naïve, Ångström and Größe.", "Pi is 3.14159265358979 or so, they say.", "Tab\tand\r\nline ends.",
		"On 2026-11-25 10:30 it was 25 degrees.", "Version 10.20.30.40-50 of it.", "The share is 0.4111111111111111 of it.", "In all 12500+21000-6300 bees and 3+123456789 ants.",
	} {
		q, _ := json.Marshal(answer)
		r := Files(files(t, strings.Join(append(clean(), `{"question":"What is it then?","answer":`+string(q)+`}`), "\n")), nil, renderer(t, data.Config{}))
		if len(r.Findings) > 0 {
			t.Errorf("%s: %v", answer, r.Findings)
		}
	}
}

func TestOverlap(t *testing.T) {
	eval := []string{clean()[3], strings.Replace(clean()[9], "What should", "So what should", 1), `{"question":"Is this one new to you?","answer":"It is, and nothing is like it."}`}
	r := Files(files(t, strings.Join(clean(), "\n")), files(t, strings.Join(eval, "\n")), renderer(t, data.Config{}))
	if len(r.Findings) != 2 || r.Counts[Overlap] != 2 || r.Eval != 3 || r.Records != len(topics) {
		t.Errorf("%+v", r)
	}
	for i, line := range []string{"f.jsonl:1", "f.jsonl:2"} {
		if !strings.HasSuffix(r.Findings[i].Source, line) {
			t.Errorf("finding %d: %s", i, r.Findings[i])
		}
	}
	if worst, any := r.Worst(); !any || worst != Warning {
		t.Errorf("worst %v", worst)
	}
}

// Without a tokenizer all is checked but tokens; one-word answers of a
// classification are none.
func TestWithoutTokens(t *testing.T) {
	var lines []string
	for i, topic := range topics {
		lines = append(lines, fmt.Sprintf(`{"text":"I want to hear something about %s, please","label":"label_%d"}`, topic, i%3))
	}
	r := Files(files(t, strings.Join(lines, "\n")), nil, nil)
	if len(r.Findings) > 0 || r.Records != len(topics) || r.Samples != 0 {
		t.Errorf("%+v", r)
	}
}

// A file that ends too early is a finding at its line, and what stands before
// is checked.
func TestBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(path, []byte("["+clean()[0]+",\n"+clean()[1]+",\n{"), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := data.Find([]string{path}, shape.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := Files(f, nil, nil)
	if r.Records != 2 || len(r.Findings) != 1 || r.Findings[0].Source != path+":3" || r.Findings[0].Text != "it ends too early" || r.Findings[0].Kind != Unreadable {
		t.Errorf("%+v", r)
	}
}

func TestEncoding(t *testing.T) {
	r := Files(files(t, "\ufeff"+strings.Join(clean(), "\n")), nil, nil)
	if len(r.Findings) != 1 || r.Findings[0].Kind != ForeignEncoding || !strings.Contains(r.Findings[0].Text, "byte order mark") {
		t.Errorf("%v", r.Findings)
	}
}

func TestPrint(t *testing.T) {
	lines := append(clean(), clean()[0], clean()[1], `{"x":1}`)
	r := Files(files(t, strings.Join(lines, "\n")), nil, renderer(t, data.Config{}))
	var text bytes.Buffer
	if err := r.Print(&text, 1); err != nil {
		t.Fatal(err)
	}
	got := text.String()
	for _, want := range []string{"records   27: question 26, without a shape 1; 1 left out", "samples   26 of ", "\nerror: unreadable (1): mend the row",
		"\nwarning: duplicate (2): take it out", "  and 1 more\n", "scripts   Latin 26\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Index(got, "unreadable") > strings.Index(got, "duplicate") {
		t.Error("the worst does not come first")
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

// Two texts are as alike as the share of their runs of words says, within the
// noise of 60 bins.
func TestLikeness(t *testing.T) {
	var words []string
	for i := range 400 {
		words = append(words, fmt.Sprintf("w%d", i*i))
	}
	a, _ := sign(strings.Join(words, " "))
	for _, changed := range []int{0, 20, 100, 400} {
		other := append([]string{}, words...)
		for i := range changed {
			other[i] = fmt.Sprintf("x%d", i)
		}
		b, ok := sign(strings.Join(other, " "))
		common := max(0, float64(398-changed))
		want := common / (2*398 - common)
		if got := a.likeness(&b); !ok || got < want-0.2 || got > want+0.2 {
			t.Errorf("%d words changed: likeness %v, want about %v", changed, got, want)
		}
	}
	if _, ok := sign("too short to tell"); ok {
		t.Error("four words have a signature")
	}
}
