package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// settings are what the files beside tokenizer.json say.
type settings struct {
	roles     map[string]string // "bos_token" and the like to the token
	templates map[string]string // by name; "" is the default
	stops     []int32           // eos_token_id of generation_config.json
	added     []addedToken      // added_tokens_decoder
	addBOS    *bool             // add_bos_token
	addEOS    *bool             // add_eos_token
	legacy    *bool
}

// readSettings reads the files, all of which may be missing.
func readSettings(fsys fs.FS) (settings, error) {
	s := settings{roles: map[string]string{}, templates: map[string]string{}}
	for _, f := range []struct {
		name string
		read func([]byte) error
	}{
		{"special_tokens_map.json", s.readRoles},
		{"tokenizer_config.json", s.readConfig},
		{"generation_config.json", s.readGeneration},
		{"chat_template.jinja", func(data []byte) error { s.templates[""] = string(data); return nil }},
	} {
		data, err := fs.ReadFile(fsys, f.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = f.read(data)
		}
		if err != nil {
			return s, fmt.Errorf("tokenizer: %s: %w", f.name, err)
		}
	}
	return s, nil
}

// readRoles reads the keys that end in _token; each is a string, an object with a content, or null.
func (s *settings) readRoles(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	for key, raw := range fields {
		if !strings.HasSuffix(key, "_token") {
			continue
		}
		if token, ok := tokenName(raw); ok {
			s.roles[key] = token
		}
	}
	return nil
}

// tokenName reads a token that is written as a string or as an object; false for anything else.
func tokenName(raw json.RawMessage) (string, bool) {
	var name *string
	if json.Unmarshal(raw, &name) == nil {
		if name == nil {
			return "", false
		}
		return *name, true
	}
	var object struct{ Content *string }
	if json.Unmarshal(raw, &object) == nil && object.Content != nil {
		return *object.Content, true
	}
	return "", false
}

func (s *settings) readConfig(data []byte) error {
	if err := s.readRoles(data); err != nil {
		return err
	}
	var f struct {
		AddBOS   *bool                 `json:"add_bos_token"`
		AddEOS   *bool                 `json:"add_eos_token"`
		Added    map[string]addedToken `json:"added_tokens_decoder"`
		Legacy   *bool
		Template json.RawMessage `json:"chat_template"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	s.addBOS, s.addEOS, s.legacy = f.AddBOS, f.AddEOS, f.Legacy
	for key, a := range f.Added {
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil || id < 0 {
			return fmt.Errorf("added_tokens_decoder: %q is not an id", key)
		}
		a.ID = int32(id)
		s.added = append(s.added, a)
	}
	slices.SortFunc(s.added, func(a, b addedToken) int { return int(a.ID) - int(b.ID) })
	if err := s.readTemplates(f.Template); err != nil {
		return fmt.Errorf("chat_template: %w", err)
	}
	return nil
}

// missing returns the tokens of added_tokens_decoder that are not in list; as in transformers they are added to it.
func (s *settings) missing(list []addedToken) (more []addedToken) {
	have := map[string]bool{}
	for _, a := range list {
		have[a.Content] = true
	}
	for _, a := range s.added {
		if !have[a.Content] {
			more = append(more, a)
		}
	}
	return more
}

// readTemplates reads chat_template: one template, or a list of them with names, of which "default" is the default.
func (s *settings) readTemplates(raw json.RawMessage) error {
	var one *string
	if raw == nil || json.Unmarshal(raw, &one) == nil {
		if one != nil {
			s.templates[""] = *one
		}
		return nil
	}
	var list []struct{ Name, Template string }
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, t := range list {
		if t.Name == "default" {
			t.Name = ""
		}
		s.templates[t.Name] = t.Template
	}
	return nil
}

// readGeneration reads eos_token_id: an id or a list of ids.
func (s *settings) readGeneration(data []byte) error {
	var f struct {
		EOS json.RawMessage `json:"eos_token_id"`
	}
	if err := json.Unmarshal(data, &f); err != nil || f.EOS == nil {
		return err
	}
	var id *int32
	if json.Unmarshal(f.EOS, &id) == nil {
		if id != nil {
			s.stops = []int32{*id}
		}
		return nil
	}
	if err := json.Unmarshal(f.EOS, &s.stops); err != nil {
		return fmt.Errorf("eos_token_id: %w", err)
	}
	return nil
}

// role returns the id of the token with a role such as "bos_token".
func (t *Tokenizer) role(name string) (int32, bool) {
	token, ok := t.settings.roles[name]
	if !ok {
		return 0, false
	}
	return t.ID(token)
}

// BOS returns the id of bos_token, or false if there is none.
func (t *Tokenizer) BOS() (int32, bool) { return t.role("bos_token") }

// Pad returns the id of pad_token, or false if there is none.
func (t *Tokenizer) Pad() (int32, bool) { return t.role("pad_token") }

// EOS returns the ids at which generation ends: that of eos_token, then those of generation_config.json.
func (t *Tokenizer) EOS() []int32 {
	var ids []int32
	if id, ok := t.role("eos_token"); ok {
		ids = append(ids, id)
	}
	for _, id := range t.settings.stops {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Roles returns the tokens that the files give a role, "bos_token", "eos_token" and so on, by role. Chat templates
// read them as variables.
func (t *Tokenizer) Roles() map[string]string {
	roles := make(map[string]string, len(t.settings.roles))
	for k, v := range t.settings.roles {
		roles[k] = v
	}
	return roles
}

// ChatTemplate returns the Jinja source of a chat template: of the default one for "" and "default", or of one that
// tokenizer_config.json names. The file chat_template.jinja goes before what the configuration has.
func (t *Tokenizer) ChatTemplate(name string) (string, bool) {
	if name == "default" {
		name = ""
	}
	s, ok := t.settings.templates[name]
	return s, ok
}
