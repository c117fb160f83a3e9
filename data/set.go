package data

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// Config says how records become samples. The zero value serves.
type Config struct {
	// MaxLen is the longest sample in tokens; 2048 if 0. A longer answer is left
	// out and counted in Set.Dropped; a longer text is cut into several samples.
	MaxLen int
}

// A Set is the samples of one or several files.
type Set struct {
	Dropped []string // sources of the records that were too long

	samples List
}

// Len returns the number of samples.
func (s *Set) Len() int { return len(s.samples) }

// Sample returns sample i.
func (s *Set) Sample(i int) Sample { return s.samples[i] }

// Tokens returns the number of tokens of all samples.
func (s *Set) Tokens() (n int) {
	for _, x := range s.samples {
		n += len(x.Tokens)
	}
	return n
}

// Hash returns a hash of what is learned: of every sample's tokens, labels and weight,
// in their order. A run may go on from a snapshot only on data of the same
// hash.
func (s *Set) Hash() string { return Hash(s.samples) }

// Hash returns a hash of the tokens, labels and weights of all samples.
func Hash(s Source) string {
	h := newHasher()
	for i := range s.Len() {
		h.add(s.Sample(i))
	}
	return h.sum()
}

// Open reads the records of a file and tokenizes them.
func Open(path string, t *tokenizer.Tokenizer, c Config) (*Set, error) {
	records, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return New(records, t, c)
}

// Parse is Open for the content of a file; name says what it is.
func Parse(name string, text []byte, t *tokenizer.Tokenizer, c Config) (*Set, error) {
	records, err := parse(name, text)
	if err != nil {
		return nil, err
	}
	return New(records, t, c)
}

// New tokenizes records.
func New(records []Record, t *tokenizer.Tokenizer, c Config) (*Set, error) {
	if t == nil {
		return nil, errors.New("data: the model has no tokenizer: its directory needs a tokenizer.json")
	}
	if c.MaxLen == 0 {
		c.MaxLen = 2048
	}
	if c.MaxLen < 2 {
		return nil, fmt.Errorf("data: samples of at most %d tokens: must be at least 2", c.MaxLen)
	}
	s := &Set{}
	for _, r := range records {
		s.add(r, t, c.MaxLen)
	}
	if len(s.samples) == 0 {
		return nil, fmt.Errorf("data: none of %d records can be learned from: %d are longer than %d tokens", len(records), len(s.Dropped), c.MaxLen)
	}
	if n := len(s.Dropped); n > 0 {
		slog.Warn("data: records longer than the limit are left out", "records", n, "of", len(records), "limit", c.MaxLen, "first", s.Dropped[0])
	}
	return s, nil
}

func (s *Set) add(r Record, t *tokenizer.Tokenizer, maxLen int) {
	var x Sample
	if r.IsText {
		x = Text(t, r.Answer)
	} else {
		x = Answer(t, r.Prompt, r.Answer)
	}
	x.Source = r.Source
	switch {
	case len(x.Tokens) <= maxLen:
		s.samples = append(s.samples, x)
	case r.IsText:
		s.addPieces(x, maxLen)
	default:
		s.Dropped = append(s.Dropped, r.Source)
	}
}

// addPieces cuts a text into samples; each begins with the last token of the
// one before, so that every token is predicted once.
func (s *Set) addPieces(x Sample, maxLen int) {
	for from := 0; from+1 < len(x.Tokens); from += maxLen - 1 {
		to := min(len(x.Tokens), from+maxLen)
		s.samples = append(s.samples, Sample{Tokens: x.Tokens[from:to], Labels: x.Labels[from:to], Source: x.Source})
	}
}
