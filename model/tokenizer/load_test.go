package tokenizer

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// smallFile is a tokenizer.json with holes: normalizer, pre_tokenizer, post_processor, decoder and the model's fields.
func smallFile(parts map[string]string) string {
	get := func(key, usual string) string {
		if v, ok := parts[key]; ok {
			return v
		}
		return usual
	}
	return fmt.Sprintf(`{"added_tokens":%s,"normalizer":%s,"pre_tokenizer":%s,"post_processor":%s,"decoder":%s,"model":%s}`,
		get("added", `[]`), get("normalizer", `null`), get("pre", `null`), get("post", `null`), get("decoder", `null`),
		get("model", `{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"?":3},"merges":["a b"],"unk_token":"?"}`))
}

func TestLoadRefuses(t *testing.T) {
	model := func(s string) map[string]string { return map[string]string{"model": s} }
	for _, c := range []struct {
		name  string
		parts map[string]string
		want  string
	}{
		{"unknown normalizer", map[string]string{"normalizer": `{"type":"Rot13"}`}, `normalizer: unknown type "Rot13"`},
		{"unknown pre-tokenizer", map[string]string{"pre": `{"type":"Jieba"}`}, `pre_tokenizer: unknown type "Jieba"`},
		{"unknown post-processor", map[string]string{"post": `{"type":"X"}`}, `post_processor: unknown type "X"`},
		{"unknown decoder", map[string]string{"decoder": `{"type":"CTC"}`}, `decoder: unknown type "CTC"`},
		{"unknown model", model(`{"type":"WordLevel","vocab":{}}`), `model: unknown type "WordLevel"`},
		{"unknown inside a sequence", map[string]string{"pre": `{"type":"Sequence","pretokenizers":[{"type":"Y"}]}`}, `unknown type "Y"`},
		{"no type", map[string]string{"normalizer": `{}`}, `has no type`},
		{"sequence without a list", map[string]string{"normalizer": `{"type":"Sequence"}`}, `normalizers is not a list`},
		{"replace without content", map[string]string{"normalizer": `{"type":"Replace","pattern":{"String":"a"}}`}, `no content`},
		{"replace without pattern", map[string]string{"normalizer": `{"type":"Replace","content":"a"}`}, `neither a String nor a Regex`},
		{"bad regex", map[string]string{"pre": `{"type":"Split","pattern":{"Regex":"a++"},"behavior":"Isolated"}`}, `pattern "a++"`},
		{"no behavior", map[string]string{"pre": `{"type":"Split","pattern":{"Regex":"a"}}`}, `no behavior`},
		{"unknown behavior", map[string]string{"pre": `{"type":"Split","pattern":{"Regex":"a"},"behavior":"Glued"}`}, `unknown behavior "Glued"`},
		{"metaspace of two", map[string]string{"pre": `{"type":"Metaspace","replacement":"__"}`}, `not one character`},
		{"metaspace scheme", map[string]string{"pre": `{"type":"Metaspace","replacement":"_","prepend_scheme":"last"}`}, `prepend_scheme "last"`},
		{"precompiled", map[string]string{"normalizer": `{"type":"Precompiled","precompiled_charsmap":"AAAA"}`}, `too short`},
		{"precompiled cut", map[string]string{"normalizer": `{"type":"Precompiled","precompiled_charsmap":"/////w=="}`}, `does not fit`},
		{"template", map[string]string{"post": `{"type":"TemplateProcessing","single":[]}`}, `sequence A once`},
		{"template token", map[string]string{"post": `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}]}`}, `lacks "<s>"`},
		{"bert", map[string]string{"post": `{"type":"BertProcessing","cls":["a"],"sep":["b",1]}`}, `pairs of a token and an id`},
		{"strip", map[string]string{"decoder": `{"type":"Strip","content":"","start":1,"stop":0}`}, `one character`},
		{"vocab missing", model(`{"type":"BPE","merges":[]}`), `vocab: `},
		{"vocab a list", model(`{"type":"BPE","vocab":[],"merges":[]}`), `want '{'`},
		{"merges missing", model(`{"type":"BPE","vocab":{}}`), `merges: `},
		{"id a fraction", model(`{"type":"BPE","vocab":{"a":1.5},"merges":[]}`), `whole number`},
		{"id an exponent", model(`{"type":"BPE","vocab":{"a":1e300},"merges":[]}`), `whole number`},
		{"id negative", model(`{"type":"BPE","vocab":{"a":-7},"merges":[]}`), `whole number`},
		{"id huge", model(`{"type":"BPE","vocab":{"a":2000000000},"merges":[]}`), `too large`},
		{"id twice", model(`{"type":"BPE","vocab":{"a":1,"b":1},"merges":[]}`), `share the id 1`},
		{"merge of three", model(`{"type":"BPE","vocab":{"a":0},"merges":["a a a"]}`), `merge 0`},
		{"merge of one", model(`{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}`), `has 1 tokens`},
		{"merge of strangers", model(`{"type":"BPE","vocab":{"a":0},"merges":[["a","z"]]}`), `"z" is not in the vocabulary`},
		{"merge into a stranger", model(`{"type":"BPE","vocab":{"a":0},"merges":[["a","a"]]}`), `make a token`},
		{"unknown unk", model(`{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"z"}`), `unk_token "z"`},
		{"dropout", model(`{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}`), `dropout`},
		{"unigram without unk", model(`{"type":"Unigram","vocab":[["a",0]]}`), `unk_id`},
		{"unigram without score", model(`{"type":"Unigram","vocab":[["a"]],"unk_id":0}`), `token 0`},
		{"unigram empty", model(`{"type":"Unigram","vocab":[],"unk_id":0}`), `unk_id`},
		{"wordpiece without unk", model(`{"type":"WordPiece","vocab":{"a":0}}`), `unk_token is missing`},
		{"wrong kind of flag", model(`{"type":"BPE","vocab":{"a":0},"merges":[],"fuse_unk":3}`), `fuse_unk`},
		{"added token without id", map[string]string{"added": `[{"id":-3,"content":"x"}]`}, `id -3`},
		{"added tokens an object", map[string]string{"added": `{}`}, `added_tokens`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(fstest.MapFS{"tokenizer.json": {Data: []byte(smallFile(c.parts))}})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "tokenizer: tokenizer.json: ") {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := Load(fstest.MapFS{"tokenizer.json": {Data: []byte(smallFile(nil))}}); err != nil {
		t.Errorf("the file that the cases change does not load: %v", err)
	}
}

// Every proper prefix of a file is refused.
func TestLoadCutShort(t *testing.T) {
	whole := smallFile(map[string]string{"added": `[{"id":9,"content":"<x>","special":true}]`, "normalizer": `{"type":"NFC"}`})
	for n := range whole {
		if _, err := Load(fstest.MapFS{"tokenizer.json": {Data: []byte(whole[:n])}}); err == nil {
			t.Fatalf("%q loads", whole[:n])
		}
	}
}

func TestLoadNames(t *testing.T) {
	if _, err := Load(fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), "neither tokenizer.json nor tokenizer.model") {
		t.Errorf("error %v", err)
	}
	dir := t.TempDir()
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v does not name %s", err, dir)
	}
	for _, name := range []string{"tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "tokenizer.model"} {
		fsys := fstest.MapFS{name: {Data: []byte("{")}}
		if name != "tokenizer.model" {
			fsys["tokenizer.json"] = &fstest.MapFile{Data: []byte(smallFile(nil))}
		}
		if _, err := Load(fsys); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a broken %s gives the error %v", name, err)
		}
	}
}

