package tokenizer

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

// fuzzFiles are the files that FuzzLoad damages; the first byte of its input says which.
var fuzzFiles = []string{"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json"}

// FuzzLoad feeds damaged files. Whatever loads must be able to encode and decode.
func FuzzLoad(f *testing.F) {
	for _, parts := range []map[string]string{
		nil,
		{"added": `[{"id":4,"content":"<s>","special":true},{"id":2,"content":"A","normalized":true,"lstrip":true,"single_word":true}]`, "normalizer": `{"type":"Lowercase"}`},
		{"pre": `{"type":"Sequence","pretokenizers":[{"type":"Digits"},{"type":"ByteLevel","add_prefix_space":true}]}`, "decoder": `{"type":"ByteLevel"}`},
		{"pre": `{"type":"Split","pattern":{"Regex":"\\w+|[^\\w\\s]+"},"behavior":"Removed","invert":true}`, "normalizer": `{"type":"Replace","pattern":{"Regex":"a+"},"content":"b"}`},
		{"pre": `{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}`, "decoder": `{"type":"Metaspace","replacement":"▁"}`},
		{"post": `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"?"}},{"Sequence":{"id":"A"}}],"special_tokens":{"?":{"ids":[3]}}}`},
		{"normalizer": `{"type":"Precompiled","precompiled_charsmap":"CAAAAAAAAAAAAAAA"}`, "decoder": `{"type":"Strip","content":" ","start":1,"stop":0}`},
		{"model": `{"type":"Unigram","vocab":[["?",0],["a",-1.5],["ab",-2]],"unk_id":0,"byte_fallback":true}`},
		{"model": `{"type":"WordPiece","vocab":{"a":0,"##b":1,"?":2},"unk_token":"?","continuing_subword_prefix":"##","max_input_chars_per_word":9}`},
		{"model": `{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]],"byte_fallback":true,"ignore_merges":true}`},
	} {
		f.Add(uint8(0), []byte(smallFile(parts)))
	}
	for _, name := range []string{"bpe", "unigram-rules"} {
		data, err := os.ReadFile("testdata/sentencepiece/" + name + ".model")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(1), data)
	}
	f.Add(uint8(2), []byte(`{"bos_token":"a","eos_token":{"content":"b"},"add_bos_token":true,"added_tokens_decoder":{"7":{"content":"x"}},"chat_template":[{"name":"default","template":""}]}`))
	f.Add(uint8(3), []byte(`{"pad_token":{"content":"a"}}`))
	f.Add(uint8(4), []byte(`{"eos_token_id":[1,2]}`))
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		fsys := fstest.MapFS{"tokenizer.json": {Data: []byte(smallFile(nil))}}
		name := fuzzFiles[int(which)%len(fuzzFiles)]
		if name == "tokenizer.model" {
			delete(fsys, "tokenizer.json")
		}
		fsys[name] = &fstest.MapFile{Data: data}
		tok, err := Load(fsys)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "tokenizer: ") {
				t.Errorf("error %v", err)
			}
			return
		}
		for _, s := range []string{"", "ab A1 é漢\n", "\xff<s>▁"} {
			tok.Decode(tok.Encode(s))
		}
		for id := range tok.Vocab() {
			tok.DecodeSkip([]int32{id, -1})
		}
		tok.EOS()
	})
}

// fuzzNames are tokenizers that between them have every component.
var fuzzNames = []string{
	"smollm2", "stories260K", "bl-qwen2", "bl-o200k", "bl-deepseek3", "bl-falcon", "bl-nfkc", "bl-regex", "bl-lookaround", "bl-punctuation", "bpe-prefix", "bpe-suffix", "sp-no-unk",
	"sp-nfkc-lower", "sp-strip-tokens-metaspace", "sp-overlapping-tokens", "sp-gemma", "ug-rules", "ug-nmt", "ug-bytes", "wp-bert", "wp-words",
}

// FuzzEncode checks what holds for any text and tokenizer: all ways to encode agree, a cache full of other words or
// not; offsets are in order; a stream gives what decoding gives.
func FuzzEncode(f *testing.F) {
	var toks []*Tokenizer
	for _, name := range fuzzNames {
		toks = append(toks, loadSample(f, name))
	}
	for i, s := range awkward() {
		if len(s) < 10000 {
			f.Add(uint8(i), s)
		}
	}
	for i, name := range fuzzNames {
		for _, g := range readGoldens(f, samples, name+".jsonl.gz")[:4] {
			f.Add(uint8(i), g.Text)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, s string) {
		i := int(which) % len(toks)
		checkEncode(t, toks[i], fuzzNames[i], s)
	})
}

func checkEncode(t *testing.T, tok *Tokenizer, name, s string) {
	t.Helper()
	ids := tok.Encode(s)
	if want := tok.Encode(string(appendLossy(nil, []byte(s)))); !slices.Equal(ids, want) {
		t.Errorf("%s: %.40q: ids differ from those of the repaired text", name, s)
	}
	same, spans := tok.EncodeOffsets(s, true)
	if !slices.Equal(same, ids) {
		t.Errorf("%s: %.40q: ids differ when offsets are wanted", name, s)
	}
	checkSpans(t, tok, name, s, spans)
	if plain := ids[len(tok.prefix) : len(ids)-len(tok.suffix)]; tok.Count(s) != len(plain) || !slices.Equal(tok.EncodePlain(s), plain) {
		t.Errorf("%s: %.40q: what the post-processor adds is not around the plain ids", name, s)
	}
	text := tok.Decode(ids)
	if !utf8.ValidString(text) {
		t.Errorf("%s: %.40q: decodes to text that is not UTF-8", name, s)
	}
	if got := streamed(t, tok.Stream(), ids); got != text && tok.byteLevel {
		t.Errorf("%s: %.40q: streams as %.40q, decodes as %.40q", name, s, got, text)
	}
}

// A folder in the place of a file is an error, not a missing file.
func TestLoadFolder(t *testing.T) {
	for _, name := range fuzzFiles {
		fsys := fstest.MapFS{name: {Mode: fs.ModeDir}}
		if name != "tokenizer.model" && name != "tokenizer.json" {
			fsys["tokenizer.json"] = &fstest.MapFile{Data: []byte(smallFile(nil))}
		}
		if _, err := Load(fsys); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
