package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"
)

// A Tokenizer turns text into ids and back. It does not change and is safe for concurrent use; each call that is
// under way at the same time has its own cache of words, about a megabyte.
type Tokenizer struct {
	raw         *finder // of added tokens in the input
	normalizers []normalizer
	normalized  *finder // of added tokens in the normalized text
	stages      []stage
	model       model
	vocab       *vocabulary
	decoders    []decoder
	byteLevel   bool // the vocabulary is folded and ByteLevel is the only decoder
	prefix      []int32
	suffix      []int32

	added     map[string]int32
	addedByID map[int32]addedName
	size      int

	settings settings
	works    worklist
}

// Open reads the tokenizer of the model in a directory; see Load.
func Open(dir string) (*Tokenizer, error) {
	t, err := Load(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, dir)
	}
	return t, nil
}

// Load reads a tokenizer from the files in fsys's root, as they lie beside a model: tokenizer.json, or tokenizer.model
// where that is missing, and, where there are such files, tokenizer_config.json, special_tokens_map.json,
// generation_config.json and chat_template.jinja. An error names the file and what in it is wrong or unknown.
func Load(fsys fs.FS) (*Tokenizer, error) {
	s, err := readSettings(fsys)
	if err != nil {
		return nil, err
	}
	data, err := fs.ReadFile(fsys, "tokenizer.json")
	if errors.Is(err, fs.ErrNotExist) {
		return loadSentencePiece(fsys, &s)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	f, err := readFile(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	f.added = append(f.added, s.missing(f.added)...)
	t, err := f.build()
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	t.settings = s
	return t, nil
}

// loadSentencePiece is Load for a folder without tokenizer.json.
func loadSentencePiece(fsys fs.FS, s *settings) (*Tokenizer, error) {
	data, err := fs.ReadFile(fsys, "tokenizer.model")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: there is neither tokenizer.json nor tokenizer.model: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	f, err := readSentencePiece(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.model: %w", err)
	}
	t, err := f.build(s)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.model: %w", err)
	}
	t.settings = *s
	return t, nil
}

// build makes a tokenizer of what the file says.
func (f *file) build() (t *Tokenizer, err error) {
	t = &Tokenizer{}
	if t.normalizers, err = readNormalizers(f.normalizer); err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	if t.stages, err = readStages(f.preTokenizer); err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	if t.decoders, err = readDecoders(f.decoder); err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	if t.prefix, t.suffix, err = readPostProcessor(f.postProcessor); err != nil {
		return nil, fmt.Errorf("post_processor: %w", err)
	}
	if err = t.buildModel(&f.model); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	t.byteLevel = t.vocab.folded && len(t.decoders) == 1 && t.decoders[0] == decoder(byteDecoder{})
	if err = t.add(f.added); err != nil {
		return nil, fmt.Errorf("added_tokens: %w", err)
	}
	return t, nil
}

// buildModel makes the model and its vocabulary.
func (t *Tokenizer) buildModel(f *modelFile) (err error) {
	switch f.Type {
	case "BPE", "":
		return t.buildBPE(f)
	case "Unigram":
		var m *unigram
		if m, err = newUnigram(f); err == nil {
			t.model, t.vocab = m, m.vocab
		}
		return err
	case "WordPiece":
		if t.vocab, err = readVocabulary(f.Vocab, false); err == nil {
			t.model, err = newWordPiece(f, t.vocab)
		}
		return err
	}
	return fmt.Errorf("unknown type %q", f.Type)
}

// buildBPE makes a byte-pair model. If the last stage writes the text in the byte alphabet, the vocabulary is folded
// and the stage left out.
func (t *Tokenizer) buildBPE(f *modelFile) (err error) {
	last := len(t.stages) - 1
	folded := last >= 0 && t.stages[last].rewriter == rewriter(byteMapper{}) && !f.ByteFallback &&
		f.ContinuingSubwordPrefix == "" && f.EndOfWordSuffix == ""
	if folded {
		t.stages = t.stages[:last]
	}
	if t.vocab, err = readVocabulary(f.Vocab, folded); err != nil {
		return fmt.Errorf("vocab: %w", err)
	}
	m, err := newBPE(f, t.vocab)
	if err != nil {
		return err
	}
	t.setBPE(m)
	return nil
}

// setBPE makes m the model and, if it has seams, those the last stage.
func (t *Tokenizer) setBPE(m *bpe) {
	t.model = m
	if s := newSeams(m); s != nil {
		t.stages = append(t.stages, stage{cutter: s})
	}
}

// add puts the added tokens in. A token that the vocabulary has keeps the vocabulary's id.
func (t *Tokenizer) add(tokens []addedToken) error {
	t.added, t.addedByID = map[string]int32{}, map[int32]addedName{}
	t.size = t.vocab.count
	var raw, normalized []addedToken
	var rawKeys, normalizedKeys [][]byte
	for _, a := range tokens {
		if a.Content == "" {
			continue
		}
		if id, ok := t.vocab.named(a.Content); ok {
			a.ID = id
		} else if _, again := t.added[a.Content]; !again {
			t.size++
		}
		if a.ID < 0 {
			return fmt.Errorf("%q has the id %d", a.Content, a.ID)
		}
		key := []byte(a.Content)
		if a.Normalized {
			key = t.normalize(a.Content)
			normalized, normalizedKeys = append(normalized, a), append(normalizedKeys, key)
		} else {
			raw, rawKeys = append(raw, a), append(rawKeys, key)
		}
		t.added[a.Content] = a.ID
		t.addedByID[a.ID] = addedName{a.Content, string(key), a.Special && string(key) == a.Content}
	}
	t.raw, t.normalized = newFinder(raw, rawKeys), newFinder(normalized, normalizedKeys)
	return nil
}

// normalize returns what the normalizers make of s.
func (t *Tokenizer) normalize(s string) []byte {
	var w work
	w.load(s, false)
	cur := &w.input
	for _, n := range t.normalizers {
		if next := other(&w.formed, cur); n.normalize(next, cur, &w) {
			cur = next
		}
	}
	return append([]byte(nil), cur.b...)
}

// ID returns the id of a token, written as in the file.
func (t *Tokenizer) ID(token string) (int32, bool) {
	if id, ok := t.added[token]; ok {
		return id, true
	}
	return t.vocab.named(token)
}

// Token returns the token with an id, written as in the file.
func (t *Tokenizer) Token(id int32) (string, bool) {
	if a, ok := t.addedByID[id]; ok {
		return a.content, true
	}
	if !t.vocab.has(id) {
		return "", false
	}
	return t.vocab.written(id), true
}

// IsSpecial tells whether a token is a special one, which DecodeSkip leaves out.
func (t *Tokenizer) IsSpecial(id int32) bool { return t.addedByID[id].special }

// Vocab goes over the tokens, added ones included, in the order of their ids.
func (t *Tokenizer) Vocab() iter.Seq2[int32, string] {
	return func(yield func(int32, string) bool) {
		end := int32(len(t.vocab.where))
		for id := range end {
			if token, ok := t.Token(id); ok && !yield(id, token) {
				return
			}
		}
		for _, id := range slices.Sorted(maps.Keys(t.addedByID)) {
			if id >= end && !yield(id, t.addedByID[id].content) {
				return
			}
		}
	}
}

// Affixes returns the ids that Encode puts before and after those of a text.
func (t *Tokenizer) Affixes() (before, after []int32) {
	return slices.Clone(t.prefix), slices.Clone(t.suffix)
}

// Size returns the number of tokens, added ones included.
func (t *Tokenizer) Size() int { return t.size }
