package tokenizer

import (
	"embed"
	"errors"
	"fmt"
	"path"
	"strings"
)

//go:embed templates/*.jinja
var builtIns embed.FS

// BuiltIns lists the names of the built-in templates.
func BuiltIns() []string {
	entries, err := builtIns.ReadDir("templates")
	if err != nil {
		panic("tokenizer: the built-in templates are missing") // they are part of the program
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".jinja"))
	}
	return names
}

// checkBuiltIn reports what the built-in templates have no place for.
func checkBuiltIn(c *Chat) error {
	if len(c.Tools) > 0 || len(c.Documents) > 0 {
		return errors.New("the template has no place for tools and documents")
	}
	for i, m := range c.Messages {
		if m.Has("tool_calls") {
			return fmt.Errorf("message %d: the template has no place for tool calls", i)
		}
		for _, key := range []string{"role", "content"} {
			if _, ok := m.Text(key); !ok {
				return fmt.Errorf("message %d: %s is not text", i, key)
			}
		}
	}
	return nil
}

// BuiltIn returns a template for a base model that has none:
//
//	alpaca   ### Instruction: and ### Response:
//	chatml   <|im_start|>role and <|im_end|>
//	gemma    <start_of_turn>role and <end_of_turn>; the system message goes before the first user's
//	llama-2  [INST] <<SYS>> <</SYS>> [/INST]
//	llama-3  <|start_header_id|>role<|end_header_id|> and <|eot_id|>
//	mistral  [INST] [/INST]; the system message goes before the first user's
//	phi-3    <|role|> and <|end|>
//	plain    the messages, each on a line of its own
//	qwen     chatml with a system message where there is none
//	vicuna   USER: and ASSISTANT:
//	zephyr   <|role|> and the model's end of text
//
// All have generation blocks, which take in what ends the answer, so that the model learns to stop: a mark of the
// format, or eos_token where it has none. They write bos_token first if specials has it and the format begins with
// it. The marks are text like any other to a tokenizer that does not have them as added tokens. Tools, and content
// that is not text, are errors.
func BuiltIn(name string, specials map[string]string) (*Template, error) {
	source, err := builtIns.ReadFile(path.Join("templates", name+".jinja"))
	if err != nil {
		return nil, fmt.Errorf("tokenizer: there is no built-in template %q, only %s", name, strings.Join(BuiltIns(), ", "))
	}
	p, err := ParseTemplate(name, string(source), specials)
	if err != nil {
		return nil, err
	}
	p.builtIn = true
	return p, nil
}
