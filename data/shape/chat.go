package shape

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/data/rows"
)

// readChat reads a list of messages.
func readChat(m match) ([]Record, error) {
	var r Record
	column := m.column(0)
	list, _ := m.list(column)
	if err := m.systemColumn(&r, list); err != nil {
		return nil, err
	}
	if err := m.messages(&r, column, list); err != nil {
		return nil, err
	}
	if m.unwanted() {
		r.Left = "its label says that the answer is a bad one"
	}
	return one(&r, m.tools(&r))
}

// systemColumn adds a system message from a column of its own, unless the
// messages begin with one.
func (m match) systemColumn(r *Record, list []json.RawMessage) error {
	system, err := m.text("system")
	if err != nil || system == "" {
		return err
	}
	if len(list) > 0 {
		if first, err := m.message(list[0]); err == nil && string(first.fields[0].Value) == `"system"` {
			return nil
		}
	}
	return r.add(say("system", system))
}

// readTurns reads a prompt and a completion that are lists of messages; only
// the completion is learned.
func readTurns(m match) ([]Record, error) {
	var r Record
	prompt, _ := m.list("prompt")
	completion, ok := m.list("completion")
	if !ok {
		return nil, fmt.Errorf("column prompt is a list of messages and completion is %s: must be a list as well", kind(m.columns["completion"]))
	}
	if err := m.messages(&r, "prompt", prompt); err != nil {
		return nil, err
	}
	for i := range r.Messages {
		if r.IsAnswer(i) {
			r.mask(i)
		}
	}
	return one(&r, m.messages(&r, "completion", completion), m.tools(&r))
}

// readPreference reads the chosen answer of a pair: a text, a message, or
// messages that may begin with the prompt's. What the assistant said before it
// was the same in both answers, and is not learned.
func readPreference(m match) ([]Record, error) {
	var r, chosen Record
	if err := m.question(&r); err != nil {
		return nil, err
	}
	if err := m.chosen(&chosen); err != nil {
		return nil, err
	}
	if len(chosen.Messages) > 1 && chosen.Role(0) != "assistant" {
		r.Messages, r.Masked = nil, nil // it has the prompt as well
	}
	r.Messages = append(r.Messages, chosen.Messages...)
	r.Masked, r.Left = nil, chosen.Left
	for i := range len(r.Messages) - 1 {
		if r.IsAnswer(i) {
			r.mask(i)
		}
	}
	r.Verbatim = m.first(chats) == "" && m.has("prompt") && kind(m.columns["chosen"]) == "a string"
	return one(&r, m.tools(&r))
}

// chosen adds the messages of the column chosen.
func (m match) chosen(r *Record) error {
	switch v := m.columns["chosen"]; kind(v) {
	case "a list":
		list, _ := m.list("chosen")
		return m.messages(r, "chosen", list)
	case "an object":
		return m.messages(r, "chosen", []json.RawMessage{v})
	}
	text, err := m.text("chosen")
	if err != nil {
		return err
	}
	return r.add(say("assistant", text))
}

// question adds what a pair of answers answers.
func (m match) question(r *Record) error {
	if column := m.first(chats); column != "" {
		list, ok := m.list(column)
		if !ok {
			return fmt.Errorf("column %s is %s: must be a list of messages", column, kind(m.columns[column]))
		}
		return errors.Join(m.systemColumn(r, list), m.messages(r, column, list))
	}
	if list, _ := m.list("prompt"); kind(m.columns["prompt"]) == "a list" {
		return m.messages(r, "prompt", list)
	}
	if err := m.opening(r); err != nil {
		return err
	}
	column := m.first([]string{"prompt", "instruction", "question", "input"})
	prompt, err := m.text(column)
	if err != nil || column == "" {
		return err
	}
	if column == "instruction" {
		if prompt, err = m.withInput(prompt); err != nil {
			return err
		}
	}
	return r.add(say("user", prompt))
}

// messages adds a list of messages in any of the known forms.
func (m match) messages(r *Record, column string, list []json.RawMessage) error {
	for i, v := range list {
		said, err := m.message(v)
		if err != nil {
			return fmt.Errorf("%s[%d]: %w", column, i, err)
		}
		if err := r.add(said.fields); err != nil {
			return fmt.Errorf("%s[%d]: %w", column, i, err)
		}
		if said.masked {
			r.mask(len(r.Messages) - 1)
		}
	}
	if len(list) == 0 {
		r.Left = "column " + column + " has no messages"
	}
	return nil
}

