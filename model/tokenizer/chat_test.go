package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// chatOf makes a chat of roles, which u, a and s stand for, and what they say, in turn.
func chatOf(pairs ...string) (c Chat) {
	roles := map[string]string{"u": "user", "a": "assistant", "s": "system"}
	for i := 0; i < len(pairs); i += 2 {
		c.Messages = append(c.Messages, NewMessage(roles[pairs[i]], pairs[i+1]))
	}
	return c
}

func mustTemplate(t testing.TB, source string) *Template {
	t.Helper()
	p, err := ParseTemplate("test", source, map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestObject(t *testing.T) {
	const source = `{"role": "tool", "z": [1.0, 1e22, 12345678901234567890123, null], "a": {"é": "<&>\n"}, "role": "user"}`
	const want = `{"role": "user", "z": [1.0, 1e+22, 12345678901234567890123, null], "a": {"é": "<&>\n"}}`
	var o Object
	if err := json.Unmarshal([]byte(source), &o); err != nil {
		t.Fatal(err)
	}
	if got, err := o.MarshalJSON(); err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	if role, ok := o.Text("role"); !ok || role != "user" {
		t.Errorf("role %q, %t", role, ok)
	}
	if _, ok := o.Text("z"); ok || !o.Has("z") || o.Has("y") {
		t.Error("z is a list, and there is no y")
	}
	for _, bad := range []string{`[]`, `"x"`, `{`, `{"a": }`} {
		if err := o.UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s is an object", bad)
		}
	}
	if got, err := (Object{}).MarshalJSON(); err != nil || string(got) != "{}" {
		t.Errorf("%s, %v", got, err)
	}
}

// TestRender tries what a template reads.
func TestRender(t *testing.T) {
	var tool Object
	if err := json.Unmarshal([]byte(`{"name": "f", "args": {"b": 1, "a": 2}}`), &tool); err != nil {
		t.Fatal(err)
	}
	c := chatOf("s", "S", "u", "U")
	c.Tools = []Object{tool}
	c.Variables = map[string]any{"flag": true, "list": json.RawMessage(`[1.0]`), "eos_token": "E"}
	p := mustTemplate(t, `{{ bos_token }}{{ eos_token }}{{ flag }}{{ list }}{{ tools | tojson }}{{ documents }}`+
		`{% for m in messages %}{{ m }}{% endfor %}{% if add_generation_prompt %}!{% endif %}`)
	want := `<s>ETrue[1.0][{"name": "f", "args": {"b": 1, "a": 2}}]None` +
		`{'role': 'system', 'content': 'S'}{'role': 'user', 'content': 'U'}!`
	if got, err := p.Render(c, ChatOptions{GenerationPrompt: true}); err != nil || got != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
}

func TestRenderErrors(t *testing.T) {
	hi := chatOf("u", "Hi")
	taken := hi
	taken.Variables = map[string]any{"messages": 1}
	unwritable := hi
	unwritable.Variables = map[string]any{"f": func() {}}
	for _, c := range []struct {
		source string
		chat   Chat
		o      ChatOptions
		want   string
	}{
		{"", Chat{}, ChatOptions{}, "template test: the chat has no messages"},
		{"", hi, ChatOptions{GenerationPrompt: true, ContinueFinal: true}, "exclude each other"},
		{"", taken, ChatOptions{}, `variable "messages": the name is taken`},
		{"", unwritable, ChatOptions{}, `variable "f"`},
		{"a\n{{ 1 + 'a' }}", hi, ChatOptions{}, "template test: jinja: line 2: unsupported operand"},
		{"{{ 'content' }}", hi, ChatOptions{ContinueFinal: true}, "cannot be continued"},
		{"{{ messages[0].role }}", hi, ChatOptions{ContinueFinal: true}, "cannot be continued"},
	} {
		_, err := mustTemplate(t, c.source).Render(c.chat, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.source, err, c.want)
		}
	}
	if _, err := ParseTemplate("broken", "x\n{% if %}", nil); err == nil || !strings.Contains(err.Error(), "template broken: jinja: line 2") {
		t.Errorf("a broken template: %v", err)
	}
	var refused *TemplateError
	_, err := mustTemplate(t, "\n\n{{ raise_exception('no ' ~ messages[0].role) }}").Render(hi, ChatOptions{})
	if !errors.As(err, &refused) || *refused != (TemplateError{"test", "no user", 3}) {
		t.Errorf("%v", err)
	}
}

