package data

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// NoTemplate is the Config.Template of prompts and answers as they stand.
const NoTemplate = "none"

// FindTemplate returns the chat template that a name stands for, nil for none;
// see Config.Template.
func FindTemplate(t *tokenizer.Tokenizer, name string) (*tokenizer.Template, error) {
	switch {
	case t == nil:
		return nil, errors.New("data: the model has no tokenizer: its directory needs a tokenizer.json")
	case name == NoTemplate:
		return nil, nil
	case strings.HasSuffix(name, ".jinja"):
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("data: template: %w", err)
		}
		return tokenizer.ParseTemplate(name, string(source), t.Roles())
	}
	if _, ok := t.ChatTemplate(name); ok {
		return t.Template(name)
	}
	if name == "" {
		return nil, nil
	}
	if !slices.Contains(tokenizer.BuiltIns(), name) {
		return nil, fmt.Errorf("data: template %q: neither the model's nor built in; there are %s, files that end in .jinja, and %s",
			name, strings.Join(tokenizer.BuiltIns(), ", "), NoTemplate)
	}
	return tokenizer.BuiltIn(name, t.Roles())
}
