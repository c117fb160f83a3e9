package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-5afa5581/graft/internal/jinja"
)

// An Object is a JSON object that keeps the order of its keys, since a chat template may write it out: a message, a
// tool or a document. It does not change. The zero value is the empty object.
type Object struct{ dict *jinja.Dict }

// NewMessage returns a message of a role, "system", "user" or "assistant", that says a text.
func NewMessage(role, content string) Object {
	d := jinja.NewDict(2)
	d.Set("role", role)
	d.Set("content", content)
	return Object{d}
}

// UnmarshalJSON reads an object; of equal keys the last counts.
func (o *Object) UnmarshalJSON(data []byte) error {
	v, err := jinja.FromJSON(data)
	if err != nil {
		return err
	}
	d, ok := v.(*jinja.Dict)
	if !ok {
		return fmt.Errorf("tokenizer: not a JSON object: %.40s", data)
	}
	o.dict = d
	return nil
}

// MarshalJSON writes the object with its keys in order.
func (o Object) MarshalJSON() ([]byte, error) {
	s, err := jinja.ToJSON(o.value())
	return []byte(s), err
}

// Text returns the value of a key if it is a string, such as "role" or "content".
func (o Object) Text(key string) (string, bool) {
	v, _ := o.value().Get(key)
	s, ok := v.(string)
	return s, ok
}

// Has tells whether there is a key with a value other than null.
func (o Object) Has(key string) bool {
	v, _ := o.value().Get(key)
	return v != nil
}

func (o Object) value() *jinja.Dict {
	if o.dict == nil {
		return jinja.NewDict(0)
	}
	return o.dict
}

// A Chat is what a chat template renders, in the form of OpenAI's and Hugging Face's files.
type Chat struct {
	Messages  []Object
	Tools     []Object // JSON schemas of functions; templates tell none given, nil, from an empty list
	Documents []Object // for retrieval; nil if there are none

	// Variables are what else the template reads, by name, such as enable_thinking. They must be what encoding/json can
	// write, and go before special tokens of the same name.
	Variables map[string]any
}

// ChatOptions tell what to render of a chat. The zero value renders the messages.
type ChatOptions struct {
	// GenerationPrompt adds what the template puts before an answer.
	GenerationPrompt bool
	// ContinueFinal ends the text within the last message, so that a model goes on with it.
	ContinueFinal bool
	// Now is the clock that templates read; nil for time.Now.
	Now func() time.Time
}

// check reports what no template can render.
func (c *Chat) check(o ChatOptions) error {
	if len(c.Messages) == 0 {
		return errors.New("the chat has no messages")
	}
	if o.ContinueFinal && o.GenerationPrompt {
		return errors.New("ContinueFinal and GenerationPrompt exclude each other")
	}
	return nil
}

// variables returns what a template reads, with specials and the messages as transformers prepares them.
func (c *Chat) variables(specials map[string]string, o ChatOptions) (map[string]jinja.Value, error) {
	vars := map[string]jinja.Value{"messages": messages(c.Messages), "tools": objects(c.Tools),
		"documents": objects(c.Documents), "add_generation_prompt": o.GenerationPrompt}
	for name, token := range specials {
		vars[name] = token
	}
	for name, v := range c.Variables {
		if _, ok := vars[name]; ok && specials[name] == "" {
			return nil, fmt.Errorf("variable %q: the name is taken", name)
		}
		data, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("variable %q: %w", name, err)
		}
		if vars[name], err = jinja.FromJSON(data); err != nil {
			return nil, fmt.Errorf("variable %q: %w", name, err)
		}
	}
	return vars, nil
}

// objects returns a list, or None for nil.
func objects(list []Object) jinja.Value {
	if list == nil {
		return nil
	}
	out := &jinja.List{}
	for _, o := range list {
		out.Items = append(out.Items, o.value())
	}
	return out
}

// messages returns a list of messages without the keys whose value is null.
func messages(list []Object) *jinja.List {
	out := &jinja.List{}
	for _, o := range list {
		m := o.value().Without(func(_, v jinja.Value) bool { return v == nil })
		out.Items = append(out.Items, withReasoning(m))
	}
	return out
}

// reasoningKeys are the names that files give what a model thinks.
var reasoningKeys = []string{"reasoning_content", "thinking", "reasoning"}

// withReasoning gives what a model thinks the names that templates read.
func withReasoning(m *jinja.Dict) *jinja.Dict {
	at := slices.IndexFunc(reasoningKeys, func(key string) bool { _, ok := m.Get(key); return ok })
	if at < 0 {
		return m
	}
	thought, _ := m.Get(reasoningKeys[at])
	out := jinja.NewDict(m.Len() + 2)
	out.Set("thinking", thought)
	for k, v := range m.All {
		out.Set(k.(string), v)
	}
	out.Set("reasoning_content", thought)
	return out
}