// TestSpans tries templates without generation blocks, where the spans are found by rendering prefixes.
func TestSpans(t *testing.T) {
	const turns = `{% for m in messages %}<{{ m.role }}>{{ m.content }};{% endfor %}`
	const prompt = `{% if add_generation_prompt %}<assistant>{% endif %}`
	three := chatOf("u", "q", "a", "A", "u", "r", "a", "é")
	for _, c := range []struct {
		source string
		chat   Chat
		want   string // the spans' texts, or the error
	}{
		{turns + prompt, three, "A; é;"},
		{turns + prompt, chatOf("u", "q", "a", "A", "a", "B"), "A; B;"},
		{turns + prompt, chatOf("u", "q"), ""},
		{`{% for m in messages %}{% if m.role == 'user' %}[{{ m.content }}]{% else %}{{ m.content }}.{% endif %}{% endfor %}`, three, "A. é."},
		{turns + `<assistant>`, three, "template test: the assistant's part of the text is not known: the rendering of the first 2 messages is not a prefix"},
		{turns + `<assistant>`, chatOf("u", "q", "a", "A"), "with one more message"},
		{`{% for m in messages %}{% if m.role == 'user' or loop.last %}{{ m.content }};{% endif %}{% endfor %}` + prompt, three, "the rendering of the first 1 messages is not a prefix"},
		{`{% if messages[-1].role == 'user' %}{{ raise_exception('never') }}{% endif %}` + turns, three, "the first 1 messages cannot be rendered alone"},
		{turns + `{% if add_generation_prompt %}<assistant><think>{% endif %}`, three, "is not a prefix"},
	} {
		text, spans, err := mustTemplate(t, c.source).RenderSpans(c.chat, ChatOptions{})
		var said []string
		for _, s := range spans {
			said = append(said, text[s.Start:s.End])
		}
		if got := strings.Join(said, " "); err == nil && got != c.want || err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %q, %v, want %q", c.source, got, err, c.want)
		}
	}
}

// TestGenerationBlocks tries templates that mark what the assistant says.
func TestGenerationBlocks(t *testing.T) {
	c := chatOf("u", "q", "a", "é")
	block := `{% generation %}{{ messages[1].content }}{% endgeneration %}`
	text, spans, err := mustTemplate(t, "ü"+block+"."+block).RenderSpans(c, ChatOptions{})
	if err != nil || text != "üé.é" || !slices.Equal(spans, []Span{{2, 4}, {5, 7}}) {
		t.Errorf("%q, %v, %v", text, spans, err)
	}
	for _, misplaced := range []string{
		"{% macro f() %}x" + block + "{% endmacro %}{{ f() }}",
		"{% set x %}" + block + "{% endset %}later{{ x }}",
	} {
		if _, _, err := mustTemplate(t, misplaced).RenderSpans(c, ChatOptions{}); err == nil {
			t.Errorf("%s has spans", misplaced)
		}
	}
	if _, _, err := mustTemplate(t, block).RenderSpans(c, ChatOptions{ContinueFinal: true}); err == nil {
		t.Error("a continued message has spans")
	}
}

// TestEncodeChat compares the mask with the text of the tokens that it marks.
func TestEncodeChat(t *testing.T) {
	c := chatOf("s", "Be brief.", "u", "Hi! How are you?", "a", "Fine, thanks.", "u", "Good.", "a", "Bye  ")
	for _, name := range sampleNames(t) {
		tok := loadSample(t, name)
		p, err := BuiltIn("chatml", nil)
		if err != nil {
			t.Fatal(err)
		}
		ids, mask, err := tok.EncodeChat(p, c, ChatOptions{GenerationPrompt: true})
		text, spans, _ := p.RenderSpans(c, ChatOptions{GenerationPrompt: true})
		if err != nil || len(ids) != len(mask) || !slices.Equal(ids, tok.EncodePlain(text)) {
			t.Fatalf("%s: %d ids, %d marks, %v", name, len(ids), len(mask), err)
		}
		_, offsets := tok.EncodeOffsets(text, false)
		for i, o := range offsets {
			inside := slices.ContainsFunc(spans, func(s Span) bool { return o.Start < s.End && o.End > s.Start })
			if mask[i] != inside {
				t.Errorf("%s: token %d, %q: marked %t", name, i, text[o.Start:o.End], mask[i])
			}
		}
	}
}

