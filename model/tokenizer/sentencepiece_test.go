package tokenizer

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestSentencePiece compares models of SentencePiece, NAME.model, with the values that its own library gives,
// NAME.jsonl.gz, in testdata/sentencepiece and in the folder GRAFT_SENTENCEPIECE_GOLDEN.
func TestSentencePiece(t *testing.T) {
	checkSentencePiece(t, os.DirFS("testdata/sentencepiece"))
	if dir := os.Getenv("GRAFT_SENTENCEPIECE_GOLDEN"); dir != "" {
		checkSentencePiece(t, os.DirFS(fromRoot(dir)))
	}
}

func checkSentencePiece(t *testing.T, fsys fs.FS) {
	models, err := fs.Glob(fsys, "*.model")
	if err != nil || len(models) == 0 {
		t.Fatalf("no *.model: %v", err)
	}
	for _, file := range models {
		name := strings.TrimSuffix(file, ".model")
		t.Run(name, func(t *testing.T) {
			data, err := fs.ReadFile(fsys, file)
			if err != nil {
				t.Fatal(err)
			}
			tok, err := Load(fstest.MapFS{"tokenizer.model": {Data: data}})
			if err != nil {
				t.Fatal(err)
			}
			bad := 0
			for _, g := range readGoldens(t, fsys, name+".jsonl.gz") {
				if what := sentencePieceDifference(tok, g); what != "" {
					if bad++; bad <= 5 {
						t.Errorf("%.300q: %s", g.Text, what)
					}
				}
			}
			if bad > 0 {
				t.Errorf("%d texts differ", bad)
			}
		})
	}
}

func sentencePieceDifference(tok *Tokenizer, g golden) string {
	got := tok.EncodePlain(g.Text)
	if !slices.Equal(got, g.IDs) {
		return fmt.Sprintf("ids %.300v, want %.300v", fmt.Sprint(got), fmt.Sprint(g.IDs))
	}
	// SentencePiece writes " ⁇ " for the unknown token, transformers leaves it out.
	if text := tok.DecodeSkip(got); text != g.Decoded && g.Cat != "unknown" {
		return fmt.Sprintf("decodes to %.300q, want %.300q", text, g.Decoded)
	}
	return ""
}
