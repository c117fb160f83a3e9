package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
)

// file is tokenizer.json as it is written. Truncation and padding are the caller's business and are ignored, as
// transformers does.
type file struct {
	added         []addedToken
	normalizer    json.RawMessage
	preTokenizer  json.RawMessage
	postProcessor json.RawMessage
	decoder       json.RawMessage
	model         modelFile
}

// modelFile is the value of "model". Vocab and Merges, nearly all of the file, are read by cursors.
type modelFile struct {
	Type                    string
	UnkToken                *string `json:"unk_token"`
	UnkID                   *int32  `json:"unk_id"`
	Dropout                 float64
	FuseUnk                 bool   `json:"fuse_unk"`
	ByteFallback            bool   `json:"byte_fallback"`
	IgnoreMerges            bool   `json:"ignore_merges"`
	ContinuingSubwordPrefix string `json:"continuing_subword_prefix"`
	EndOfWordSuffix         string `json:"end_of_word_suffix"`
	MaxInputChars           *int   `json:"max_input_chars_per_word"`

	Vocab  json.RawMessage `json:"-"`
	Merges json.RawMessage `json:"-"`
}

// readFile takes tokenizer.json apart.
func readFile(data []byte) (*file, error) {
	f := &file{}
	c := cursor{b: data}
	seen := false
	err := c.object(func(key []byte) error {
		var err error
		switch string(key) {
		case "model":
			seen = true
			err = f.model.read(&c)
		case "added_tokens":
			err = c.value(&f.added)
		case "normalizer":
			f.normalizer, err = c.raw()
		case "pre_tokenizer":
			f.preTokenizer, err = c.raw()
		case "post_processor":
			f.postProcessor, err = c.raw()
		case "decoder":
			f.decoder, err = c.raw()
		default:
			err = c.value(new(any))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err == nil {
		err = c.end()
	}
	if err == nil && !seen {
		err = errors.New("model is missing")
	}
	return f, err
}

// read fills f from an object.
func (f *modelFile) read(c *cursor) error {
	small := map[string]json.RawMessage{}
	err := c.object(func(key []byte) error {
		raw, err := c.raw()
		switch k := string(key); k {
		case "vocab":
			f.Vocab = raw
		case "merges":
			f.Merges = raw
		default:
			small[k] = raw
		}
		return err
	})
	if err != nil {
		return err
	}
	rest, err := json.Marshal(small)
	if err != nil {
		return err
	}
	return json.Unmarshal(rest, f)
}

// value consumes a value and decodes it with encoding/json.
func (c *cursor) value(v any) error {
	raw, err := c.raw()
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}