// TestTokenizerTemplate tries the templates that lie beside a tokenizer.
func TestTokenizerTemplate(t *testing.T) {
	data := readGzip(t, samples, sampleNames(t)[0]+"/tokenizer.json.gz")
	load := func(config string) *Tokenizer {
		tok, err := Load(fstest.MapFS{"tokenizer.json": {Data: data}, "tokenizer_config.json": {Data: []byte(config)}})
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	if _, err := load(`{}`).Template(""); err == nil || !strings.Contains(err.Error(), "BuiltIn") {
		t.Errorf("no template: %v", err)
	}
	tok := load(`{"bos_token": {"content": "<b>"}, "eos_token": "<e>", "chat_template": [{"name": "default", "template": "{{ bos_token }}d"},
		{"name": "tool_use", "template": "{{ tools | length }}{{ eos_token }}"}, {"name": "rag", "template": "r"}, {"name": "bad", "template": "{%"}]}`)
	c := chatOf("u", "x")
	tools := c
	tools.Tools = []Object{}
	for _, k := range []struct {
		name string
		chat Chat
		want string
	}{{"", c, "<b>d"}, {"default", c, "<b>d"}, {"", tools, "0<e>"}, {"rag", tools, "r"}, {"tool_use", c, "error"}, {"bad", c, "error"}, {"x", c, "error"}} {
		p, err := tok.Template(k.name)
		got := ""
		if err == nil {
			got, err = p.Render(k.chat, ChatOptions{})
		}
		if err != nil {
			got = "error"
		}
		if got != k.want {
			t.Errorf("%q: %q, %v, want %q", k.name, got, err, k.want)
		}
	}
}

// TestTemplateConcurrent renders one template from several goroutines; the race detector judges.
func TestTemplateConcurrent(t *testing.T) {
	p, err := BuiltIn("gemma", map[string]string{"bos_token": "<bos>"})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			c := chatOf("s", "S", "u", fmt.Sprint(i), "a", "A")
			want := fmt.Sprintf("<bos><start_of_turn>user\nS\n\n%d<end_of_turn>\n<start_of_turn>model\nA<end_of_turn>\n", i)
			for range 50 {
				if text, spans, err := p.RenderSpans(c, ChatOptions{}); text != want || len(spans) != 1 || err != nil {
					t.Errorf("%q, %v, %v", text, spans, err)
				}
			}
		})
	}
	all.Wait()
}

