package data

import (
	"encoding/json"
	"testing"
	"testing/fstest"

	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// letters returns a tokenizer whose tokens are bytes and a few pairs of them, with
// the special tokens of ChatML and Llama 3, and a template. It is of the kind that
// Llama 3 and Qwen have.
func letters(t testing.TB, template string) *tokenizer.Tokenizer {
	t.Helper()
	vocab := map[string]int{}
	for b := range 256 {
		vocab[byteLetter(b)] = b
	}
	merges := [][2]string{{"Ċ", "Ċ"}, {"Ġ", "A"}, {"ĊĊ", "Ċ"}, {"r", ":"}, {"t", "Ċ"}}
	for _, m := range merges {
		vocab[m[0]+m[1]] = len(vocab)
	}
	var added []any
	for _, token := range []string{"<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"} {
		added = append(added, map[string]any{"id": len(vocab) + len(added), "content": token, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
	}
	file := map[string]any{"version": "1.0", "added_tokens": added,
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
		"decoder":       map[string]any{"type": "ByteLevel"},
		"model":         map[string]any{"type": "BPE", "vocab": vocab, "merges": merges}}
	config := map[string]any{"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
	if template != "" {
		config["chat_template"] = template
	}
	files := fstest.MapFS{}
	for name, v := range map[string]any{"tokenizer.json": file, "tokenizer_config.json": config} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	k, err := tokenizer.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// byteLetter is the letter that byte-level tokenizers write for a byte.
func byteLetter(b int) string {
	if b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae && b <= 0xff {
		return string(rune(b))
	}
	n := 0
	for other := range b {
		if !(other >= '!' && other <= '~' || other >= 0xa1 && other <= 0xac || other >= 0xae && other <= 0xff) {
			n++
		}
	}
	return string(rune(0x100 + n))
}
