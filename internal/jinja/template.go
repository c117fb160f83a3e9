package jinja

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Template is a parsed template. It does not change and may be used by several goroutines at once.
type Template struct {
	body      []stmt
	scope     *scope
	generates bool
}

// A Span is a half-open range of bytes.
type Span struct{ Start, End int }

// Options are what a rendering depends on beside its variables.
type Options struct {
	Now func() time.Time // the clock of strftime_now; nil for time.Now
}

// ErrMisplaced is the error of RenderSpans where a generation block stands in a macro or another block whose text is
// written later, so that nobody knows where its text ends up.
var ErrMisplaced = errors.New("a generation block stands where its place in the text is not known")

// Parse parses a template. An error tells the line and what is wrong or not supported.
func Parse(source string) (t *Template, err error) {
	defer catch(&err)
	p := &parser{tokens: tokenize(strings.ToValidUTF8(source, "\uFFFD"))}
	t = &Template{scope: newScope(nil)}
	t.body = p.template()
	t.scope.body(t.body)
	t.generates = p.generates
	return t, nil
}

// Generates tells whether the template has generation blocks.
func (t *Template) Generates() bool { return t.generates }

// Render renders the template over variables. The error of a template that calls raise_exception is a *Raised.
func (t *Template) Render(variables map[string]Value, o Options) (string, error) {
	r, err := t.render(variables, o)
	if err != nil {
		return "", err
	}
	return r.out.String(), nil
}

// RenderSpans is Render with the spans of the generation blocks' text, in the order in which the blocks ended.
func (t *Template) RenderSpans(variables map[string]Value, o Options) (string, []Span, error) {
	r, err := t.render(variables, o)
	if err != nil {
		return "", nil, err
	}
	text := r.out.String()
	spans := make([]Span, len(r.marks))
	for i, m := range r.marks {
		if !strings.HasPrefix(text[m.start:], m.text) {
			return "", nil, fmt.Errorf("jinja: %w", ErrMisplaced)
		}
		spans[i] = Span{m.start, m.start + len(m.text)}
	}
	return text, spans, nil
}

func (t *Template) render(variables map[string]Value, o Options) (r *run, err error) {
	defer catch(&err)
	r = &run{context: variables, now: o.Now}
	if r.now == nil {
		r.now = time.Now
	}
	outside := &frame{run: r, out: &r.out}
	execAll(outside.inner(t.scope), t.body)
	return r, nil
}