func TestSettings(t *testing.T) {
	fsys := fstest.MapFS{
		"tokenizer.json": {Data: []byte(smallFile(map[string]string{"added": `[{"id":4,"content":"<s>","special":true},{"id":5,"content":"</s>","special":true}]`}))},
		"tokenizer_config.json": {Data: []byte(`{"bos_token":"<s>","eos_token":{"__type":"AddedToken","content":"</s>"},"unk_token":null,
			"added_tokens_decoder":{"4":{"content":"<s>","special":true},"6":{"content":"<tool>","special":false}},
			"chat_template":[{"name":"default","template":"D"},{"name":"tool_use","template":"T"}]}`)},
		"special_tokens_map.json": {Data: []byte(`{"bos_token":"?","pad_token":"</s>","additional_special_tokens":["x"]}`)},
		"generation_config.json":  {Data: []byte(`{"eos_token_id":[5,1]}`)},
	}
	tok, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	bos, _ := tok.BOS()
	pad, _ := tok.Pad()
	if got := fmt.Sprint(bos, pad, tok.EOS(), tok.Roles(), tok.Size()); got != "4 5 [5 1] map[bos_token:<s> eos_token:</s> pad_token:</s>] 7" {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprint(tok.EncodePlain("a<tool>b")); got != "[0 6 1]" {
		t.Errorf("a token of added_tokens_decoder alone: ids %s", got)
	}
	for name, want := range map[string]string{"": "D", "default": "D", "tool_use": "T"} {
		if got, ok := tok.ChatTemplate(name); !ok || got != want {
			t.Errorf("chat template %q is %q, want %q", name, got, want)
		}
	}
	if _, ok := tok.ChatTemplate("none"); ok {
		t.Error("there is a chat template that nobody wrote")
	}
	fsys["chat_template.jinja"] = &fstest.MapFile{Data: []byte("J")}
	if tok, err = Load(fsys); err != nil {
		t.Fatal(err)
	}
	if got, _ := tok.ChatTemplate(""); got != "J" {
		t.Errorf("chat template %q, want that of the file of its own", got)
	}
}

func TestSettingsMissing(t *testing.T) {
	tok := loadJSON(t, []byte(smallFile(nil)))
	_, bos := tok.BOS()
	_, pad := tok.Pad()
	_, template := tok.ChatTemplate("")
	if bos || pad || template || len(tok.EOS()) != 0 || len(tok.Roles()) != 0 {
		t.Error("a bare tokenizer.json has roles or a template")
	}
}
