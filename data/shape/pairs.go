package shape

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// readPair reads a prompt and its answer, the shape's first and second need.
func readPair(m match) ([]Record, error) {
	r := Record{Verbatim: m.shape.name == "prompt"}
	if err := m.opening(&r); err != nil {
		return nil, err
	}
	prompt, err := m.scalar(m.column(0))
	if err != nil {
		return nil, err
	}
	if m.shape.name == "alpaca" {
		if prompt, err = m.withInput(prompt); err != nil {
			return nil, err
		}
	}
	answer, err := m.scalar(m.column(1))
	if err != nil {
		return nil, err
	}
	if m.unwanted() {
		r.Left = "its label says that the answer is a bad one"
	}
	return one(&r, r.add(say("user", prompt)), r.add(say("assistant", answer)))
}

// one returns a record unless there was a fault.
func one(r *Record, faults ...error) ([]Record, error) {
	for _, err := range faults {
		if err != nil {
			return nil, err
		}
	}
	return []Record{*r}, nil
}

// withInput puts the input under an instruction.
func (m match) withInput(instruction string) (string, error) {
	input, err := m.text(m.first([]string{"input", "context"}))
	if err != nil || input == "" {
		return instruction, err
	}
	if instruction == "" {
		return input, nil
	}
	return instruction + "\n" + input, nil
}

// unwanted tells whether the column label calls the answer a bad one.
func (m match) unwanted() bool {
	label := string(m.columns["label"])
	return slices.Contains(m.shape.also, "label") && (label == "false" || label == `"False"` || label == `"false"`)
}

// opening adds the messages of the columns system and history.
func (m match) opening(r *Record) error {
	system, err := m.text(m.first([]string{"system", "system_prompt"}))
	if err != nil {
		return err
	}
	if system != "" {
		if err := r.add(say("system", system)); err != nil {
			return err
		}
	}
	if !m.has("history") {
		return nil
	}
	var history [][]string
	if err := json.Unmarshal(m.columns["history"], &history); err != nil {
		return fmt.Errorf("column history is not a list of pairs of strings, question and answer: %w", err)
	}
	for i, pair := range history {
		if len(pair) != 2 {
			return fmt.Errorf("column history: item %d has %d strings, not a question and its answer", i+1, len(pair))
		}
		if _, err := one(r, r.add(say("user", pair[0])), r.add(say("assistant", pair[1]))); err != nil {
			return err
		}
	}
	return nil
}

// readInstances reads an instruction with a list of inputs and outputs.
func readInstances(m match) (records []Record, err error) {
	instruction, err := m.text("instruction")
	if err != nil {
		return nil, err
	}
	list, ok := m.list("instances")
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("column instances is not a list of objects with input and output but %s", kind(m.columns["instances"]))
	}
	for i, v := range list {
		var instance struct{ Input, Output *string }
		if err := json.Unmarshal(v, &instance); err != nil || instance.Output == nil {
			return nil, fmt.Errorf("column instances: item %d has no output that is a string", i+1)
		}
		prompt := instruction
		if instance.Input != nil && *instance.Input != "" {
			prompt += "\n" + *instance.Input
		}
		var r Record
		if _, err := one(&r, r.add(say("user", prompt)), r.add(say("assistant", *instance.Output))); err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// readText reads a text to learn as it stands.
func readText(m match) ([]Record, error) {
	text, err := m.text("text")
	if err != nil {
		return nil, err
	}
	r := Record{Text: text}
	if strings.TrimSpace(text) == "" {
		r.Left = "column text is empty"
	}
	return []Record{r}, nil
}

// readTokens reads what is tokenized already: input_ids, and labels that are
// the token or -100. Without labels all is learned.
func readTokens(m match) ([]Record, error) {
	var r Record
	if err := json.Unmarshal(m.columns["input_ids"], &r.Tokens); err != nil {
		return nil, fmt.Errorf("column input_ids is not a list of token numbers: %w", err)
	}
	r.Labels = r.Tokens
	if m.has("labels") {
		r.Labels = nil
		if err := json.Unmarshal(m.columns["labels"], &r.Labels); err != nil {
			return nil, fmt.Errorf("column labels is not a list of token numbers: %w", err)
		}
	}
	if len(r.Labels) != len(r.Tokens) {
		return nil, fmt.Errorf("%d input_ids and %d labels: must be as many", len(r.Tokens), len(r.Labels))
	}
	for i, l := range r.Labels {
		if l != r.Tokens[i] && l != ignore {
			return nil, fmt.Errorf("labels[%d] is %d: must be input_ids[%d], which is %d, or %d (labels are not shifted)", i, l, i, r.Tokens[i], ignore)
		}
	}
	if len(r.Tokens) < 2 {
		r.Left = "fewer than two tokens"
	}
	return []Record{r}, nil
}

// ignore is the label of what is not learned.
const ignore = -100
