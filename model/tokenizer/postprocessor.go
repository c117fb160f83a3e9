package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
)

// readPostProcessor reads the value of "post_processor": which ids it puts before and after the ids of one text.
func readPostProcessor(raw json.RawMessage) (before, after []int32, err error) {
	kind, err := kindOf(raw)
	if err != nil || kind == "" {
		return nil, nil, err
	}
	switch kind {
	case "Sequence":
		return readProcessorList(raw)
	case "ByteLevel": // changes offsets only
	case "TemplateProcessing":
		before, after, err = readTemplateProcessing(raw)
	case "BertProcessing", "RobertaProcessing":
		before, after, err = readBertProcessing(raw)
	default:
		return nil, nil, fmt.Errorf("unknown type %q", kind)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", kind, err)
	}
	return before, after, nil
}

func readProcessorList(raw json.RawMessage) (before, after []int32, err error) {
	type around struct{ before, after []int32 }
	list, err := readList(raw, "processors", func(raw json.RawMessage) ([]around, error) {
		b, a, err := readPostProcessor(raw)
		return []around{{b, a}}, err
	})
	for _, p := range list {
		before = append(append([]int32{}, p.before...), before...)
		after = append(after, p.after...)
	}
	return before, after, err
}

func readTemplateProcessing(raw json.RawMessage) (before, after []int32, err error) {
	f, err := decodeAs[struct {
		Single []struct {
			Sequence     *struct{ ID string }
			SpecialToken *struct{ ID string }
		}
		Tokens map[string]struct{ IDs []int32 } `json:"special_tokens"`
	}](raw)
	if err != nil {
		return nil, nil, err
	}
	seen := false
	for _, p := range f.Single {
		switch {
		case p.SpecialToken != nil:
			tok, ok := f.Tokens[p.SpecialToken.ID]
			if !ok {
				return nil, nil, fmt.Errorf("special_tokens lacks %q", p.SpecialToken.ID)
			}
			if seen {
				after = append(after, tok.IDs...)
			} else {
				before = append(before, tok.IDs...)
			}
		case p.Sequence == nil || p.Sequence.ID != "A" || seen:
			return nil, nil, errors.New("single does not hold the sequence A once")
		default:
			seen = true
		}
	}
	if !seen {
		return nil, nil, errors.New("single does not hold the sequence A once")
	}
	return before, after, nil
}

// readBertProcessing reads the pairs [token, id] of what stands before and after.
func readBertProcessing(raw json.RawMessage) (before, after []int32, err error) {
	f, err := decodeAs[struct{ Cls, Sep []json.RawMessage }](raw)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range []struct {
		pair []json.RawMessage
		ids  *[]int32
	}{{f.Cls, &before}, {f.Sep, &after}} {
		var id int32
		if len(p.pair) != 2 || json.Unmarshal(p.pair[1], &id) != nil {
			return nil, nil, errors.New("cls and sep are not pairs of a token and an id")
		}
		*p.ids = []int32{id}
	}
	return before, after, nil
}
