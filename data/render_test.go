package data

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data/rows"
	"github.com/seed-5afa5581/graft/data/shape"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// record reads a row.
func record(t testing.TB, row string) shape.Record {
	t.Helper()
	r, err := shape.NewReader(shape.Options{})
	if err != nil {
		t.Fatal(err)
	}
	records, err := r.Read(rows.Row{Place: rows.Place{File: "f.jsonl", Line: 1}, JSON: []byte(row)})
	if err != nil {
		t.Fatal(err)
	}
	return records[0]
}

func mustRender(t testing.TB, k *tokenizer.Tokenizer, c Config, row string) Rendering {
	t.Helper()
	r, err := NewRenderer(k, c)
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.Render(record(t, row))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// marked writes a sample with what is learned in brackets.
func marked(k *tokenizer.Tokenizer, s Sample) string {
	var b strings.Builder
	for _, run := range runs(s) {
		text := k.Decode(s.Tokens[run.from:run.to])
		if run.learned {
			text = "[" + text + "]"
		}
		b.WriteString(text)
	}
	return b.String()
}

// A run is neighbouring tokens that are learned, or are not.
type run struct {
	from, to int
	learned  bool
}

func runs(s Sample) (all []run) {
	for i, l := range s.Labels {
		learned := l != model.IgnoreLabel
		if len(all) == 0 || all[len(all)-1].learned != learned {
			all = append(all, run{i, i, learned})
		}
		all[len(all)-1].to = i + 1
	}
	return all
}

// quote writes a text as JSON.
func quote(s string) string { return string(rows.String(s)) }

// chatRow writes a row of messages: user, assistant, user and so on.
func chatRow(said ...string) string {
	var messages []string
	for i, text := range said {
		messages = append(messages, `{"role":"`+[]string{"user", "assistant"}[i%2]+`","content":`+quote(text)+`}`)
	}
	return `{"messages":[` + strings.Join(messages, ",") + `]}`
}

// Without a template the prompt keeps the tokens that inference sees, wherever the
// border falls, and what is learned is the answer and the end of text.
func TestVerbatim(t *testing.T) {
	k := stories(t)
	for _, c := range [][2]string{
		{"Once upon", " a time"}, {"Once upo", "n a time"}, {"", "text"}, {"a ", "b"}, {"Q: 1+1?\n", "2"}, {"é", "́x"}, {"Once ", "upon"}, {"x", "  y"},
	} {
		out := mustRender(t, k, Config{}, `{"prompt":`+quote(c[0])+`,"completion":`+quote(c[1])+`}`)
		s, prompt := out.Samples[0], k.Encode(c[0])
		if len(s.Tokens) < len(prompt) || !slices.Equal(s.Tokens[:len(prompt)], prompt) {
			t.Errorf("%q: the prompt became %v, inference sees %v", c, s.Tokens, prompt)
			continue
		}
		for i, l := range s.Labels {
			if want := s.Tokens[i]; i >= len(prompt) && l != want || i < len(prompt) && l != model.IgnoreLabel {
				t.Errorf("%q: label %d is %d", c, i, l)
			}
		}
		if last := s.Tokens[len(s.Tokens)-1]; !slices.Contains(k.EOS(), last) {
			t.Errorf("%q ends with token %d", c, last)
		}
		if got := strings.TrimPrefix(k.DecodeSkip(s.Tokens), " "); got != strings.TrimPrefix(c[0]+c[1], " ") {
			t.Errorf("%q decodes to %q", c, got)
		}
	}
}

// A chat without a template says what its messages say, and no more.
func TestPlainChat(t *testing.T) {
	for name, k := range tokenizers(t) {
		if len(k.EOS()) == 0 {
			continue
		}
		s := mustRender(t, k, Config{Template: NoTemplate}, chatRow("Question", "Answer", "rest", "Bye")).Samples[0]
		var text string
		for _, run := range runs(s) {
			text += k.DecodeSkip(s.Tokens[run.from:run.to]) + "|"
		}
		if got := strings.ReplaceAll(text, " ", ""); got != "Question\n|Answer|\nrest\n|Bye|" || strings.Contains(k.Decode(s.Tokens), "\n rest") {
			t.Errorf("%s: %q, all %q", name, text, k.Decode(s.Tokens))
		}
	}
}

func TestMasks(t *testing.T) {
	two := chatRow("q", "A", "r", "B")
	weighted := `{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"A","weight":0},{"role":"user","content":"r"},{"role":"assistant","content":"B"}]}`
	call := `{"conversations":[{"from":"human","value":"q"},{"from":"function_call","value":"{\"name\": \"f\", \"arguments\": {}}"},{"from":"observation","value":"r"},{"from":"gpt","value":"B"}],"tools":"[{\"name\": \"f\"}]"}`
	const user, assistant, end = "<|im_start|>user\n", "<|im_start|>assistant\n", "<|im_end|>"
	for name, c := range map[string]struct {
		config Config
		row    string
		want   string
	}{
		"text":        {Config{}, `{"text":"Once"}`, "[Once</s>]"},
		"pair":        {Config{}, `{"question":"q","answer":"A"}`, "q\n[A</s>]"},
		"completion":  {Config{}, `{"prompt":"q","completion":"A"}`, "q[A</s>]"},
		"ends itself": {Config{}, `{"prompt":"q","completion":"A</s>"}`, "q[A</s>]"},
		"chat":        {Config{}, two, "q\n[A</s>]\nr\n[B</s>]"},
		"last":        {Config{Train: LastAnswer}, two, "q\nA</s>\nr\n[B</s>]"},
		"everything":  {Config{Train: Everything}, two, "[q\nA</s>\nr\nB</s>]"},
		"masked":      {Config{}, weighted, "q\nA</s>\nr\n[B</s>]"},
		"turns":       {Config{}, `{"prompt":[{"role":"user","content":"q"}],"completion":[{"role":"assistant","content":"A"}]}`, "q\n[A</s>]"},
		"chatml":      {Config{Template: "chatml"}, two, user + "q<|im_end|>\n" + assistant + "[A<|im_end|>]\n" + user + "r<|im_end|>\n" + assistant + "[B<|im_end|>]\n"},
		"chatml, last": {Config{Template: "chatml", Train: LastAnswer}, two,
			user + "q<|im_end|>\n" + assistant + "A<|im_end|>\n" + user + "r<|im_end|>\n" + assistant + "[B<|im_end|>]\n"},
		"chatml, masked": {Config{Template: "chatml"}, weighted,
			user + "q<|im_end|>\n" + assistant + "A<|im_end|>\n" + user + "r<|im_end|>\n" + assistant + "[B<|im_end|>]\n"},
		"chatml, everything": {Config{Template: "chatml", Train: Everything}, chatRow("q", "A"), "[" + user + "q<|im_end|>\n" + assistant + "A<|im_end|>\n]"},
		"system":             {Config{Template: "chatml", System: "S"}, chatRow("q", "A"), "<|im_start|>system\nS<|im_end|>\n" + user + "q<|im_end|>\n" + assistant + "[A<|im_end|>]\n"},
		"vicuna":             {Config{Template: "vicuna"}, two, "<s>USER: q\nASSISTANT:[ A</s>]\nUSER: r\nASSISTANT:[ B</s>]\n"},
		"not one token":      {Config{Template: "gemma"}, chatRow("q", "A"), "<s><start_of_turn>user\nq<end_of_turn>\n<start_of_turn>model\n[A<end_of_turn></s>]"},
		"tools": {Config{Template: "chatml"}, call,
			"<|im_start|>system\nThese functions can be called:\n<tools>\n{\"type\": \"function\", \"function\": {\"name\": \"f\"}}\n</tools>\n" +
				"A call is written as\n<tool_call>\n{\"name\": \"FUNCTION\", \"arguments\": {}}\n</tool_call><|im_end|>\n" + user + "q<|im_end|>\n" + assistant +
				"[<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call><|im_end|>]\n" + user + "<tool_response>\nr\n</tool_response><|im_end|>\n" + assistant + "[B<|im_end|>]\n"},
		"tokens": {Config{}, `{"input_ids":[97,98,99],"labels":[-100,98,-100]}`, "a[b]c"},
	} {
		k := letters(t, "")
		out := mustRender(t, k, c.config, c.row)
		if len(out.Samples) != 1 {
			t.Errorf("%s: %+v", name, out)
			continue
		}
		s := out.Samples[0]
		if got := marked(k, s); got != c.want {
			t.Errorf("%s:\n%q, want\n%q", name, got, c.want)
		}
		if s.Source != "f.jsonl:1" || s.Weight != 1 {
			t.Errorf("%s: %q, weight %v", name, s.Source, s.Weight)
		}
	}
}