// A message is a turn with its keys in the order in which templates see them: role,
// content, the rest.
type message struct {
	fields []rows.Field
	masked bool
}

var (
	roleKeys    = []string{"role", "from", "speaker"}
	contentKeys = []string{"content", "value", "text"}
	maskKeys    = []string{"weight", "loss_weight", "train", "training"}
)

// message reads one message.
func (m match) message(v json.RawMessage) (message, error) {
	fields, err := rows.Fields(v)
	if err != nil {
		return message{}, err
	}
	c := newColumns(fields)
	name := c.first(slices.Concat(some(m.options.Tags.Role), roleKeys))
	var role string
	if name == "" || json.Unmarshal(c[name], &role) != nil {
		return message{}, fmt.Errorf("a message has a role (%s) that is a string: keys %s", strings.Join(roleKeys, ", "), c)
	}
	said := c.first(slices.Concat(some(m.options.Tags.Content), contentKeys))
	text, err := content(c[said])
	if err != nil {
		return message{}, err
	}
	if m.calls(role) {
		return toolCall(text)
	}
	if role = m.role(role); role == "" {
		return message{}, fmt.Errorf("role %s: graft knows system, user, assistant, tool and their usual other names; name yours with tags", c[name])
	}
	masked, err := c.masked()
	return message{append(say(role, text), m.rest(fields, name, said)...), masked}, err
}

// some returns a name as a list, none if it is empty.
func some(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// rest returns the keys of a message that templates may read beside role and
// content, with calls of tools in the form that they expect.
func (m match) rest(fields []rows.Field, used ...string) (rest []rows.Field) {
	for _, f := range fields {
		switch {
		case slices.Contains(used, f.Name), slices.Contains(maskKeys, f.Name), isNull(f.Value):
		case f.Name == "tool_calls":
			rest = append(rest, rows.Field{Name: f.Name, Value: openCalls(f.Value)})
		case f.Name == "function_call":
			rest = append(rest, rows.Field{Name: "tool_calls", Value: wrapCalls([]json.RawMessage{openCall(f.Value)})})
		case f.Name == "role" || f.Name == "content": // in a message that has other keys for them
		default:
			rest = append(rest, f)
		}
	}
	return rest
}

// masked tells whether a message says that it is not to be learned.
func (c columns) masked() (bool, error) {
	name := c.first(maskKeys)
	switch v := strings.TrimSpace(string(c[name])); v {
	case "", "1", "1.0", "true":
		return false, nil
	case "0", "0.0", "false":
		return true, nil
	default:
		return false, fmt.Errorf("%s is %s: a message is learned, 1, or not, 0", name, v)
	}
}

// content reads what a message says: a text, or parts of which all are text.
func content(v json.RawMessage) (string, error) {
	var text *string
	if len(v) == 0 || json.Unmarshal(v, &text) == nil {
		if text == nil {
			return "", nil
		}
		return *text, nil
	}
	var parts []struct {
		Type        string
		Text, Value *string
	}
	if json.Unmarshal(v, &parts) != nil {
		return "", fmt.Errorf("content is %s: must be a string or a list of parts", kind(v))
	}
	var texts []string
	for _, p := range parts {
		switch {
		case p.Text != nil:
			texts = append(texts, *p.Text)
		case p.Value != nil:
			texts = append(texts, *p.Value)
		default:
			return "", fmt.Errorf("a part of the content is of type %q: graft learns from text only", p.Type)
		}
	}
	return strings.Join(texts, "\n"), nil
}

// roles are the names of roles, by what they are called in files.
var roles = map[string]string{
	"system": "system", "developer": "system",
	"user": "user", "human": "user", "prompter": "user",
	"assistant": "assistant", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant", "bard": "assistant", "bing": "assistant",
	"tool": "tool", "function": "tool", "observation": "tool", "function_response": "tool", "tool_response": "tool", "ipython": "tool",
}

// role returns the name that templates know a role by, "" for an unknown one.
func (m match) role(name string) string {
	t := m.options.Tags
	switch name {
	case t.User:
		return "user"
	case t.Answerer:
		return "assistant"
	case t.System:
		return "system"
	case t.Result:
		return "tool"
	}
	return roles[strings.ToLower(name)]
}

// calls tells whether a role is that of an assistant that calls a tool.
func (m match) calls(role string) bool {
	return role == "function_call" || role == "tool_call" || m.options.Tags.Call != "" && role == m.options.Tags.Call
}
