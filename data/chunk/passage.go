package chunk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/seed-5afa5581/graft/data/rows"
)

// A Passage is a part of a document.
type Passage struct {
	File     string   `json:"file"`
	From     int      `json:"from"`     // its first line, from 1
	To       int      `json:"to"`       // its last line
	Headings []string `json:"headings"` // above it, the outermost first
	Text     string   `json:"passage"`
	Question string   `json:"question"` // to be written
	Answer   string   `json:"answer"`   // to be written
}

// Config says how to cut. The zero value serves.
type Config struct {
	// Size is the longest passage; 1000 characters if 0. A paragraph that is longer is
	// cut behind sentences.
	Size int
	// Measure returns the size of a text; characters if nil. For a model's tokens it is
	// tokenizer.Count.
	Measure func(text string) int
	// Begin matches paragraphs that begin a passage of their own, such as the
	// articles of a law; nil for none.
	Begin *regexp.Regexp
}

func (c Config) withDefaults() Config {
	if c.Size == 0 {
		c.Size = 1000
	}
	if c.Measure == nil {
		c.Measure = utf8.RuneCountInString
	}
	return c
}

// Read cuts a file of text or Markdown.
func Read(path string, c Config) ([]Passage, error) {
	f, err := rows.NewFile(path)
	if err != nil {
		return nil, err
	}
	if f.Format != rows.Document {
		return nil, fmt.Errorf("data: %s: a file of %s has records already: chunk takes text and Markdown", path, f.Format)
	}
	for row, err := range f.Rows() {
		if err != nil {
			return nil, err
		}
		var document struct{ Text string }
		if err := json.Unmarshal(row.JSON, &document); err != nil {
			return nil, fmt.Errorf("data: %s: %w", path, err)
		}
		return Cut(path, document.Text, c)
	}
	return nil, fmt.Errorf("data: %s: no text", path)
}

// Cut cuts a text of a file.
func Cut(file, text string, c Config) ([]Passage, error) {
	if c = c.withDefaults(); c.Size < 1 {
		return nil, fmt.Errorf("data: passages of %d: must be positive", c.Size)
	}
	x := cutter{config: c, file: file}
	for _, b := range blocks(text) {
		x.add(b)
	}
	x.end()
	if len(x.passages) == 0 {
		return nil, errors.New("data: " + file + ": no text")
	}
	return x.passages, nil
}

// Write writes passages, one JSON object a line.
func Write(w io.Writer, passages []Passage) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, p := range passages {
		if err := e.Encode(p); err != nil {
			return err
		}
	}
	return nil
}

// A cutter collects blocks into passages.
type cutter struct {
	config   Config
	file     string
	headings []heading
	open     []block // of the passage at hand
	passages []Passage
}

type heading struct {
	level int
	text  string
}

func (x *cutter) add(b block) {
	if b.level > 0 {
		x.end()
		for len(x.headings) > 0 && x.headings[len(x.headings)-1].level >= b.level {
			x.headings = x.headings[:len(x.headings)-1]
		}
		x.headings = append(x.headings, heading{b.level, b.text})
		return
	}
	begins := x.config.Begin != nil && x.config.Begin.MatchString(b.text)
	if begins || len(x.open) > 0 && x.config.Measure(join(append(x.open, b))) > x.config.Size {
		x.end()
	}
	for _, part := range x.parts(b) {
		if len(x.open) > 0 && x.config.Measure(join(append(x.open, part))) > x.config.Size {
			x.end()
		}
		x.open = append(x.open, part)
	}
}

// end closes the passage at hand.
func (x *cutter) end() {
	if len(x.open) == 0 {
		return
	}
	p := Passage{File: x.file, From: x.open[0].from, To: x.open[len(x.open)-1].to, Headings: []string{}, Text: join(x.open)}
	for _, h := range x.headings {
		p.Headings = append(p.Headings, h.text)
	}
	x.passages, x.open = append(x.passages, p), nil
}

func join(blocks []block) string {
	var texts []string
	for _, b := range blocks {
		texts = append(texts, b.text)
	}
	return strings.Join(texts, "\n\n")
}

// parts cuts a block that is too long behind its sentences.
func (x *cutter) parts(b block) []block {
	if x.config.Measure(b.text) <= x.config.Size {
		return []block{b}
	}
	var parts []block
	text := ""
	end := func() {
		if text = strings.TrimSpace(text); text != "" {
			parts, text = append(parts, block{text: text, from: b.from, to: b.to}), ""
		}
	}
	for _, s := range sentences(b.text) {
		if x.config.Measure(text+s) > x.config.Size {
			end()
		}
		text += s
	}
	end()
	return parts
}
