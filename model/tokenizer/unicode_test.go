package tokenizer

import (
	"testing"
	"unicode"
)

// The tables of differences hold for one version of Go's tables: with another, every code point has to be compared
// with the official library again.
func TestUnicodeVersion(t *testing.T) {
	if unicode.Version != "15.0.0" {
		t.Errorf("Go has the tables of Unicode %s: check unicode.go and the scanners' classes", unicode.Version)
	}
}

func TestUnicodeDifferences(t *testing.T) {
	for r, want := range map[rune]string{'A': "a", 0x1C89: "\u1c8a", 0xA7CB: "\u0264", 0xA7DC: "\u019b", 0x10D65: "\U00010d85", 0x16EA0: "\U00016ebb"} {
		if got, same := lower(r); same || got != want {
			t.Errorf("%U in lower case is %+q, want %+q", r, got, want)
		}
	}
	if !isWord(0x2EBF0) || !isWord(0x13460) || isWord(0x11DE0) {
		t.Error("words: want those of Unicode 16")
	}
	if !isNumber(0x10D40) || !isNumber(0x11DE0) || isNumber('a') {
		t.Error("numbers: want those of Unicode 17")
	}
	if isPunctuation(0x2E52) || !isPunctuation(0x2E42) {
		t.Error("punctuation: want that of Unicode 8")
	}
}
