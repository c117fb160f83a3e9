package data

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/data/rows"
	"github.com/seed-5afa5581/graft/data/shape"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// edit returns an object with its values changed; a nil value goes.
func edit(m tokenizer.Object, change func(key string, v json.RawMessage) json.RawMessage) tokenizer.Object {
	text, err := m.MarshalJSON()
	if err != nil {
		return m
	}
	fields, err := rows.Fields(text)
	if err != nil {
		return m
	}
	var kept []rows.Field
	for _, f := range fields {
		if f.Value = change(f.Name, f.Value); f.Value != nil {
			kept = append(kept, f)
		}
	}
	var out tokenizer.Object
	if out.UnmarshalJSON(rows.Object(kept)) != nil {
		return m
	}
	return out
}

// toolsAsText writes tools, their calls and results into the texts of messages where
// the template has no place for them: in the form of the Hermes models, which
// most programs read.
func (r *Renderer) toolsAsText(x shape.Record) shape.Record {
	if !usesTools(x) || r.Template != nil && strings.Contains(r.Template.Source(), "tool_calls") {
		return x
	}
	messages, masked := x.Messages, x.Masked
	x.Messages, x.Masked = nil, nil
	if len(x.Tools) > 0 {
		system := toolsText(x.Tools)
		if len(messages) > 0 {
			if role, _ := messages[0].Text("role"); role == "system" {
				own, _ := messages[0].Text("content")
				system = own + "\n\n" + system
				messages = messages[1:]
				masked = masked[min(1, len(masked)):]
			}
		}
		x.Messages = append(x.Messages, tokenizer.NewMessage("system", system))
		x.Masked = append(x.Masked, false)
	}
	for i, m := range messages {
		x.Messages = append(x.Messages, textMessage(m))
		x.Masked = append(x.Masked, masked != nil && masked[i])
	}
	x.Tools = nil
	return x
}

func usesTools(x shape.Record) bool {
	return len(x.Tools) > 0 || slices.ContainsFunc(x.Messages, func(m tokenizer.Object) bool {
		role, _ := m.Text("role")
		return role == "tool" || m.Has("tool_calls")
	})
}

// toolsText tells the model what it may call.
func toolsText(tools []tokenizer.Object) string {
	var b strings.Builder
	b.WriteString("These functions can be called:\n<tools>\n")
	for _, t := range tools {
		text, err := t.MarshalJSON()
		if err == nil {
			b.Write(append(text, '\n'))
		}
	}
	b.WriteString("</tools>\nA call is written as\n<tool_call>\n{\"name\": \"FUNCTION\", \"arguments\": {}}\n</tool_call>")
	return b.String()
}

// textMessage writes calls and results into the text of a message.
func textMessage(m tokenizer.Object) tokenizer.Object {
	text, _ := m.Text("content")
	if role, _ := m.Text("role"); role == "tool" {
		return tokenizer.NewMessage("user", "<tool_response>\n"+text+"\n</tool_response>")
	}
	if !m.Has("tool_calls") {
		return m
	}
	var calls []struct{ Function json.RawMessage }
	edited := edit(m, func(key string, v json.RawMessage) json.RawMessage {
		if key != "tool_calls" {
			return v
		}
		if json.Unmarshal(v, &calls) != nil {
			calls = nil
		}
		return nil
	})
	for _, c := range calls {
		if text != "" {
			text += "\n"
		}
		text += "<tool_call>\n" + string(c.Function) + "\n</tool_call>"
	}
	return withContent(edited, text)
}
