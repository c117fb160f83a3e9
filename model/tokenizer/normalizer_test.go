package tokenizer

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

func normalizeWith(t *testing.T, raw, s string) string {
	t.Helper()
	list, err := readNormalizers(json.RawMessage(raw))
	if err != nil {
		t.Fatal(err)
	}
	return string((&Tokenizer{normalizers: list}).normalize(s))
}

func TestNormalizers(t *testing.T) {
	for _, c := range []struct{ raw, in, want string }{
		{`{"type":"Prepend","prepend":"_"}`, "ab", "_ab"},
		{`{"type":"Prepend","prepend":"_"}`, "", ""},
		{`{"type":"Replace","pattern":{"String":"aa"},"content":"b"}`, "aaaaa", "bba"},
		{`{"type":"Replace","pattern":{"Regex":"(a)+"},"content":"$1"}`, "xaay", "x$1y"},
		{`{"type":"Lowercase"}`, "ÀΣİǅ", "àσi\u0307ǆ"},
		{`{"type":"Strip","strip_left":true,"strip_right":true}`, "\u00a0 a b\n", "a b"},
		{`{"type":"Strip","strip_left":true,"strip_right":false}`, " a ", "a "},
		{`{"type":"Strip","strip_left":true,"strip_right":true}`, " \n ", ""},
		{`{"type":"StripAccents"}`, "e\u0301é", "eé"},
		{`{"type":"Nmt"}`, "a\x01\tb\u200bc\ufeff", "a b c "},
		{`{"type":"ByteLevel"}`, " é", "ĠÃ©"},
		{`{"type":"NFC"}`, "e\u0301 \u212b", "é Å"},
		{`{"type":"NFKD"}`, "ﬁé", "fie\u0301"},
		{`{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}`, "\x00Éa漢\tb", "ea 漢  b"},
		{`{"type":"BertNormalizer","clean_text":false,"handle_chinese_chars":false,"strip_accents":false,"lowercase":true}`, "É漢", "é漢"},
		{`{"type":"Sequence","normalizers":[{"type":"Sequence","normalizers":[{"type":"NFD"}]},{"type":"StripAccents"}]}`, "é", "e"},
	} {
		if got := normalizeWith(t, c.raw, c.in); got != c.want {
			t.Errorf("%s of %+q is %+q, want %+q", c.raw, c.in, got, c.want)
		}
	}
}

var formNames = []string{"NFC", "NFD", "NFKC", "NFKD"}

// Normalizing by the book is what golang.org/x/text does, on segments that it does not break up.
func TestFormByTheBook(t *testing.T) {
	parts := []string{"e", "a", "s", "Å", "\u0301", "\u0323", "\u0307", "\u0345", "\u1100", "\u1161", "\u11a8", "\uac00", "か", "\u3099", "ﬁ", "\u0958", "\U0001d15e", "\u0344", "क", "\u093c"}
	r := rand.New(rand.NewPCG(15, 16))
	for range 5000 {
		var b []byte
		for range 1 + r.IntN(8) {
			b = append(b, parts[r.IntN(len(parts))]...)
		}
		for _, name := range formNames {
			f := newForm(name)
			if got, want := f.long(nil, b), f.Append(nil, b...); string(got) != string(want) {
				t.Fatalf("%s of %+q is %+q, want %+q", name, b, got, want)
			}
		}
	}
}

// Long runs of marks are put in order, and nothing is put in between.
func TestFormLongRuns(t *testing.T) {
	marks := strings.Repeat("\u0301\u0323", 40)
	want := "\u1eb9" + strings.Repeat("\u0323", 39) + strings.Repeat("\u0301", 40)
	if got := normalizeWith(t, `{"type":"NFC"}`, "xe"+marks+"y"); got != "x"+want+"y" {
		t.Errorf("NFC gives %+q", got)
	}
	want = "e" + strings.Repeat("\u0323", 40) + strings.Repeat("\u0301", 40)
	if got := normalizeWith(t, `{"type":"NFKD"}`, "xe"+marks+"y"); got != "x"+want+"y" {
		t.Errorf("NFKD gives %+q", got)
	}
}

// Marks of later versions of Unicode than the official library's stay where they are.
func TestFormNewer(t *testing.T) {
	const newMark = "\u0898" // Unicode 14, above
	for _, s := range []string{"a" + newMark + "\u0323", "e" + newMark + "\u0301", "\u0301" + newMark + "\u0323", "\u32ff"} {
		for _, name := range formNames {
			if got := normalizeWith(t, `{"type":"`+name+`"}`, s); got != s {
				t.Errorf("%s of %+q is %+q", name, s, got)
			}
		}
	}
	if got := normalizeWith(t, `{"type":"StripAccents"}`, "a\u0301"+newMark); got != "a"+newMark {
		t.Errorf("StripAccents gives %+q", got)
	}
}

func TestLossy(t *testing.T) {
	for in, want := range map[string]string{
		"a\xffb":                   "a\ufffdb",
		"\xe4\xbd":                 "\ufffd",
		"\xe4\xbda":                "\ufffda",
		"\xf0\x9f\x98":             "\ufffd",
		"\xf0\x9f\x98\xf0":         "\ufffd\ufffd",
		"\xed\xa0\x80":             "\ufffd\ufffd\ufffd",
		"\xc0\x80":                 "\ufffd\ufffd",
		"\xf5\x80\x80\x80":         "\ufffd\ufffd\ufffd\ufffd",
		"\xe2\x28\xa1":             "\ufffd(\ufffd",
		"\xf0\x80\x80":             "\ufffd\ufffd\ufffd",
		"\xf4\x90\x80\x80":         "\ufffd\ufffd\ufffd\ufffd",
		"\xe1\x80\xe2\xf0\x91\x92": "\ufffd\ufffd\ufffd",
		"é漢🦙":                      "é漢🦙",
	} {
		if got := string(appendLossy(nil, []byte(in))); got != want {
			t.Errorf("%q becomes %+q, want %+q", in, got, want)
		}
	}
}
