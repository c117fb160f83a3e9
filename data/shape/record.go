package shape

import (
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/data/rows"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// A Record is what a row says, in one form for all shapes: messages, or else
// tokens, or else a text.
type Record struct {
	rows.Place
	Shape string // its name, one of Names

	Messages []tokenizer.Object // with the keys that chat templates read
	Masked   []bool             // messages that are not to be learned though they are answers; nil for none
	Tools    []tokenizer.Object // what the model may call; nil if there are none

	// Verbatim tells that prompt and answer follow each other as they stand where
	// no template is used; else a line break goes between.
	Verbatim bool

	Tokens []int32 // already tokenized
	Labels []int32 // with them, as in data.Sample

	Text string // loss on all of it

	// Weight is how often an epoch takes the record, 1 unless a column says
	// otherwise: 2 is twice, 0.5 every second epoch.
	Weight float64
	// Left says why the record is not to be learned from; "" if it is.
	Left string
}

// Role returns the role of message i.
func (r *Record) Role(i int) string {
	role, _ := r.Messages[i].Text("role")
	return role
}

// Content returns the text of message i.
func (r *Record) Content(i int) string {
	text, _ := r.Messages[i].Text("content")
	return text
}

// IsAnswer tells whether message i is an answer to be learned: the
// assistant's and not masked.
func (r *Record) IsAnswer(i int) bool {
	return r.Role(i) == "assistant" && (r.Masked == nil || !r.Masked[i])
}

// Last returns the number of the last answer to be learned, or -1.
func (r *Record) Last() int {
	for i := range slices.Backward(r.Messages) {
		if r.IsAnswer(i) {
			return i
		}
	}
	return -1
}

// Prompt returns the messages before the last answer, one a line with its role,
// or "" for a text.
func (r *Record) Prompt() string {
	var b strings.Builder
	for i := range max(0, r.Last()) {
		b.WriteString(r.Role(i) + ": " + r.said(i) + "\n")
	}
	return b.String()
}

// Answer returns what the last answer says, calls of tools included, or the
// text.
func (r *Record) Answer() string {
	if last := r.Last(); last >= 0 {
		return r.said(last)
	}
	return r.Text
}

// said returns the text of message i with its calls of tools.
func (r *Record) said(i int) string {
	m := r.Messages[i]
	if !m.Has("tool_calls") {
		return r.Content(i)
	}
	all, err := m.MarshalJSON()
	if err != nil {
		return r.Content(i)
	}
	return string(all)
}

// leaveEmpty masks answers that say nothing, and leaves the record out if no answer is
// left.
func (r *Record) leaveEmpty() {
	for i := range r.Messages {
		if r.IsAnswer(i) && strings.TrimSpace(r.Content(i)) == "" && !r.Messages[i].Has("tool_calls") {
			r.mask(i)
		}
	}
	if r.Left == "" && r.Last() < 0 {
		r.Left = "there is no answer to learn"
	}
}

func (r *Record) mask(i int) {
	if r.Masked == nil {
		r.Masked = make([]bool, len(r.Messages))
	}
	r.Masked[i] = true
}

// say returns a message in the form that records hold.
func say(role, content string) []rows.Field {
	return []rows.Field{{Name: "role", Value: rows.String(role)}, {Name: "content", Value: rows.String(content)}}
}

// add appends a message.
func (r *Record) add(fields []rows.Field) error {
	var o tokenizer.Object
	if err := o.UnmarshalJSON(rows.Object(fields)); err != nil {
		return err
	}
	r.Messages = append(r.Messages, o)
	if r.Masked != nil {
		r.Masked = append(r.Masked, false)
	}
	return nil
}
