package sugarme

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/seed-5afa5581/graft/model/tokenizer"
	sugarme "github.com/sugarme/tokenizer"
)

// golden is a record of the official library's values, in the folder of package tokenizer.
type golden struct {
	Text        *string
	IDs         []int
	Plain       []int `json:"ids_plain"`
	Decoded     string
	DecodedSkip string `json:"decoded_skip"`
}

const samples = "../testdata/golden/"

func unzip(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(samples + file)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if data, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return data
}

func load(t *testing.T, name string) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Load(fstest.MapFS{"tokenizer.json": {Data: unzip(t, name+"/tokenizer.json.gz")}})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func records(t *testing.T, name string) (list []golden) {
	t.Helper()
	for _, file := range []string{name + ".jsonl.gz", name + ".decode.jsonl.gz"} {
		d := json.NewDecoder(bytes.NewReader(unzip(t, file)))
		for {
			var g golden
			if err := d.Decode(&g); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			list = append(list, g)
		}
	}
	return list
}

var names = []string{"smollm2", "stories260K", "bl-llama3", "bl-qwen2", "bl-o200k", "sp-gemma", "sp-bos-eos", "sp-strip-tokens", "sp-normalized-tokens", "sp-overlapping-tokens", "ug-rules", "wp-bert"}

// TestGolden holds the dressed tokenizer to the official library's values.
func TestGolden(t *testing.T) {
	for _, name := range names {
		tok := load(t, name)
		s := New(tok)
		texts := 0
		for _, g := range records(t, name) {
			if g.Text != nil {
				texts++
				check(t, name, s, tok, *g.Text, g.IDs, true)
				check(t, name, s, tok, *g.Text, g.Plain, false)
			}
			if got := s.Decode(g.IDs, false); got != g.Decoded {
				t.Errorf("%s: %v decodes to %q, want %q", name, g.IDs, got, g.Decoded)
			}
			if got := s.Decode(g.IDs, true); got != g.DecodedSkip {
				t.Errorf("%s: %v decodes without special tokens to %q, want %q", name, g.IDs, got, g.DecodedSkip)
			}
		}
		if texts < 50 {
			t.Errorf("%s: only %d texts", name, texts)
		}
	}
}

// check compares an encoding with the ids wanted, and with what tok says of tokens and offsets.
func check(t *testing.T, name string, s *sugarme.Tokenizer, tok *tokenizer.Tokenizer, text string, want []int, special bool) {
	t.Helper()
	e, err := s.EncodeSingle(text, special)
	if err != nil {
		t.Fatalf("%s: %q: %v", name, text, err)
	}
	if !slices.Equal(e.Ids, want) {
		t.Errorf("%s: %q: ids %v, want %v", name, text, e.Ids, want)
		return
	}
	ids, spans := tok.EncodeOffsets(text, special)
	before, after := tok.Affixes()
	for i, id := range ids {
		token, _ := tok.Token(id)
		added := 0
		if special && (i < len(before) || i >= len(ids)-len(after)) {
			added = 1
		}
		got := fmt.Sprint(e.Tokens[i], e.Offsets[i], e.SpecialTokenMask[i], e.AttentionMask[i], e.TypeIds[i])
		if want := fmt.Sprint(token, []int{spans[i].Start, spans[i].End}, added, 1, 0); got != want {
			t.Errorf("%s: %q: token %d is %s, want %s", name, text, i, got, want)
		}
	}
}

func TestPairTruncationPadding(t *testing.T) {
	tok := load(t, "sp-bos-eos")
	s := New(tok)
	input := sugarme.NewDualEncodeInput(sugarme.NewInputSequence("a b"), sugarme.NewInputSequence("c"))
	e, err := s.Encode(input, true)
	if err != nil {
		t.Fatal(err)
	}
	want := append(tok.Encode("a b"), tok.Encode("c")...)
	if got := fmt.Sprint(e.Ids); got != fmt.Sprint(want) {
		t.Errorf("pair: %s, want %v", got, want)
	}
	if n := len(tok.Encode("c")); e.TypeIds[len(e.TypeIds)-n] != 1 || e.TypeIds[len(e.TypeIds)-n-1] != 0 {
		t.Errorf("pair: types %v", e.TypeIds)
	}
	s.WithTruncation(&sugarme.TruncationParams{MaxLength: 5, Strategy: sugarme.OnlyFirst})
	s.WithPadding(&sugarme.PaddingParams{Strategy: *sugarme.NewPaddingStrategy(sugarme.WithFixed(7)), Direction: sugarme.Right, PadToken: "<unk>"})
	if e, err = s.EncodeSingle("one two three four", true); err != nil {
		t.Fatal(err)
	}
	plain := tok.EncodePlain("one two three four")
	if got, want := fmt.Sprint(e.Ids), fmt.Sprint([]int32{1, plain[0], plain[1], plain[2], 2, 0, 0}); got != want {
		t.Errorf("truncated and padded: %s, want %s", got, want)
	}
}

func TestVocabulary(t *testing.T) {
	tok := load(t, "stories260K")
	s := New(tok)
	vocab := s.GetVocab(true)
	if len(vocab) != tok.Size() || s.GetVocabSize(true) != tok.Size() {
		t.Errorf("%d tokens, said to be %d, want %d", len(vocab), s.GetVocabSize(true), tok.Size())
	}
	for token, id := range vocab {
		if back, ok := s.IdToToken(id); !ok || back != token {
			t.Errorf("token %d is %q, want %q", id, back, token)
		}
	}
	if _, ok := s.IdToToken(1 << 40); ok {
		t.Error("a token has the id 1<<40")
	}
	if err := s.GetModel().Save("."); err == nil {
		t.Error("saving is not refused")
	}
}

// A special token that looks like the veil does not show through it.
func TestVeil(t *testing.T) {
	special := map[string]bool{"a": true, "b": true}
	if v := newVeil(special); special[string(v)] || len(v) != 1 {
		t.Errorf("the veil is %q", v)
	}
	file := `{"added_tokens":[{"id":1,"content":"a","special":true},{"id":2,"content":"c","special":true}],
		"model":{"type":"BPE","vocab":{"b":0},"merges":[]}}`
	tok, err := tokenizer.Load(fstest.MapFS{"tokenizer.json": {Data: []byte(file)}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(tok).EncodeSingle("bacb", false)
	if err != nil || !slices.Equal(e.Ids, []int{0, 1, 2, 0}) {
		t.Errorf("ids %v, error %v", e.Ids, err)
	}
}

func TestConcurrentUse(t *testing.T) {
	tok := load(t, "smollm2")
	s := New(tok)
	want := tok.Encode("Some words, and <|im_end|>.")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				if e, err := s.EncodeSingle("Some words, and <|im_end|>.", true); err != nil || fmt.Sprint(e.Ids) != fmt.Sprint(want) {
					t.Errorf("ids %v, error %v, want %v", e, err, want)
				}
			}
		})
	}
	wg.Wait()
}

// Programs that use package tokenizer do not get the other one with it.
func TestNotImported(t *testing.T) {
	for folder, want := range map[string]bool{".": true, "..": false} {
		out, err := exec.Command("go", "list", "-deps", folder).CombinedOutput()
		if err != nil {
			t.Fatalf("go list: %v: %s", err, out)
		}
		if got := strings.Contains(string(out), "github.com/sugarme/tokenizer"); got != want {
			t.Errorf("%s depends on sugarme: %v, want %v", folder, got, want)
		}
	}
}
