package sugarme

import (
	"errors"

	"github.com/seed-5afa5581/graft/model/tokenizer"
	sugarme "github.com/sugarme/tokenizer"
)

// model is a whole tokenizer in the role of a model.
type model struct{ t *tokenizer.Tokenizer }

// Tokenize encodes text without what the post-processor adds.
func (m model) Tokenize(text string) ([]sugarme.Token, error) {
	ids, spans := m.t.EncodeOffsets(text, false)
	tokens := make([]sugarme.Token, len(ids))
	for i, id := range ids {
		tokens[i] = newToken(m.t, id, spans[i])
	}
	return tokens, nil
}

func newToken(t *tokenizer.Tokenizer, id int32, span tokenizer.Span) sugarme.Token {
	name, _ := t.Token(id)
	return sugarme.NewToken(int(id), name, []int{span.Start, span.End})
}

func (m model) TokenToId(token string) (int, bool) {
	id, ok := m.t.ID(token)
	return int(id), ok
}

func (m model) IdToToken(id int) (string, bool) {
	if int(int32(id)) != id {
		return "", false
	}
	return m.t.Token(int32(id))
}

// GetVocab returns a new map of all tokens, added ones included.
func (m model) GetVocab() map[string]int {
	vocab := make(map[string]int, m.t.Size())
	for id, token := range m.t.Vocab() {
		vocab[token] = int(id)
	}
	return vocab
}

func (m model) GetVocabSize() int { return m.t.Size() }

// Save is refused: the tokenizer is saved by copying the files that it was read from.
func (m model) Save(string, ...string) error {
	return errors.New("sugarme: a tokenizer is not saved from here: copy the tokenizer.json it was read from")
}
