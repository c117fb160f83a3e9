package check

import (
	"slices"
	"strings"
	"unicode"
)

// marks are what chat formats write around messages; in a message they are left
// over from another rendering.
var marks = []string{
	"<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
	"[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<start_of_turn>", "<end_of_turn>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>",
	"<s>", "</s>", "<bos>", "<eos>", "<unk>", "<pad>", "### Instruction:", "### Response:", "### Input:", "### Assistant:", "### Human:",
	"{{instruction}}", "{{input}}", "{{output}}", "{instruction}", "{question}", "{answer}", "{prompt}", "{completion}",
}

// leftover returns the first mark of a chat format in a text.
func leftover(text string) string {
	if !strings.ContainsAny(text, "<[#{") {
		return ""
	}
	i := slices.IndexFunc(marks, func(m string) bool { return strings.Contains(text, m) })
	if i < 0 {
		return ""
	}
	return marks[i]
}

// garbled are what UTF-8 turns into when it is read as Windows-1252, or what
// was lost is replaced by, and GBK's reading of replacements.
var garbled = []string{"\ufffd", "â€", "Ã©", "Ã¨", "Ã¤", "Ã¶", "Ã¼", "Ã±", "Ã¡", "Ã³", "Ã\u00a0", "Â\u00a0", "Â°", "Â£", "ï»¿", "ï¿½", "锟斤拷", "烫烫烫"}

// mojibake returns the first sign of a wrong decoding.
func mojibake(text string) string {
	i := slices.IndexFunc(garbled, func(g string) bool { return strings.Contains(text, g) })
	if i < 0 {
		return ""
	}
	return garbled[i]
}

// control returns the first character that no text has: controls other than tab and
// line ends, and marks that turn the direction of writing.
func control(text string) (rune, bool) {
	for _, r := range text {
		switch {
		case r >= 0x20 && r < 0x7f, r == '\n', r == '\t', r == '\r':
		case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			return r, true
		}
	}
	return 0, false
}

// scripts are told apart in the language mix.
var scripts = []struct {
	name  string
	table *unicode.RangeTable
}{
	{"Latin", unicode.Latin}, {"Han", unicode.Han}, {"Cyrillic", unicode.Cyrillic}, {"Arabic", unicode.Arabic}, {"Hangul", unicode.Hangul},
	{"Hiragana", unicode.Hiragana}, {"Katakana", unicode.Katakana}, {"Greek", unicode.Greek}, {"Hebrew", unicode.Hebrew}, {"Devanagari", unicode.Devanagari},
	{"Thai", unicode.Thai}, {"Bengali", unicode.Bengali}, {"Tamil", unicode.Tamil}, {"Georgian", unicode.Georgian}, {"Armenian", unicode.Armenian},
}

// script returns the script that most letters of a text belong to, "" if it has
// hardly any. Japanese is what has some kana.
func script(text string) string {
	const enough, most = 8, 4096 // letters that tell, and that are looked at
	var counts [16]int
	total := 0
	for _, r := range text {
		if total == most {
			break
		}
		if r < 0x80 {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				counts[0]++
				total++
			}
			continue
		}
		for i, s := range scripts {
			if unicode.Is(s.table, r) {
				counts[i]++
				total++
				break
			}
		}
	}
	if total < enough {
		return ""
	}
	if kana := counts[5] + counts[6]; kana*8 > total {
		return "Japanese"
	}
	best := 0
	for i, n := range counts {
		if n > counts[best] {
			best = i
		}
	}
	return scripts[best].name
}

// isWord tells whether an answer is a single word.
func isWord(answer string) bool {
	fields := strings.Fields(answer)
	return len(fields) == 1 && len(words(answer)) <= 2
}
