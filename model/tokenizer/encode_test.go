package tokenizer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// awkward are texts that no tokenizer may stumble over.
func awkward() []string {
	return []string{
		"", " ", "\x00", "a\x00b", "\xff", "a\xc3", "\xe4\xbd", "\xf0\x9f\x98", "\xed\xa0\x80", "\xc0\x80", "ok \xe2\x28\xa1 ok",
		"\U0010ffff", "\ue000\uf8ff", "\ufeff", "\ufffd", "▁", "▁▁ ▁", strings.Repeat(" ", 5000), strings.Repeat("\n", 3000),
		strings.Repeat("a", 70000), strings.Repeat("ab", 30000), strings.Repeat("漢", 20000), strings.Repeat("e\u0301", 9000),
		"a" + strings.Repeat("\u0301", 5000), strings.Repeat("\xff", 1000), strings.Repeat("<s>", 2000), strings.Repeat("'", 4000),
		strings.Repeat(" \n", 3000), strings.Repeat("9", 5000), "<", "<|", "<0x41>", "</s", strings.Repeat("<|im_start", 500),
	}
}

// Text that is not UTF-8 gives the ids of its repaired form; offsets are those of the text itself, and in order.
func TestEncodeAwkward(t *testing.T) {
	for _, name := range []string{"stories260K", "bl-qwen2", "bl-o200k", "bl-deepseek3", "bl-falcon", "bl-nfkc", "bl-regex", "sp-no-unk", "sp-nfkc-lower", "ug-rules", "wp-bert", "bpe-suffix"} {
		tok := loadSample(t, name)
		for _, s := range awkward() {
			checkEncode(t, tok, name, s)
		}
	}
}

// longUnits make up texts that are hard to cut: words, white space and marks without end.
var longUnits = map[string]string{
	"letters": "a", "syllables": "lorem", "ideographs": "漢字", "marks": "\u0301\u0323", "spaces": " ", "lines": "\n", "both": " \n",
	"digits": "7", "signs": "=-", "nul": "\x00", "broken": "\xff", "tags": "<s>", "half tags": "<|im_", "quotes": "'",
}

func checkSpans(t *testing.T, tok *Tokenizer, name, s string, spans []Span) {
	t.Helper()
	plain := spans[len(tok.prefix) : len(spans)-len(tok.suffix)]
	last := Span{}
	for i, sp := range plain {
		if sp.Start < 0 || sp.Start > sp.End || sp.End > len(s) || sp.Start < last.Start {
			t.Errorf("%s: %.40q: token %d of %d has the span %v after %v", name, s, i, len(plain), sp, last)
			return
		}
		last = sp
	}
}

// A word of a megabyte is no trouble: were the time to grow with the square of its length, this would not end.
func TestMegabyteWord(t *testing.T) {
	word := strings.Repeat("lorem", 1<<20/5)
	for _, name := range []string{"smollm2", "stories260K", "ug-bytes"} {
		tok := loadSample(t, name)
		if got := tok.Decode(tok.EncodePlain(word)); got != word {
			t.Errorf("%s: decodes to %d bytes that begin with %.40q", name, len(got), got)
		}
	}
}

func TestEncodeOffsets(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"stories260K", "Once 漢!", `<s>:"" ▁Once:"Once" ▁:" " <0xE6>:"漢" <0xBC>:"漢" <0xA2>:"漢" !:"!"`},
		{"smollm2", "don't stop", `don:"don" 't:"'t" Ġstop:" stop"`},
		{"smollm2", "a\x1d漢", `a:"a" æ:"漢" ¼:"漢" ¢:"漢"`}, // the vocabulary lacks the byte 1D
		{"wp-bert", "Élan\xff", `[CLS]:"" e:"É" ##l:"l" ##a:"a" ##n:"n" [SEP]:""`},
		{"bl-qwen2", "e\u0301<|im_start|>", `Ã:"e\u0301" ©:"e\u0301" <|im_start|>:"<|im_start|>"`},
	} {
		tok := loadSample(t, c.name)
		ids, spans := tok.EncodeOffsets(c.text, true)
		var parts []string
		for i, id := range ids {
			name, _ := tok.Token(id)
			parts = append(parts, fmt.Sprintf("%s:%+q", name, c.text[spans[i].Start:spans[i].End]))
		}
		want := strings.ReplaceAll(c.want, "漢\"", "\\u6f22\"")
		want = strings.ReplaceAll(want, "É\"", "\\u00c9\"")
		if got := strings.Join(parts, " "); got != want {
			t.Errorf("%s: %q gives %s, want %s", c.name, c.text, got, want)
		}
	}
}

