package tokenizer

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/seed-5afa5581/graft/internal/jinja"
)

// A Template is a chat template: Jinja that makes one text of a chat, as transformers 5 renders it. It does not change
// and is safe for concurrent use.
type Template struct {
	name     string
	source   string
	parsed   *jinja.Template
	specials map[string]string
	forTools *Template // goes before it where a chat has tools; nil if there is none
	builtIn  bool      // what it has no place for is refused, not left out
}

// A TemplateError is the refusal of a template: it has called raise_exception.
type TemplateError struct {
	Template string
	Message  string // the template's own words
	Line     int
}

// Error names the template and the line.
func (e *TemplateError) Error() string {
	return fmt.Sprintf("tokenizer: template %s: line %d: %s", e.Template, e.Line, e.Message)
}

// ParseTemplate parses the Jinja source of a chat template. Errors use the name. specials are the special tokens
// that the template reads as variables, such as bos_token; see Tokenizer.Roles.
func ParseTemplate(name, source string, specials map[string]string) (*Template, error) {
	parsed, err := jinja.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: template %s: %w", name, err)
	}
	return &Template{name: name, source: source, parsed: parsed, specials: maps.Clone(specials)}, nil
}

// Template returns the chat template that the tokenizer's files name, or their default one for "" and "default", with
// the special tokens of Roles. The default gives way to the one named tool_use where a chat has tools.
func (t *Tokenizer) Template(name string) (*Template, error) {
	source, ok := t.ChatTemplate(name)
	if !ok {
		return nil, fmt.Errorf("tokenizer: there is no chat template %q; BuiltIn has some for models without one", name)
	}
	if name != "" && name != "default" {
		return ParseTemplate(name, source, t.Roles())
	}
	p, err := ParseTemplate("default", source, t.Roles())
	if _, ok := t.ChatTemplate("tool_use"); ok && err == nil {
		p.forTools, err = t.Template("tool_use")
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Name returns the template's name.
func (p *Template) Name() string { return p.name }

// Source returns the template's Jinja.
func (p *Template) Source() string { return p.source }

// Render renders a chat. Where the template itself refuses it the error is a *TemplateError.
func (p *Template) Render(c Chat, o ChatOptions) (string, error) {
	p = p.of(&c)
	if err := p.check(&c, o); err != nil {
		return "", err
	}
	if o.ContinueFinal {
		return p.renderContinued(c, o)
	}
	return p.render(c, o)
}

// of returns the template for c: p or the one for tools.
func (p *Template) of(c *Chat) *Template {
	if c.Tools != nil && p.forTools != nil {
		return p.forTools
	}
	return p
}

// check reports what p cannot render.
func (p *Template) check(c *Chat, o ChatOptions) error {
	if err := c.check(o); err != nil {
		return p.fail(err)
	}
	if p.builtIn {
		if err := checkBuiltIn(c); err != nil {
			return p.fail(err)
		}
	}
	return nil
}

// fail names the template in an error.
func (p *Template) fail(err error) error {
	var raised *jinja.Raised
	if errors.As(err, &raised) {
		return &TemplateError{p.name, raised.Message, raised.Line}
	}
	return fmt.Errorf("tokenizer: template %s: %w", p.name, err)
}

// render renders any chat, an empty one too.
func (p *Template) render(c Chat, o ChatOptions) (string, error) {
	vars, err := c.variables(p.specials, o)
	if err != nil {
		return "", p.fail(err)
	}
	text, err := p.parsed.Render(vars, jinja.Options{Now: o.Now})
	if err != nil {
		return "", p.fail(err)
	}
	return text, nil
}

// continueMark is what transformers puts behind the last message to find where it ends.
const continueMark = "CONTINUE_FINAL_MESSAGE_TAG "

// renderContinued renders c up to the end of the last message's text.
func (p *Template) renderContinued(c Chat, o ChatOptions) (string, error) {
	vars, err := c.variables(p.specials, o)
	if err != nil {
		return "", p.fail(err)
	}
	list := vars["messages"].(*jinja.List).Items
	marked, said, err := p.markEnd(list[len(list)-1].(*jinja.Dict))
	if err != nil {
		return "", p.fail(err)
	}
	list[len(list)-1] = marked
	text, err := p.parsed.Render(vars, jinja.Options{Now: o.Now})
	if err != nil {
		return "", p.fail(err)
	}
	mark := strings.TrimRight(continueMark, " ")
	at := strings.LastIndex(text, mark)
	if at < 0 || !strings.Contains(text, strings.TrimFunc(said, jinja.IsSpace)) {
		return "", p.fail(errors.New("the last message cannot be continued: its text is not all in the rendering"))
	}
	if strings.HasPrefix(text[at:], continueMark) {
		return text[:at], nil
	}
	return strings.TrimRightFunc(text[:at], jinja.IsSpace), nil
}

// markEnd returns m with the mark behind its text, and the text.
func (p *Template) markEnd(m *jinja.Dict) (marked *jinja.Dict, said string, err error) {
	content, ok := m.Get("content")
	if !ok || !strings.Contains(p.source, "content") {
		return nil, "", errors.New("the last message cannot be continued: it or the template has no content")
	}
	marked = m.Clone()
	if s, ok := content.(string); ok {
		marked.Set("content", s+continueMark)
		return marked, s, nil
	}
	parts, ok := content.(*jinja.List)
	if !ok {
		return nil, "", errors.New("the last message cannot be continued: its content is not text")
	}
	list := &jinja.List{Items: append([]jinja.Value(nil), parts.Items...)}
	for i := len(list.Items) - 1; i >= 0; i-- {
		part, _ := list.Items[i].(*jinja.Dict)
		if part == nil {
			continue
		}
		v, has := part.Get("text")
		if s, ok := v.(string); has && ok {
			part = part.Clone()
			part.Set("text", s+continueMark)
			list.Items[i] = part
			marked.Set("content", list)
			return marked, s, nil
		}
	}
	return nil, "", errors.New("the last message cannot be continued: it has no text")
}
