package data

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-5afa5581/graft/data/shape"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// A Renderer makes samples of records. It is safe for concurrent use.
type Renderer struct {
	Tokenizer *tokenizer.Tokenizer
	Template  *tokenizer.Template // nil for none

	config Config
	now    func() time.Time
	spaced bool // the tokenizer puts a space before a text
}

// NewRenderer checks a configuration and finds its template.
func NewRenderer(t *tokenizer.Tokenizer, c Config) (*Renderer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	p, err := FindTemplate(t, c.Template)
	if err != nil {
		return nil, err
	}
	c = c.withDefaults()
	return &Renderer{Tokenizer: t, Template: p, config: c, now: c.clock(), spaced: spaces(t)}, nil
}

// Config returns the configuration with its defaults filled in.
func (r *Renderer) Config() Config { return r.config }

// A Rendering is what became of a record.
type Rendering struct {
	Samples []Sample
	Tokens  int    // of the whole record, before anything was cut
	Left    string // why there are no samples; "" if there are
	Cut     string // what was cut off: "prompt", "answer" or ""
}

// Render makes the samples of a record. The error is what the template refuses,
// or a length if that is to be refused.
func (r *Renderer) Render(x shape.Record) (out Rendering, err error) {
	if x.Left != "" {
		return Rendering{Left: x.Left}, nil
	}
	switch {
	case x.Tokens != nil:
		out, err = r.tokens(x)
	case x.Messages == nil:
		out = r.text(x)
	default:
		out, err = r.chat(x)
	}
	if err != nil {
		return Rendering{}, fmt.Errorf("data: %s: %w", x.Place, err)
	}
	for i := range out.Samples {
		out.Samples[i].Source, out.Samples[i].Weight = x.Place.String(), x.Weight
	}
	return out, nil
}

// tokens takes what is tokenized already, if the model has such tokens.
func (r *Renderer) tokens(x shape.Record) (Rendering, error) {
	for _, id := range x.Tokens {
		if id < 0 || int(id) >= r.Tokenizer.Size() {
			return Rendering{}, fmt.Errorf("token %d is not one of the model's %d: the record was tokenized for another model", id, r.Tokenizer.Size())
		}
	}
	return r.fit(x, []Sample{{Tokens: x.Tokens, Labels: x.Labels}})
}

// text makes samples of a text, with loss on all of it.
func (r *Renderer) text(x shape.Record) Rendering {
	s := Text(r.Tokenizer, x.Text)
	return Rendering{Samples: pieces(s, r.config.MaxLen), Tokens: len(s.Tokens)}
}

// chat makes a sample of a chat, or one of each answer where the template asks
// for that.
func (r *Renderer) chat(x shape.Record) (Rendering, error) {
	x = r.withSystem(x)
	samples, err := r.say(x)
	if err != nil {
		return Rendering{}, err
	}
	return r.fit(x, samples)
}

// say tokenizes a chat.
func (r *Renderer) say(x shape.Record) ([]Sample, error) {
	x = r.toolsAsText(x)
	if r.Template == nil {
		s, err := r.plain(x)
		return []Sample{s}, err
	}
	return r.templated(x)
}

// withSystem puts the system message of the configuration before a chat that
// has none.
func (r *Renderer) withSystem(x shape.Record) shape.Record {
	if r.config.System == "" || x.Role(0) == "system" {
		return x
	}
	x.Messages = slices.Concat([]tokenizer.Object{tokenizer.NewMessage("system", r.config.System)}, x.Messages)
	if x.Masked != nil {
		x.Masked = append([]bool{false}, x.Masked...)
	}
	return x
}

// learned tells which messages carry a loss.
func (r *Renderer) learned(x shape.Record) func(i int) bool {
	if r.config.Train == LastAnswer {
		last := x.Last()
		return func(i int) bool { return i == last }
	}
	return x.IsAnswer
}

// chatOf is what the template renders of a record's first n messages.
func (r *Renderer) chatOf(x shape.Record, n int) tokenizer.Chat {
	return tokenizer.Chat{Messages: x.Messages[:n:n], Tools: x.Tools, Variables: r.config.Variables}
}

// templated renders a chat through the template.
func (r *Renderer) templated(x shape.Record) ([]Sample, error) {
	text, spans, err := r.Template.RenderSpans(r.chatOf(x, len(x.Messages)), tokenizer.ChatOptions{Now: r.now})
	if err == nil {
		answers, err := r.choose(x, text, spans)
		if err != nil {
			return nil, err
		}
		return []Sample{r.sample(answers)}, nil
	}
	if _, refused := r.render(x, len(x.Messages), false); refused != nil {
		return nil, refused
	}
	return r.oneByOne(x)
}

// render returns the text of a record's first n messages, with the generation
// prompt after them or without.
func (r *Renderer) render(x shape.Record, n int, prompt bool) (string, error) {
	return r.Template.Render(r.chatOf(x, n), tokenizer.ChatOptions{Now: r.now, GenerationPrompt: prompt})
}