// TestBuiltIn compares with texts written out by hand.
func TestBuiltIn(t *testing.T) {
	c := chatOf("s", "S", "u", "Q", "a", "A", "u", "R")
	want := map[string]string{
		"alpaca":  "<s>S\n\n### Instruction:\nQ\n\n### Response:\n[A</s>]\n\n### Instruction:\nR\n\n### Response:\n",
		"chatml":  "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n[A<|im_end|>]\n<|im_start|>user\nR<|im_end|>\n<|im_start|>assistant\n",
		"gemma":   "<s><start_of_turn>user\nS\n\nQ<end_of_turn>\n<start_of_turn>model\n[A<end_of_turn>]\n<start_of_turn>user\nR<end_of_turn>\n<start_of_turn>model\n",
		"llama-2": "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nQ [/INST][ A </s>]<s>[INST] R [/INST]",
		"llama-3": "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nQ<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n[A<|eot_id|>]<|start_header_id|>user<|end_header_id|>\n\nR<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
		"mistral": "<s>[INST] S\n\nQ[/INST][ A</s>][INST] R[/INST]",
		"phi-3":   "<s><|system|>\nS<|end|>\n<|user|>\nQ<|end|>\n<|assistant|>\n[A<|end|>]\n<|user|>\nR<|end|>\n<|assistant|>\n",
		"plain":   "<s>S\nQ\n[A</s>]\nR\n",
		"vicuna":  "<s>S\n\nUSER: Q\nASSISTANT:[ A</s>]\nUSER: R\nASSISTANT:",
		"zephyr":  "<|system|>\nS</s>\n<|user|>\nQ</s>\n<|assistant|>\n[A</s>]\n<|user|>\nR</s>\n<|assistant|>\n",
	}
	want["qwen"] = want["chatml"]
	if names := BuiltIns(); len(names) != len(want) {
		t.Errorf("built-in templates: %v", names)
	}
	for name, marked := range want {
		p, err := BuiltIn(name, map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
		if err != nil {
			t.Fatal(err)
		}
		text, spans, err := p.RenderSpans(c, ChatOptions{GenerationPrompt: true})
		if err != nil || len(spans) != 1 {
			t.Errorf("%s: %v, %v", name, spans, err)
			continue
		}
		got := text[:spans[0].Start] + "[" + text[spans[0].Start:spans[0].End] + "]" + text[spans[0].End:]
		if got != marked {
			t.Errorf("%s:\n%q, want\n%q", name, got, marked)
		}
		checkBuiltInErrors(t, p)
	}
	if _, err := BuiltIn("nope", nil); err == nil || !strings.Contains(err.Error(), "chatml") {
		t.Errorf("an unknown name: %v", err)
	}
	p, _ := BuiltIn("qwen", nil)
	if got, _ := p.Render(chatOf("u", "Q"), ChatOptions{}); !strings.HasPrefix(got, "<|im_start|>system\nYou are") {
		t.Errorf("qwen without a system message: %q", got)
	}
}

// checkBuiltInErrors tries what built-in templates have no place for.
func checkBuiltInErrors(t *testing.T, p *Template) {
	tools, parts := chatOf("u", "x"), chatOf("u", "x")
	tools.Tools = []Object{NewMessage("a", "b")}
	for i, s := range []string{`{"role": "user", "content": [{"type": "text", "text": "x"}]}`, `{"role": "assistant", "content": "", "tool_calls": []}`, `{"content": "x"}`} {
		var m Object
		if err := json.Unmarshal([]byte(s), &m); err != nil {
			t.Fatal(err)
		}
		parts.Messages = []Object{m}
		if text, err := p.Render(parts, ChatOptions{}); err == nil {
			t.Errorf("%s: message %d gives %q", p.Name(), i, text)
		}
	}
	if text, err := p.Render(tools, ChatOptions{}); err == nil {
		t.Errorf("%s: tools give %q", p.Name(), text)
	}
}

// TestBuiltInPeer compares with what another program renders of three chats, for the formats that both have: files
// NAME.gotmpl__CHAT of the folder GRAFT_CHAT_PEER. It leaves the beginning of the text to the tokenizer. Its format of
// Llama 2 has an empty system block where there is no message, so that it is left out.
func TestBuiltInPeer(t *testing.T) {
	dir := os.Getenv("GRAFT_CHAT_PEER")
	if dir == "" {
		t.Skip("GRAFT_CHAT_PEER is not set")
	}
	ours := map[string]string{"alpaca": "alpaca", "chatml": "chatml", "llama3-instruct": "llama-3", "mistral-instruct": "mistral",
		"vicuna": "vicuna", "zephyr": "zephyr"}
	say := map[string]string{"system": "You are a helpful assistant.", "assistant": "I'm doing great. How can I help you today?"}
	files, _ := filepath.Glob(filepath.Join(fromRoot(dir), "*.gotmpl__*"))
	compared := 0
	for _, file := range files {
		name, roles, _ := strings.Cut(filepath.Base(file), ".gotmpl__")
		if ours[name] == "" {
			continue
		}
		var c Chat
		users := []string{"Hello, how are you?", "I'd like to show off how chat templating works!"}
		for _, role := range strings.Split(roles, "-") {
			content := say[role]
			if role == "user" {
				content, users = users[0], users[1:]
			}
			c.Messages = append(c.Messages, NewMessage(role, content))
		}
		specials := map[string]string{"eos_token": "</s>"}
		if name == "alpaca" {
			specials = nil
		}
		p, err := BuiltIn(ours[name], specials)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Render(c, ChatOptions{GenerationPrompt: true})
		if err != nil || got != string(want) {
			t.Errorf("%s: %q, %v\nwant %q", file, got, err, want)
		}
		compared++
	}
	if compared == 0 {
		t.Errorf("%s: nothing to compare with", dir)
	}
}
