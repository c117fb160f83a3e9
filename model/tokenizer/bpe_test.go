package tokenizer

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// randomBPE makes a model of random merges over the letters a to e and ▁, with byte fallback or an unknown token.
func randomBPE(r *rand.Rand, fallback bool) *bpe {
	v := &vocabulary{}
	names := []string{"?", "a", "b", "c", "d", "e", "▁"}
	if fallback {
		for b := range 256 {
			names = append(names, string(byteToken(byte(b))))
		}
	}
	var list []merge
	base := len(names)
	for len(list) < 60 {
		pick := func() int32 {
			i := 1 + r.IntN(6+len(names)-base)
			if i > 6 {
				i += base - 7
			}
			return int32(i)
		}
		left, right := pick(), pick()
		name := names[left] + names[right]
		if len(name) > 12 || slices.Contains(names, name) {
			continue
		}
		list = append(list, merge{left, right, int32(len(list)), int32(len(names))})
		names = append(names, name)
	}
	for id, name := range names {
		if err := v.add([]byte(name), int32(id)); err != nil {
			panic(err)
		}
	}
	v.index()
	m := &bpe{vocab: v, merges: newMerges(0), unk: 0, fuse: r.IntN(2) == 0, byteFallback: fallback}
	for _, x := range list {
		m.merges.add(x)
	}
	m.indexBytes()
	return m
}

func randomText(r *rand.Rand, n int) []byte {
	letters := []string{"a", "b", "c", "d", "e", "▁", "▁", "x", "é"}
	var b []byte
	for range n {
		b = append(b, letters[r.IntN(len(letters))]...)
	}
	return b
}

// plainJoin is byte-pair encoding as it is defined: join the best pair until there is none.
func plainJoin(m *bpe, symbols []symbol) (out []token) {
	for _, s := range symbols {
		out = append(out, s.token)
	}
	for {
		at, best := -1, merge{}
		for i := 0; i+1 < len(out); i++ {
			if rank, id, ok := m.merges.of(out[i].id, out[i+1].id); ok && (at < 0 || rank < best.rank) {
				at, best = i, merge{rank: rank, id: id}
			}
		}
		if at < 0 {
			return out
		}
		out[at] = token{best.id, out[at].start, out[at+1].end}
		out = slices.Delete(out, at+1, at+2)
	}
}

// Both ways of joining give what the definition gives, at every length.
func TestJoin(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := 1; n < 120; n++ {
		m := randomBPE(r, n%2 == 0)
		text := randomText(r, n)
		var w work
		m.splitRunes(text, &w)
		want := plainJoin(m, w.symbols)
		ways := map[string]func(*work){"long": m.joinLong}
		if len(w.symbols) <= shortPiece {
			ways["short"] = m.joinShort
		}
		for name, join := range ways {
			w := work{symbols: slices.Clone(w.symbols)}
			join(&w)
			var got []token
			for _, s := range w.symbols {
				if s.id != none {
					got = append(got, s.token)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %q gives %v, want %v", name, text, got, want)
			}
		}
	}
}

// Cutting at seams changes no token.
func TestSeams(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	cuts := 0
	for i := range 400 {
		m := randomBPE(r, i%2 == 0)
		s := newSeams(m)
		if s == nil {
			t.Fatal("no seams")
		}
		text := randomText(r, 1+r.IntN(60))
		var w work
		want := m.tokenize(nil, text, &w)
		var got []token
		for _, p := range s.cut(nil, text, &w) {
			for _, tok := range m.tokenize(nil, text[p.Start:p.End], &w) {
				got = append(got, token{tok.id, tok.start + int32(p.Start), tok.end + int32(p.Start)})
			}
			cuts++
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q gives %v, want %v", text, got, want)
		}
	}
	if cuts < 1000 {
		t.Errorf("only %d pieces", cuts)
	}
}

func TestSeamsRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for name, change := range map[string]func(*bpe){
		"ignore_merges":  func(m *bpe) { m.whole = true },
		"prefix":         func(m *bpe) { m.prefix = "##" },
		"suffix":         func(m *bpe) { m.suffix = "</w>" },
		"dropped":        func(m *bpe) { m.unk = none },
		"unknown merges": func(m *bpe) { m.merges.add(merge{0, 1, 99, 2}) },
	} {
		m := randomBPE(r, false)
		if change(m); newSeams(m) != nil {
			t.Errorf("%s: has seams", name)
		}
	}
}

