package data

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// lengths makes a list of samples with so many tokens each.
func lengths(sizes ...int) (l List) {
	for i, n := range sizes {
		tokens := slices.Repeat([]int32{int32(i)}, n)
		l = append(l, Sample{Tokens: tokens, Labels: tokens, Source: fmt.Sprintf("f.jsonl:%d", i+1)})
	}
	return l
}

func mustBatches(t testing.TB, s Source, c BatchConfig) *Batches {
	t.Helper()
	b, err := NewBatches(s, c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// epoch returns the steps of the epoch at hand.
func epoch(b *Batches) (steps [][]int) {
	for e := b.Cursor().Epoch; b.Cursor().Epoch == e; {
		steps = append(steps, b.Next())
	}
	return steps
}

var ways = map[string]BatchConfig{
	"samples":  {Batch: 4, Seed: 3},
	"in order": {Batch: 4, NoShuffle: true},
	"tokens":   {Tokens: 12, Seed: 3},
	"packs":    {Batch: 2, Pack: 9, Seed: 3},
}

// Every way of batching takes every sample once an epoch, in another order
// each epoch, as long as batches are shuffled.
func TestBatches(t *testing.T) {
	s := lengths(3, 9, 1, 1, 4, 7, 2, 5, 5, 8, 6, 3, 2)
	for name, c := range ways {
		b := mustBatches(t, s, c)
		var orders []string
		for e := range 3 {
			steps := epoch(b)
			taken := slices.Concat(steps...)
			orders = append(orders, fmt.Sprint(taken))
			slices.Sort(taken)
			if len(taken) != len(s) || len(slices.Compact(taken)) != len(s) {
				t.Errorf("%s: epoch %d takes %v", name, e, steps)
			}
			if got := b.Steps(e+1) - b.Steps(e); got != len(steps) {
				t.Errorf("%s: epoch %d has %d steps, Steps says %d", name, e, len(steps), got)
			}
		}
		if same := orders[0] == orders[1]; same != c.NoShuffle {
			t.Errorf("%s: two epochs have the orders %s and %s", name, orders[0], orders[1])
		}
	}
}

func TestBatchSizes(t *testing.T) {
	s := lengths(3, 9, 1, 1, 4, 7, 2, 5, 5, 8, 6, 3, 2)
	for i, step := range epoch(mustBatches(t, s, ways["samples"])) {
		if want := min(4, len(s)-4*i); len(step) != want {
			t.Errorf("step %d takes %v", i, step)
		}
	}
	s = append(s, lengths(50)...)
	for i, step := range epoch(mustBatches(t, s, ways["tokens"])) {
		tokens := 0
		for _, k := range step {
			tokens += len(s[k].Tokens)
		}
		if tokens > 12 && len(step) > 1 {
			t.Errorf("step %d has %d tokens: %v", i, tokens, step)
		}
	}
}

// No pack is longer than it may be, and no two of them would fit into one.
func TestPack(t *testing.T) {
	s := lengths(3, 9, 1, 1, 4, 7, 2, 5, 5, 8, 6, 3, 2, 9)
	b := mustBatches(t, s, BatchConfig{Batch: 1, Pack: 9, Seed: 1})
	var sizes []int
	for _, pack := range epoch(b) {
		n := 0
		for _, k := range pack {
			n += len(s[k].Tokens)
		}
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	if sizes[len(sizes)-1] > 9 || sizes[0]+sizes[1] <= 9 {
		t.Errorf("packs of %v tokens", sizes)
	}
	if _, err := NewBatches(s, BatchConfig{Pack: 8}); err == nil || !strings.Contains(err.Error(), "f.jsonl:2: 9 tokens do not fit") {
		t.Errorf("error %v", err)
	}
}

// A cursor that went through JSON leads to the steps that would have followed.
func TestCursor(t *testing.T) {
	s := lengths(3, 9, 1, 1, 4, 7, 2, 5, 5, 8, 6, 3, 2)
	s[2].Weight, s[5].Weight = 2.5, 0.5
	for name, c := range ways {
		b := mustBatches(t, s, c)
		for range 12 {
			text, err := json.Marshal(b.Cursor())
			if err != nil {
				t.Fatal(err)
			}
			var cursor Cursor
			if err := json.Unmarshal(text, &cursor); err != nil {
				t.Fatal(err)
			}
			other := mustBatches(t, s, c)
			if err := other.Seek(cursor); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for range 8 {
				want, got := b.Next(), other.Next()
				if !slices.Equal(got, want) {
					t.Fatalf("%s: after %s: %v, want %v", name, text, got, want)
				}
			}
			if err := b.Seek(cursor); err != nil {
				t.Fatal(err)
			}
			b.Next()
		}
	}
	b := mustBatches(t, s, BatchConfig{Seed: 1})
	for _, c := range []Cursor{{Seed: 2}, {Epoch: -1, Seed: 1}, {Position: 99, Seed: 1}, {Position: -1, Seed: 1}} {
		if err := b.Seek(c); err == nil {
			t.Errorf("%+v accepted", c)
		}
	}
}

// Ranks share each step and nothing else.
func TestRanks(t *testing.T) {
	s := lengths(3, 9, 1, 1, 4, 7, 2, 5, 5, 8, 6, 3, 2)
	for name, c := range ways {
		whole := mustBatches(t, s, c)
		var ranks []*Batches
		for r := range 3 {
			c.Ranks, c.Rank = 3, r
			ranks = append(ranks, mustBatches(t, s, c))
		}
		for range 9 {
			want := whole.Next()
			var got []int
			for _, r := range ranks {
				got = append(got, r.Next()...)
				if r.Cursor() != whole.Cursor() {
					t.Errorf("%s: cursors %v and %v", name, r.Cursor(), whole.Cursor())
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: ranks took %v of %v", name, got, want)
			}
		}
	}
}

// Over n epochs a sample of weight w comes up w·n times, to within one.
func TestWeights(t *testing.T) {
	s := lengths(1, 1, 1, 1, 1, 1)
	weights := []float64{1, 2, 0.5, 0.3, 2.7, 0.5}
	for i, w := range weights {
		s[i].Weight = w
	}
	b := mustBatches(t, s, BatchConfig{Batch: 3})
	counts := make([]float64, len(s))
	for n := 1; n <= 20; n++ {
		for _, i := range slices.Concat(epoch(b)...) {
			counts[i]++
		}
		for i, w := range weights {
			if want := w * float64(n); counts[i] <= want-1 || counts[i] >= want+1 {
				t.Errorf("sample %d of weight %v came up %v times in %d epochs", i, w, counts[i], n)
			}
		}
	}
}

// A sample that few epochs take is still found.
func TestEmptyEpochs(t *testing.T) {
	s := lengths(1)
	s[0].Weight = 0.2
	b := mustBatches(t, s, BatchConfig{})
	for i := range 3 {
		if got := b.Next(); len(got) != 1 || b.Cursor().Epoch != 5*(i+1) {
			t.Errorf("step %d takes %v and stands at %+v", i, got, b.Cursor())
		}
	}
}

func TestBatchFaults(t *testing.T) {
	for want, c := range map[string]BatchConfig{
		"batch of -1 samples": {Batch: -1}, "batch of -1 tokens": {Tokens: -1}, "not both": {Batch: 1, Tokens: 1},
		"packs of -1": {Pack: -1}, "rank 2 of 2": {Ranks: 2, Rank: 2}, "rank 1 of 0": {Rank: 1},
	} {
		if _, err := NewBatches(lengths(1), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", c, err, want)
		}
	}
	heavy := lengths(1)
	heavy[0].Weight = 1e9
	if _, err := NewBatches(heavy, BatchConfig{}); err == nil || !strings.Contains(err.Error(), "f.jsonl:1: weight 1e+09") {
		t.Errorf("error %v", err)
	}
	if _, err := NewBatches(List{}, BatchConfig{}); err == nil || !strings.Contains(err.Error(), "no samples") {
		t.Errorf("error %v", err)
	}
}

// The hash tells any change of tokens, labels, weights, borders or order.
func TestHash(t *testing.T) {
	base := func() List { return lengths(3, 2, 4) }
	same := base()
	same[0].Source, same[1].Weight = "elsewhere", 1
	if Hash(same) != Hash(base()) {
		t.Error("the hash depends on sources, or on a weight that is said")
	}
	seen := map[string]string{Hash(base()): "the same"}
	for name, change := range map[string]func(List) List{
		"token":  func(l List) List { l[1].Tokens = []int32{1, 7}; return l },
		"label":  func(l List) List { l[1].Labels = []int32{-100, 1}; return l },
		"weight": func(l List) List { l[1].Weight = 2; return l },
		"order":  func(l List) List { l[0], l[1] = l[1], l[0]; return l },
		"fewer":  func(l List) List { return l[:2] },
		"border": func(l List) List { l[0], l[1] = lengths(2)[0], lengths(3)[0]; return l },
	} {
		h := Hash(change(base()))
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have the hash %s", name, other, h)
		}
		seen[h] = name
	}
}
