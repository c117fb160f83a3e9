package data

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data/shape"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// answered are chats whose answers begin and end in all the ways that move
// tokens at a border.
var answered = [][]string{
	{"q", "A"}, {"What?", " A"}, {"q", "\nA"}, {"q", "\n\nA\n"}, {"q", "  "}, {"q", "é\u0301"}, {"Q:", ":A"}, {"q", "答案。"}, {"q", "A", "r", "B"},
	{"Hello there", "Hi! How are you?", "Fine.", "Good\n", "Bye", "Bye  "},
}

// templates are the built-in ones and those of the tests, and those of the folder
// GRAFT_CHAT_GOLDEN if that is set.
func templates(t *testing.T) (files []string) {
	files = append(files, tokenizer.BuiltIns()...)
	dirs := []string{filepath.Join("..", "model", "tokenizer", "testdata", "chat")}
	if dir := os.Getenv("GRAFT_CHAT_GOLDEN"); dir != "" {
		dirs = append(dirs, fromRoot(dir))
	}
	for _, dir := range dirs {
		found, err := filepath.Glob(filepath.Join(dir, "templates", "*.jinja"))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: no templates (%v)", dir, err)
		}
		files = append(files, found...)
	}
	return files
}

func fromRoot(dir string) string {
	if filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join("..", dir)
}

// tokenizers are one of each kind, and those of the folder GRAFT_TOKENIZERS if
// that is set.
func tokenizers(t *testing.T) map[string]*tokenizer.Tokenizer {
	all := map[string]*tokenizer.Tokenizer{"letters": letters(t, ""), "stories": stories(t)}
	dir := os.Getenv("GRAFT_TOKENIZERS")
	if dir == "" {
		return all
	}
	found, err := filepath.Glob(filepath.Join(fromRoot(dir), "*", "tokenizer.json"))
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: no tokenizers (%v)", dir, err)
	}
	for _, file := range found {
		k, err := tokenizer.Open(filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(filepath.Dir(file))] = k
	}
	return all
}

// With every template and tokenizer, what stands before an answer is, token for
// token, what inference has there, and what is learned is the answer and what ends
// it, once.
func TestEveryTemplate(t *testing.T) {
	for name, k := range tokenizers(t) {
		for _, file := range templates(t) {
			r, err := NewRenderer(k, Config{Template: file, Date: "2026-11-25"})
			if err != nil {
				t.Fatal(err)
			}
			_, bos := k.BOS()
			if strings.Contains(file, "hermes-2-pro") || strings.Contains(r.Template.Source(), "bos_token") && !bos {
				continue // it cannot render a chat without tools, or without a token that is not there
			}
			checked := 0
			for _, said := range answered {
				checked += checkChat(t, name, r, record(t, chatRow(said...)))
			}
			if checked < 12 {
				t.Errorf("%s, %s: only %d answers were checked", name, filepath.Base(file), checked)
			}
		}
	}
}

// checkChat checks the samples of a chat and returns the number of answers.
func checkChat(t *testing.T, name string, r *Renderer, x shape.Record) (checked int) {
	t.Helper()
	at := name + ", " + filepath.Base(r.Template.Name())
	out, err := r.Render(x)
	if err != nil {
		t.Errorf("%s: %v", at, err)
		return 0
	}
	var answers []int
	for i := range x.Messages {
		if x.IsAnswer(i) {
			answers = append(answers, i)
		}
	}
	exact := true // no border so far lay within a token
	for _, s := range out.Samples {
		for _, run := range runs(s) {
			if !run.learned {
				continue
			}
			if len(answers) == 0 {
				t.Errorf("%s: more is learned than the answers: %q", at, marked(r.Tokenizer, s))
				return checked
			}
			exact = checkAnswer(t, at, r, x, answers[0], s, run, exact || len(out.Samples) > 1)
			answers = answers[1:]
			checked++
		}
	}
	if len(answers) > 0 {
		t.Errorf("%s: answers %v of %q are not learned", at, answers, x.Prompt()+x.Answer())
	}
	return checked
}

// checkAnswer checks what is learned of message i.
func checkAnswer(t *testing.T, at string, r *Renderer, x shape.Record, i int, s Sample, run run, exact bool) bool {
	t.Helper()
	k := r.Tokenizer
	text, err := r.Template.Render(r.chatOf(x, i), tokenizer.ChatOptions{GenerationPrompt: true, Now: r.now})
	if err != nil {
		t.Errorf("%s: %v", at, err)
		return false
	}
	prompt, got := k.EncodePlain(text), s.Tokens[:run.from]
	if marks := strings.Contains(r.Template.Source(), "endgeneration"); marks && len(prompt) > len(got) && len(prompt) < run.to {
		got = s.Tokens[:len(prompt)] // the template's own mark begins within the prompt
	}
	if exact && !slices.Equal(got, prompt) && !thinks(k.Decode(prompt), k.Decode(s.Tokens[:run.to])) {
		t.Errorf("%s: answer %d follows %q, and inference has %q", at, i, k.Decode(got), k.Decode(prompt))
	}
	said := k.Decode(s.Tokens[run.from:run.to])
	if !strings.Contains(said, strings.TrimSpace(x.Content(i))) {
		t.Errorf("%s: answer %q is learned as %q", at, x.Content(i), said)
	}
	ends := map[int32]int{}
	for _, id := range s.Tokens[run.from:run.to] {
		if r.endsTurn(id) {
			ends[id]++
		}
	}
	for id, n := range ends {
		if n > 1 {
			t.Errorf("%s: answer %q has token %d %d times", at, said, id, n)
		}
	}
	if last := run.to == len(s.Tokens) || len(runs(s)) == 2; last && len(ends) == 0 {
		t.Errorf("%s: nothing ends answer %q", at, said)
	}
	whole := k.EncodePlain(k.Decode(s.Tokens[:run.to]))
	return exact && slices.Equal(whole, s.Tokens[:run.to])
}

// thinks tells whether a prompt goes beyond what training has before an answer: the
// template opens a thought that the answer lacks.
func thinks(prompt, trained string) bool {
	return strings.Contains(prompt, "<think>") && !strings.HasPrefix(trained, prompt)
}
