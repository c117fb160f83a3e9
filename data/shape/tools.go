package shape

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-5afa5581/graft/data/rows"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// tools reads the column tools: a list of functions, or a text that is one.
func (m match) tools(r *Record) error {
	if !m.has("tools") || string(m.columns["tools"]) == `""` {
		return nil
	}
	list, ok := m.list("tools")
	if !ok {
		return fmt.Errorf("column tools is %s: must be a list of functions in JSON", kind(m.columns["tools"]))
	}
	for i, v := range list {
		var o tokenizer.Object
		if err := o.UnmarshalJSON(wrapped(v)); err != nil {
			return fmt.Errorf("tools[%d]: %w", i, err)
		}
		r.Tools = append(r.Tools, o)
	}
	return nil
}

// wrapped returns a function as {"type": "function", "function": ...}, which
// is how templates know tools and calls of them.
func wrapped(v json.RawMessage) json.RawMessage {
	fields, err := rows.Fields(v)
	if err != nil {
		return v // the error comes where the value is read
	}
	if _, ok := newColumns(fields)["function"]; ok {
		return v
	}
	return rows.Object([]rows.Field{{Name: "type", Value: rows.String("function")}, {Name: "function", Value: v}})
}

// toolCall makes an assistant's message of a text that calls one tool, or
// several in a list: {"name": ..., "arguments": ...}.
func toolCall(text string) (message, error) {
	v := json.RawMessage(text)
	calls := []json.RawMessage{v}
	if kind(v) == "a list" {
		if err := json.Unmarshal(v, &calls); err != nil {
			return message{}, fmt.Errorf("a call of a tool is not JSON: %w", err)
		}
	}
	for i, call := range calls {
		if !json.Valid(call) || kind(call) != "an object" {
			return message{}, errors.New(`a call of a tool is a JSON object {"name": ..., "arguments": ...}`)
		}
		calls[i] = openCall(call)
	}
	return message{fields: append(say("assistant", ""), rows.Field{Name: "tool_calls", Value: wrapCalls(calls)})}, nil
}

// wrapCalls makes the list tool_calls.
func wrapCalls(calls []json.RawMessage) json.RawMessage {
	out := []byte{'['}
	for i, c := range calls {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, wrapped(c)...)
	}
	return append(out, ']')
}

// openCalls turns the arguments in OpenAI's tool_calls from text into objects,
// as templates expect them.
func openCalls(v json.RawMessage) json.RawMessage {
	var calls []json.RawMessage
	if json.Unmarshal(v, &calls) != nil {
		return v
	}
	for i, c := range calls {
		fields, err := rows.Fields(c)
		if err != nil {
			return v
		}
		for k := range fields {
			if fields[k].Name == "function" {
				fields[k].Value = openCall(fields[k].Value)
			}
		}
		calls[i] = openCall(rows.Object(fields))
	}
	return wrapCalls(calls)
}

// openCall turns arguments that are JSON in a text into JSON.
func openCall(v json.RawMessage) json.RawMessage {
	fields, err := rows.Fields(v)
	if err != nil {
		return v
	}
	for i, f := range fields {
		var text string
		if f.Name == "arguments" && json.Unmarshal(f.Value, &text) == nil && kind(json.RawMessage(text)) == "an object" && json.Valid([]byte(text)) {
			fields[i].Value = json.RawMessage(text)
		}
	}
	return rows.Object(fields)
}
