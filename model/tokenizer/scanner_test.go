package tokenizer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/dlclark/regexp2"
)

// splitText makes texts from what split patterns tell apart.
func splitText(r *rand.Rand) string {
	parts := []string{
		"a", "B", "ß", "ǅ", "ʰ", "漢", "あ", "ー", "e\u0301", "\u0301", "१", "²", "Ⅷ", "1", "2", "3", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003",
		".", "!", "$", "+", "_", "/", "'", "'s", "'S", "'ſ", "'Re", "'LL", "'vE", "'d", "\u200d", "🦙", "\x00", "Ab", "CD", "ef", "०", "龥", "—", "€", "\ue000",
	}
	var b strings.Builder
	for range r.IntN(24) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

// Every scanner finds what a regular expression engine finds with the pattern that it stands for.
func TestScanners(t *testing.T) {
	for pattern, scan := range scanners {
		want := expression{regexp2.MustCompile(fromOniguruma(pattern), regexp2.None)}
		r := rand.New(rand.NewPCG(11, 12))
		for range 4000 {
			s := splitText(r)
			a, b := scan.matches(nil, []byte(s)), want.matches(nil, []byte(s))
			if !slices.Equal(a, b) {
				t.Errorf("%q on %+q: %v, want %v", pattern, s, a, b)
				break
			}
		}
	}
}

// The quick way to cut is the general one.
func TestScannerCut(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 500 {
		b := []byte(splitText(r))
		for pattern, scan := range scanners {
			var w work
			quick := scan.cut(nil, b)
			slow := split{patternFunc(scan.matches), isolated, false}.cut(nil, b, &w)
			if !slices.Equal(quick, slow) {
				t.Fatalf("%q on %+q: %v, want %v", pattern, b, quick, slow)
			}
		}
	}
}

type patternFunc func(dst []Span, b []byte) []Span

func (f patternFunc) matches(dst []Span, b []byte) []Span { return f(dst, b) }

func TestBehaviors(t *testing.T) {
	for _, c := range []struct {
		behavior behavior
		invert   bool
		text     string
		want     string
	}{
		{isolated, false, "-a--b-", "- a - - b -"},
		{removed, false, "-a--b-", "a b"},
		{removed, true, "-a--b-", "- - - -"},
		{mergedWithPrevious, false, "-a--b-", "- a- - b-"},
		{mergedWithNext, false, "-a--b-", "-a - -b -"},
		{contiguous, false, "-a--b-", "- a -- b -"},
		{isolated, true, "ab-cd", "ab - cd"},
		{mergedWithNext, true, "ab-cd", "ab- cd"},
		{isolated, false, "", ""},
		{removed, false, "--", ""},
	} {
		var w work
		var got []string
		for _, p := range (split{literal("-"), c.behavior, c.invert}).cut(nil, []byte(c.text), &w) {
			if p.End > p.Start {
				got = append(got, c.text[p.Start:p.End])
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s, invert %v, %q: %q, want %q", c.behavior, c.invert, c.text, s, c.want)
		}
	}
}

func TestExpressionEmptyMatches(t *testing.T) {
	p := "(?<=\\d)(?=\\p{L})"
	e, err := patternFile{Regex: &p}.build()
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(e.matches(nil, []byte("1a漢2b"))); got != "[{1 1} {6 6}]" {
		t.Errorf("got %s", got)
	}
}

func TestFromOniguruma(t *testing.T) {
	for in, want := range map[string]string{
		`a\w`:           `a[` + wordClass + `]`,
		`[^\w\s]`:       `[^` + wordClass + `\s]`,
		`\W`:            `[^` + wordClass + `]`,
		`\\w`:           `\\w`,
		`(?i:'s|k)s`:    "(?i:'[sſ]|[k\u212a])s",
		`(?i:(a)[st])s`: `(?i:(a)[sſt])s`,
		`[]s](?i:s)`:    `[]s](?i:[sſ])`,
		`漢\p{L}`:        `漢\p{L}`,
	} {
		if got := fromOniguruma(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
