package model

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/internal/tiny"
)

// generated collects a continuation.
func generated(t *testing.T, m *Model, prompt []int32, g Generation) (ids []int32, text string) {
	t.Helper()
	for tok, err := range m.Generate(context.Background(), prompt, g) {
		if err != nil {
			t.Fatal(err)
		}
		if tok.ID != NoToken {
			ids = append(ids, tok.ID)
		}
		text += tok.Text
	}
	return ids, text
}

// With cached keys and values every step must see what a run over the whole
// text sees.
func TestGenerateEqualsWholeRuns(t *testing.T) {
	for name, changes := range familyChanges {
		t.Run(name, func(t *testing.T) {
			m := openTiny(t, testDevice(), changes)
			text := tiny.Tokens(7, 4)
			got, _ := generated(t, m, text, Generation{MaxTokens: 12, IgnoreEOS: true})
			p := m.NewPass()
			defer p.Close()
			for i, id := range got {
				logits, err := p.Logits(Batch{Tokens: text, Starts: []int32{0}})
				if err != nil {
					t.Fatal(err)
				}
				if want := argmax(logits[len(logits)-m.Config.Vocab:]); id != want {
					t.Fatalf("token %d is %d, want %d", i, id, want)
				}
				text = append(text, id)
			}
			if len(got) != 12 {
				t.Errorf("%d tokens", len(got))
			}
		})
	}
}

func TestGenerateEnds(t *testing.T) {
	m := openTiny(t, testDevice(), nil)
	prompt := tiny.Tokens(7, 4)
	all, _ := generated(t, m, prompt, Generation{MaxTokens: 10, IgnoreEOS: true})
	stop := all[4]
	first := slices.Index(all, stop)
	if got, _ := generated(t, m, prompt, Generation{MaxTokens: 10, IgnoreEOS: true, StopIDs: []int32{stop}}); !slices.Equal(got, all[:first]) {
		t.Errorf("stopped at %v, want %v", got, all[:first])
	}
	m.Config.EOS = []int32{stop}
	if got, _ := generated(t, m, prompt, Generation{MaxTokens: 10}); !slices.Equal(got, all[:first]) {
		t.Errorf("ended at %v, want %v", got, all[:first])
	}
	if got, _ := generated(t, m, tiny.Tokens(60, 4), Generation{IgnoreEOS: true}); len(got) != 4 {
		t.Errorf("%d tokens after 60 of 64 positions", len(got))
	}
	n := 0
	for range m.Generate(context.Background(), prompt, Generation{IgnoreEOS: true}) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("went on after break: %d", n)
	}
}

