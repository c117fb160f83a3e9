package shape

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// InfoName is the name of LLaMA-Factory's description of data sets.
const InfoName = "dataset_info.json"

// An Entry is what a dataset_info.json says about one data set.
type Entry struct {
	Name    string
	File    string // beside the description; "" for one that is fetched from a hub
	Options Options
}

// An Info is a dataset_info.json.
type Info struct {
	Path    string
	Entries []Entry // by name
}

// entry is an Entry as LLaMA-Factory writes it.
type entry struct {
	File       string `json:"file_name"`
	Formatting string
	Ranking    bool
	Columns    map[string]string
	Tags       map[string]string
}

// ReadInfo reads a dataset_info.json.
func ReadInfo(path string) (*Info, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	return ParseInfo(path, text)
}

// ParseInfo is ReadInfo for a content.
func ParseInfo(path string, text []byte) (*Info, error) {
	var entries map[string]entry
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("data: %s: not a description of data sets: %w", path, err)
	}
	info := &Info{Path: path}
	for name, e := range entries {
		o, err := e.options()
		if err != nil {
			return nil, fmt.Errorf("data: %s: %s: %w", path, name, err)
		}
		info.Entries = append(info.Entries, Entry{Name: name, File: e.File, Options: o})
	}
	slices.SortFunc(info.Entries, func(a, b Entry) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return info, nil
}

// Of returns what the description beside a file says about it: the zero value
// if there is none or it says nothing.
func Of(path string) (Options, error) {
	describes := filepath.Join(filepath.Dir(path), InfoName)
	if _, err := os.Stat(describes); err != nil {
		return Options{}, nil
	}
	info, err := ReadInfo(describes)
	if err != nil {
		return Options{}, err
	}
	for _, e := range info.Entries {
		if e.File != "" && filepath.Join(filepath.Dir(path), filepath.FromSlash(e.File)) == filepath.Clean(path) {
			return e.Options, nil
		}
	}
	return Options{}, nil
}

// columnNames are the columns of shapes by the names that descriptions have for them:
// those of Alpaca's formatting and those of ShareGPT's.
var columnNames = map[string]map[string]string{
	"alpaca": {"prompt": "instruction", "query": "input", "response": "output", "history": "history", "system": "system",
		"chosen": "chosen", "rejected": "rejected", "kto_tag": "label"},
	"sharegpt": {"messages": "messages", "system": "system", "tools": "tools", "chosen": "chosen", "rejected": "rejected", "kto_tag": "label"},
}

// options says in our words what an entry says.
func (e entry) options() (o Options, err error) {
	if e.Formatting == "" {
		e.Formatting = "alpaca"
	}
	names, ok := columnNames[e.Formatting]
	if e.Formatting == "openai" {
		names, ok = columnNames["sharegpt"], true
	}
	if !ok {
		return o, fmt.Errorf("formatting %q: graft knows alpaca, sharegpt and openai", e.Formatting)
	}
	o.Fields = map[string]string{}
	for name, column := range e.Columns {
		if to := names[name]; to != "" && to != column {
			o.Fields[to] = column
		}
	}
	if e.Columns["prompt"] != "" && e.Columns["response"] == "" && e.Columns["chosen"] == "" && e.Formatting == "alpaca" {
		o.Fields = map[string]string{"text": e.Columns["prompt"]} // texts to go on training with
	}
	t := e.Tags
	o.Tags = Tags{Role: t["role_tag"], Content: t["content_tag"], User: t["user_tag"], Answerer: t["assistant_tag"],
		System: t["system_tag"], Result: t["observation_tag"], Call: t["function_tag"]}
	if len(o.Fields) == 0 {
		o.Fields = nil
	}
	return o, nil
}