// choose takes the spans of the messages that are learned.
func (r *Renderer) choose(x shape.Record, text string, spans []tokenizer.Span) (said, error) {
	var answers []int // messages that have a span
	all, learned := true, r.learned(x)
	for i := range x.Messages {
		if x.Role(i) == "assistant" {
			answers = append(answers, i)
			all = all && learned(i)
		}
	}
	out := said{text: text}
	for k, s := range spans {
		switch {
		case len(spans) == len(answers):
			if i := answers[k]; learned(i) {
				out.learned, out.borders = append(out.learned, s), append(out.borders, r.border(x, i, text, s))
			}
		case all:
			out.learned, out.borders = append(out.learned, s), append(out.borders, s.Start)
		default:
			return out, fmt.Errorf("template %s marks %d answers of %d, so that single ones cannot be masked: use another template", r.Template.Name(), len(spans), len(answers))
		}
	}
	return out, nil
}

// border returns where inference goes on with answer i, which has the span s. A
// template's own mark of what is learned may begin before that.
func (r *Renderer) border(x shape.Record, i int, text string, s tokenizer.Span) int {
	if !strings.Contains(r.Template.Source(), "endgeneration") {
		return s.Start
	}
	if asked, err := r.render(x, i, true); err == nil && strings.HasPrefix(text, asked) && len(asked) >= s.Start && len(asked) <= s.End {
		return len(asked)
	}
	return s.Start
}

// oneByOne makes a sample of each answer with the messages before it, for
// templates that write an answer in another way once others follow.
func (r *Renderer) oneByOne(x shape.Record) (samples []Sample, err error) {
	learned := r.learned(x)
	for i := range x.Messages {
		if !learned(i) {
			continue
		}
		s, err := r.answer(x, i)
		if err != nil {
			return nil, err
		}
		samples = append(samples, s)
	}
	if len(samples) == 0 {
		return nil, errors.New("there is no answer to learn")
	}
	return samples, nil
}

// answer makes a sample of the answer i and the messages before it. It begins where
// the rendering parts from that of the prompt: a generation prompt may
// say more than the template writes before an answer that is there.
func (r *Renderer) answer(x shape.Record, i int) (Sample, error) {
	var texts [3]string
	for k, part := range []struct {
		n      int
		prompt bool
	}{{i + 1, false}, {i, true}, {i, false}} {
		text, err := r.render(x, part.n, part.prompt)
		if err != nil {
			return Sample{}, err
		}
		texts[k] = text
	}
	whole, asked, before := texts[0], texts[1], texts[2]
	start := commonText(asked, whole)
	if start < commonText(before, asked) {
		return Sample{}, fmt.Errorf("template %s writes the messages before answer %d in another way once it is there: use a template with generation blocks", r.Template.Name(), i)
	}
	s := r.sample(said{text: whole, learned: []tokenizer.Span{{Start: start, End: len(whole)}}, borders: []int{start}})
	if asked == before { // the generation prompt comes whether asked for or not
		s = r.endAfter(s, x.Content(i))
	}
	return s, nil
}

// commonText returns the length of the longest common beginning of two texts, in whole
// characters.
func commonText(a, b string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(b) && b[n]&0xC0 == 0x80 {
		n--
	}
	return n
}

// plain makes a sample of a chat without a template: messages as they stand, a
// line break after each, the end of text after each answer.
func (r *Renderer) plain(x shape.Record) (Sample, error) {
	var s Sample
	var prompt strings.Builder
	learned := r.learned(x)
	for i := range x.Messages {
		if x.Role(i) != "assistant" {
			prompt.WriteString(x.Content(i))
			if !x.Verbatim {
				prompt.WriteByte('\n')
			}
			continue
		}
		s = r.plainAnswer(s, prompt.String(), x.Content(i), learned(i))
		prompt.Reset()
		prompt.WriteByte('\n')
	}
	if r.config.Train == Everything {
		s.Labels = slices.Clone(s.Tokens)
	}
	return s, nil
}

// plainAnswer appends a prompt and its answer to what was said before.
func (r *Renderer) plainAnswer(s Sample, prompt, answer string, learned bool) Sample {
	x := said{text: prompt + answer, borders: []int{len(prompt)}, start: bare}
	if len(s.Tokens) > 0 {
		x.start = continued
	}
	e := r.encode(x)
	ids, labels := e.ids, e.labels([]tokenizer.Span{{Start: len(prompt), End: len(x.text)}})
	if eos := r.Tokenizer.EOS(); len(eos) > 0 && (len(ids) == 0 || !slices.Contains(eos, ids[len(ids)-1])) {
		ids, labels = append(ids, eos[0]), append(labels, eos[0])
	}
	if !learned {
		labels = slices.Repeat([]int32{model.IgnoreLabel}, len(ids))
	}
	return Sample{Tokens: append(s.Tokens, ids...), Labels: append(s.Labels, labels...)}
}