func TestGenerateFaults(t *testing.T) {
	m := openTiny(t, testDevice(), nil)
	prompt := tiny.Tokens(7, 4)
	for want, c := range map[string]struct {
		prompt []int32
		g      Generation
	}{
		"empty prompt":                  {nil, Generation{}},
		"leaves no room":                {tiny.Tokens(64, 1), Generation{}},
		"outside the vocabulary":        {[]int32{99}, Generation{}},
		"temperature -1":                {prompt, Generation{Sampling: Sampling{Temperature: -1}}},
		"top-k -1":                      {prompt, Generation{Sampling: Sampling{TopK: -1}}},
		"top-p 2":                       {prompt, Generation{Sampling: Sampling{TopP: 2}}},
		"min-p NaN":                     {prompt, Generation{Sampling: Sampling{MinP: math.NaN()}}},
		"repetition penalty -1":         {prompt, Generation{Sampling: Sampling{RepetitionPenalty: -1}}},
		"-1 tokens to generate":         {prompt, Generation{MaxTokens: -1}},
		"stop strings need a tokenizer": {prompt, Generation{Stop: []string{"x"}}},
	} {
		var fault error
		for _, err := range m.Generate(context.Background(), c.prompt, c.g) {
			fault = err
		}
		if fault == nil || !strings.Contains(fault.Error(), want) {
			t.Errorf("error %v, want %q", fault, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range m.Generate(ctx, prompt, Generation{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
	if _, err := m.GenerateText(context.Background(), "x", Generation{}); err == nil {
		t.Error("text without a tokenizer")
	}
	bad := tiny.New(tiny.Config(nil), 1)
	bad.Tensors["model.norm.weight"].Values[0] = float32(math.NaN())
	for _, err := range openDir(t, testDevice(), bad.Write(t)).Generate(context.Background(), prompt, Generation{}) {
		if err == nil || !strings.Contains(err.Error(), "not a number") {
			t.Errorf("error %v", err)
		}
	}
}

// stories opens the real model that quickstart embeds.
func stories(t *testing.T) *Model {
	t.Helper()
	m, err := OpenFS(testDevice(), os.DirFS(filepath.Join("..", "examples", "quickstart", "model")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// The text is what llama2.c's documentation shows for this model.
func TestStories(t *testing.T) {
	m := stories(t)
	got, err := m.GenerateText(context.Background(), "Once upon a time", Generation{MaxTokens: 60})
	const want = ", there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball."
	if err != nil || !strings.HasPrefix(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	got, err = m.GenerateText(context.Background(), "Once upon a time", Generation{Stop: []string{"zebra", " She loved"}})
	if want := ", there was a little girl named Lily."; err != nil || got != want {
		t.Errorf("stopped after %q, %v", got, err)
	}
}

func TestSamplerKeeps(t *testing.T) {
	logits := []float32{0, 3, 1, 2, -1} // p .030 .611 .083 .225 .011... of the softmax
	count := func(s Sampling) map[int32]int {
		s.Temperature = 1
		n, sample := map[int32]int{}, newSampler(s, nil)
		for range 4000 {
			n[sample.choose(slices.Clone(logits))]++
		}
		return n
	}
	for name, c := range map[string]struct {
		s    Sampling
		want []int32
	}{
		"all":      {Sampling{}, []int32{0, 1, 2, 3, 4}},
		"top-k":    {Sampling{TopK: 2}, []int32{1, 3}},
		"top-k 1":  {Sampling{TopK: 1}, []int32{1}},
		"top-p":    {Sampling{TopP: 0.7}, []int32{1, 3}},
		"top-p 0+": {Sampling{TopP: 1e-9}, []int32{1}},
		"min-p":    {Sampling{MinP: 0.1}, []int32{1, 2, 3}},
		"both":     {Sampling{TopK: 3, TopP: 0.5}, []int32{1}},
	} {
		got := count(c.s)
		var ids []int32
		for id := range got {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		if !slices.Equal(ids, c.want) {
			t.Errorf("%s: drew %v", name, got)
		}
	}
	var z float64
	for _, l := range logits {
		z += math.Exp(float64(l))
	}
	for id, n := range count(Sampling{}) {
		if p := math.Exp(float64(logits[id])) / z; math.Abs(float64(n)/4000-p) > 0.03 {
			t.Errorf("token %d drawn %d times of 4000, its share is %.3f", id, n, p)
		}
	}
}

func TestSamplerIsAFunctionOfItsSeed(t *testing.T) {
	draw := func(seed uint64) (ids []int32) {
		s := newSampler(Sampling{Temperature: 1, Seed: seed}, nil)
		for range 20 {
			ids = append(ids, s.next([]float32{1, 1, 1, 1, 1, 1, 1, 1}))
		}
		return ids
	}
	if !slices.Equal(draw(1), draw(1)) || slices.Equal(draw(1), draw(2)) {
		t.Error("seeds do not decide")
	}
}

func TestRepetitionPenalty(t *testing.T) {
	s := newSampler(Sampling{RepetitionPenalty: 2}, []int32{0, 2})
	logits := []float32{4, 3, -1, -1}
	if id := s.next(logits); id != 1 || logits[0] != 2 || logits[2] != -2 || logits[3] != -1 {
		t.Errorf("chose %d of %v", id, logits)
	}
	if id := s.next([]float32{4, 3, -1, 2.5}); id != 3 {
		t.Errorf("chose %d: 0 and 1 were seen", id)
	}
}

func TestTextStreamHoldsBack(t *testing.T) {
	for _, c := range []struct {
		stops, parts []string
		shown        string
		end          bool
	}{
		{[]string{"END"}, []string{"a", "E", "N", "X"}, "aENX", false},
		{[]string{"END"}, []string{"aE", "ND", "b"}, "a", true},
		{[]string{"END"}, []string{"E", "EN", "D"}, "E", true},
		{[]string{"\n\n", "ab"}, []string{"x\n", "a", "b"}, "x\n", true},
		{[]string{"bc", "abc"}, []string{"zab", "c"}, "z", true},
		{nil, []string{"a", "b"}, "ab", false},
	} {
		s, shown, ended := &textStream{stops: c.stops}, "", false
		for _, part := range c.parts {
			more, end := s.take(part)
			shown += more
			if end {
				ended = true
				break
			}
		}
		if !ended {
			shown += s.held
		}
		if shown != c.shown || ended != c.end {
			t.Errorf("%q after %q: %q, %v; want %q, %v", c.stops, c.parts, shown, ended, c.shown, c.end)
		}
	}
}