func TestEncodeAppend(t *testing.T) {
	tok := loadSample(t, "stories260K")
	dst := make([]int32, 1, 64)
	dst[0] = 77
	dst = tok.EncodeAppend(dst, "Once upon", true)
	if want := append([]int32{77}, tok.Encode("Once upon")...); !slices.Equal(dst, want) {
		t.Errorf("got %v, want %v", dst, want)
	}
	if got, want := tok.Count("Once upon"), len(tok.EncodePlain("Once upon")); got != want || want == 0 {
		t.Errorf("Count is %d, want %d", got, want)
	}
}

func TestEncodeAppendAllocates(t *testing.T) {
	text := "Once upon a time, there was a little girl named Lily. She didn't like 12 vegetables…\n\n" + strings.Repeat("supercalifragilistic", 9)
	for _, name := range []string{"smollm2", "stories260K", "bl-llama3", "bl-deepseek3", "sp-metaspace-first", "sp-gemma", "ug-bytes"} {
		tok := loadSample(t, name)
		ids := tok.Encode(text)
		if n := testing.AllocsPerRun(100, func() { ids = tok.EncodeAppend(ids[:0], text, true) }); n != 0 {
			t.Errorf("%s: EncodeAppend allocates %v times", name, n)
		}
		if n := testing.AllocsPerRun(100, func() { tok.Count(text) }); n != 0 {
			t.Errorf("%s: Count allocates %v times", name, n)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	for _, name := range []string{"smollm2", "sp-gemma", "ug-rules", "bl-regex", "wp-bert"} {
		tok := loadSample(t, name)
		records := readGoldens(t, samples, name+".jsonl.gz")
		var wg sync.WaitGroup
		for g := range 6 {
			wg.Go(func() {
				for i := range records {
					r := records[(i*(g+1))%len(records)]
					if what := difference(tok, r); what != "" {
						t.Errorf("%s: %.60q: %s", name, r.Text, what)
					}
				}
			})
		}
		wg.Wait()
	}
}

// The words of the cache are those that the model gives, whatever came before in their places.
func TestWordCache(t *testing.T) {
	var cache wordCache
	r := rand.New(rand.NewPCG(1, 2))
	for range 50000 {
		piece := []byte(fmt.Sprint(r.IntN(30000)))
		want := []int32{int32(len(piece)), int32(hash(piece) & 1023)}
		w, ok := cache.slot(piece)
		if ok && !slices.Equal(w.id[:w.ids], want) {
			t.Fatalf("%s: cached %v, want %v", piece, w.id[:w.ids], want)
		}
		w.set(piece, []token{{id: want[0]}, {id: want[1]}})
	}
	w, _ := cache.slot([]byte("x"))
	w.set([]byte("x"), make([]token, wordIDs+1))
	if _, ok := cache.slot([]byte("x")); ok {
		t.Error("a word with more ids than there is room for was kept")
	}
}

func TestVocabulary(t *testing.T) {
	for _, name := range []string{"smollm2", "stories260K", "ug-bytes", "wp-bert", "sp-overlapping-tokens"} {
		tok := loadSample(t, name)
		n, last := 0, int32(-1)
		for id, s := range tok.Vocab() {
			if back, ok := tok.ID(s); !ok || back != id || id <= last {
				t.Fatalf("%s: after %d comes token %d, %q, whose id is %d", name, last, id, s, back)
			}
			n, last = n+1, id
		}
		if n != tok.Size() {
			t.Errorf("%s: %d tokens, want %d", name, n, tok.Size())
		}
		for range tok.Vocab() {
			break // must not go on
		}
		if _, ok := tok.ID("no such token"); ok {
			t.Errorf("%s: ID finds what is not there", name)
		}
		for _, id := range []int32{-1, int32(tok.Size()) + 5000, 1<<31 - 1} {
			if s, ok := tok.Token(id); ok || tok.IsSpecial(id) {
				t.Errorf("%s: token %d is %q", name, id, s)
			}
		}
	}
}

func TestAffixes(t *testing.T) {
	for name, want := range map[string]string{"stories260K": "[1] []", "sp-bos-eos": "[1] [2]", "wp-bert": "[1] [2]", "smollm2": "[] []"} {
		tok := loadSample(t, name)
		before, after := tok.Affixes()
		if got := fmt.Sprint(before, after); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		for _, id := range append(before, after...) {
			if !tok.IsSpecial(id) {
				t.Errorf("%s: token %d is not special", name, id)
			}
		}
	}
}