func TestMerges(t *testing.T) {
	m := newMerges(0)
	for i := range int32(5000) {
		m.add(merge{i % 71, i, i, -i})
	}
	m.add(merge{3, 3, 1234, 5})
	for i := range int32(5000) {
		rank, id, ok := m.of(i%71, i)
		want := fmt.Sprint(i, -i, true)
		if i == 3 {
			want = "1234 5 true"
		}
		if got := fmt.Sprint(rank, id, ok); got != want {
			t.Fatalf("merge %d is %s, want %s", i, got, want)
		}
	}
	if _, _, ok := m.of(71, 1); ok {
		t.Error("finds a merge that was not added")
	}
}

func TestCountMerges(t *testing.T) {
	for raw, want := range map[string]int{`["a b","c d"]`: 2, `[ ["a","b"], ["c","d"]]`: 2, `["[ [","[ ["]`: 2, ``: 0} {
		if got := countMerges([]byte(raw)); got != want {
			t.Errorf("%s: %d, want %d", raw, got, want)
		}
	}
}

func TestHeap(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	var h candidateHeap
	for i := range 300 {
		h.push(candidate{rank: int32(r.IntN(40)), at: int32(i)})
	}
	last := candidate{rank: -1}
	for len(h) > 0 {
		c := h.pop()
		if c.before(last) {
			t.Fatalf("%v after %v", c, last)
		}
		last = c
	}
}

func TestTrie(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 9))
	var keys [][]byte
	for range 400 {
		keys = append(keys, randomText(r, r.IntN(5)))
	}
	tr := newTrie(keys)
	for range 2000 {
		text := randomText(r, r.IntN(8))
		want, wantLen := int32(none), 0
		for i, k := range keys {
			if bytes.HasPrefix(text, k) && len(k) >= wantLen && len(k) > 0 {
				want, wantLen = int32(i), len(k)
			}
		}
		if v, n := tr.longest(text); v != want || n != wantLen {
			t.Fatalf("%q begins with key %d of %d bytes, want %d of %d", text, v, n, want, wantLen)
		}
	}
	if v, n := newTrie(nil).longest([]byte("a")); v != none || n != 0 {
		t.Error("an empty trie finds something")
	}
}

// A folded vocabulary finds the tokens that the file writes in the byte alphabet, and those that it cannot.
func TestFoldedVocabulary(t *testing.T) {
	v, err := readVocabulary([]byte(`{"Ġa":0,"Ã©":1,"漢":2,"ä":3,"½":4,"æ¼¢":5}`), true)
	if err != nil {
		t.Fatal(err)
	}
	for text, id := range map[string]int32{" a": 0, "é": 1, "\xe4": 3, "漢": 5} {
		if got, ok := v.id([]byte(text)); !ok || got != id {
			t.Errorf("%q is %d, want %d", text, got, id)
		}
	}
	for id := range int32(6) {
		if got, ok := v.named(v.written(id)); !ok || got != id {
			t.Errorf("%q is %d, want %d", v.written(id), got, id)
		}
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	if back, ok := appendFolded(nil, appendUnfolded(nil, all)); !ok || !bytes.Equal(back, all) {
		t.Errorf("the byte alphabet gives back %q", back)
	}
	if _, ok := appendFolded(nil, []byte(strings.Repeat("a", 3)+" ")); ok {
		t.Error("a space is taken for a letter of the byte alphabet")
	}
}
