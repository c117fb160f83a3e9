package shape

import (
	"slices"
)

// A shape is a set of columns that mean something together.
type shape struct {
	name string
	need [][]string // one of each must be there
	also []string   // columns that may be there
	when func(c columns) bool
	read func(m match) ([]Record, error)
}

// A match is a row's columns with the shape that they have.
type match struct {
	*Reader
	shape *shape
	columns
}

// column returns the name of the column that fills a need, "" if none does.
func (m match) column(need int) string {
	names := m.shape.need[need]
	if name := m.first(names); name != "" {
		return name
	}
	if i := slices.IndexFunc(names, m.named); i >= 0 {
		return names[i]
	}
	return ""
}

func (s *shape) fits(c columns, has func(string) bool) bool {
	for _, names := range s.need {
		if !slices.ContainsFunc(names, has) {
			return false
		}
	}
	return s.when == nil || s.when(c)
}

var (
	// chats are the columns that hold messages.
	chats = []string{"messages", "conversations", "conversation", "dialog"}
	// replies are the columns of an answer, best first.
	replies = []string{"completion", "response", "answer", "output", "chosen"}
	before  = []string{"system", "system_prompt", "history"}
)

// shapes returns all shapes. They are tried in this order; the first that fits
// wins.
func shapes() []shape {
	return []shape{
		{name: "tokens", need: [][]string{{"input_ids"}}, also: []string{"labels"}, read: readTokens},
		{name: "preference", need: [][]string{{"chosen"}, {"rejected"}}, also: slices.Concat([]string{"prompt", "question", "instruction", "input", "tools"}, before, chats), read: readPreference},
		{name: "messages", need: [][]string{chats}, also: []string{"tools", "system", "label"}, when: holdsChat, read: readChat},
		{name: "turns", need: [][]string{{"prompt"}, {"completion"}}, also: []string{"tools"}, when: isList("prompt"), read: readTurns},
		{name: "self-instruct", need: [][]string{{"instruction"}, {"instances"}}, read: readInstances},
		{name: "alpaca", need: [][]string{{"instruction"}, {"output", "response", "completion", "answer"}}, also: append([]string{"input", "context"}, before...), read: readPair},
		{name: "prompt", need: [][]string{{"prompt"}, replies}, also: append([]string{"label"}, before...), read: readPair},
		{name: "input", need: [][]string{{"input", "inputs"}, {"output", "outputs", "target", "targets", "response"}}, also: before, read: readPair},
		{name: "question", need: [][]string{{"question", "query"}, {"answer", "response", "output"}}, also: before, read: readPair},
		{name: "context", need: [][]string{{"context"}, {"response"}}, also: before, read: readPair},
		{name: "source", need: [][]string{{"src", "source", "document", "dialogue", "article"}, {"tgt", "target", "summary", "highlights"}}, read: readPair},
		{name: "label", need: [][]string{{"text", "sentence"}, {"label", "label_text", "category", "intent", "class"}}, read: readPair},
		{name: "text", need: [][]string{{"text"}}, read: readText},
	}
}

// Names lists the shapes that rows may have.
func Names() (names []string) {
	for _, s := range shapes() {
		names = append(names, s.name)
	}
	return names
}

// knownColumns lists the names that shapes know.
func knownColumns() (names []string) {
	for _, s := range shapes() {
		names = append(names, slices.Concat(s.need...)...)
		names = append(names, s.also...)
	}
	names = append(names, "weight")
	slices.Sort(names)
	return slices.Compact(names)
}

func isList(name string) func(columns) bool {
	return func(c columns) bool { return kind(c[name]) == "a list" }
}

func holdsChat(c columns) bool {
	_, ok := c.list(c.first(chats))
	return ok
}
