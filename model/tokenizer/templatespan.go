package tokenizer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seed-5afa5581/graft/internal/jinja"
)

// RenderSpans is Render with the parts of the text that are the assistant's, in bytes: what a model learns to say.
//
// Where the template has generation blocks, as those for training have, the spans are what those wrote, in the order
// in which the blocks ended. Else the
// span of each message of the role assistant is found by rendering the messages before it with a generation prompt,
// and those up to it without: it is what the second rendering adds to the first, with the marks that end a turn.
// That needs both to be beginnings of the whole text. Templates that write a message in another way once others
// follow it, by leaving out what the model thought for instance, do not have that, and neither do those that end with
// a generation prompt whether asked or not: the error then says so.
func (p *Template) RenderSpans(c Chat, o ChatOptions) (text string, spans []Span, err error) {
	p = p.of(&c)
	if err := p.check(&c, o); err != nil {
		return "", nil, err
	}
	if o.ContinueFinal {
		return "", nil, p.fail(errors.New("a text that ends within a message has no spans"))
	}
	if p.parsed.Generates() {
		return p.generated(c, o)
	}
	if text, err = p.render(c, o); err != nil {
		return "", nil, err
	}
	if spans, err = p.prefixSpans(c, o, text); err != nil {
		return "", nil, p.fail(fmt.Errorf("the assistant's part of the text is not known: %w; "+
			"use a template with generation blocks", err))
	}
	return text, spans, nil
}

// generated renders c and returns the spans of generation blocks.
func (p *Template) generated(c Chat, o ChatOptions) (string, []Span, error) {
	vars, err := c.variables(p.specials, o)
	if err != nil {
		return "", nil, p.fail(err)
	}
	text, marks, err := p.parsed.RenderSpans(vars, jinja.Options{Now: o.Now})
	if err != nil {
		return "", nil, p.fail(err)
	}
	spans := make([]Span, len(marks))
	for i, m := range marks {
		spans[i] = Span(m)
	}
	return text, spans, nil
}

// prefixSpans finds the spans in text, which is c rendered with o.
func (p *Template) prefixSpans(c Chat, o ChatOptions, text string) (spans []Span, err error) {
	for i, m := range c.Messages {
		if role, _ := m.Text("role"); role != "assistant" {
			continue
		}
		var s Span
		if s.Start, err = p.prefix(c, o, i, true, text); err != nil {
			return nil, err
		}
		if s.End, err = p.prefix(c, o, i+1, false, text); err != nil {
			return nil, err
		}
		if s.End < s.Start {
			return nil, fmt.Errorf("message %d ends before it begins", i)
		}
		spans = append(spans, s)
	}
	if len(spans) == 0 || strings.Contains(p.source, "add_generation_prompt") {
		return spans, nil
	}
	return spans, p.checkEnd(c, o)
}

// prefix returns the length of the rendering of the first n messages, which must be a beginning of text.
func (p *Template) prefix(c Chat, o ChatOptions, n int, prompt bool, text string) (int, error) {
	c.Messages = c.Messages[:n:n]
	o.GenerationPrompt = prompt
	part, err := p.render(c, o)
	if err != nil {
		return 0, fmt.Errorf("the first %d messages cannot be rendered alone: %w", n, err)
	}
	if !strings.HasPrefix(text, part) {
		return 0, fmt.Errorf("the rendering of the first %d messages is not a prefix of the rendering of all", n)
	}
	return len(part), nil
}

// checkEnd makes sure that a template without a switch for the generation prompt does not add one to the last
// answer: another message must continue the text.
func (p *Template) checkEnd(c Chat, o ChatOptions) error {
	o.GenerationPrompt = false
	text, err := p.render(c, o)
	if err != nil {
		return err
	}
	c.Messages = append(c.Messages[:len(c.Messages):len(c.Messages)], NewMessage("user", "x"))
	longer, err := p.render(c, o)
	if err != nil {
		return fmt.Errorf("the end of the last answer cannot be found: %w", err)
	}
	if !strings.HasPrefix(longer, text) {
		return errors.New("the rendering is not a prefix of the rendering with one more message")
	}
	return nil
}
