package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// sentencePiece is a tokenizer.model as it is written: the ModelProto of SentencePiece's sentencepiece_model.proto.
type sentencePiece struct {
	pieces []piece

	// Of TrainerSpec.
	modelType    int32
	suffix       bool // treat_whitespace_as_suffix
	byteFallback bool
	unk          int32
	bos, eos     int32

	// Of NormalizerSpec.
	charsmap    []byte
	dummyPrefix bool // a space before the text
	squeeze     bool // remove_extra_whitespaces
}

type piece struct {
	text  []byte
	score float64
	kind  int32
}

// Values of SentencePiece.Type and of TrainerSpec.ModelType.
const (
	pieceNormal      = 1
	pieceUnknown     = 2
	pieceControl     = 3
	pieceUserDefined = 4

	modelUnigram = 1
	modelBPE     = 2
)

// readSentencePiece takes tokenizer.model apart.
func readSentencePiece(data []byte) (*sentencePiece, error) {
	s := &sentencePiece{modelType: modelUnigram, bos: 1, eos: 2, dummyPrefix: true, squeeze: true}
	err := eachField(data, func(f field) error {
		switch f.tag {
		case 1:
			return s.readPiece(f.bytes)
		case 2:
			return eachField(f.bytes, s.readTrainer)
		case 3:
			return eachField(f.bytes, s.readNormalizer)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, s.validate()
}

func (s *sentencePiece) readPiece(b []byte) error {
	p := piece{kind: pieceNormal}
	err := eachField(b, func(f field) error {
		switch f.tag {
		case 1:
			p.text = f.bytes
		case 2:
			p.score = f.float()
		case 3:
			p.kind = f.int()
		}
		return nil
	})
	if !utf8.Valid(p.text) || math.IsNaN(p.score) {
		err = fmt.Errorf("piece %d: %q is not UTF-8, or its score not a number", len(s.pieces), p.text)
	}
	s.pieces = append(s.pieces, p)
	return err
}

func (s *sentencePiece) readTrainer(f field) error {
	switch f.tag {
	case 3:
		s.modelType = f.int()
	case 24:
		s.suffix = f.bool()
	case 35:
		s.byteFallback = f.bool()
	case 40:
		s.unk = f.int()
	case 41:
		s.bos = f.int()
	case 42:
		s.eos = f.int()
	}
	return nil
}

func (s *sentencePiece) readNormalizer(f field) error {
	switch f.tag {
	case 2:
		s.charsmap = f.bytes
	case 3:
		s.dummyPrefix = f.bool()
	case 4:
		s.squeeze = f.bool()
	case 5:
		if !f.bool() {
			return errors.New("escape_whitespaces is off, which is not supported")
		}
	}
	return nil
}

func (s *sentencePiece) validate() error {
	switch {
	case len(s.pieces) == 0:
		return errors.New("no pieces")
	case s.modelType != modelUnigram && s.modelType != modelBPE:
		return fmt.Errorf("model type %d is neither unigram (1) nor BPE (2)", s.modelType)
	case s.suffix:
		return errors.New("treat_whitespace_as_suffix is not supported")
	case s.unk < 0 || int(s.unk) >= len(s.pieces):
		return fmt.Errorf("unk_id %d is not a piece", s.unk)
	}
	return nil
}

// build makes a tokenizer that gives SentencePiece's ids, with what transformers adds: the control pieces are found
// in the text as special tokens, and BOS is put before it unless the configuration says otherwise.
func (s *sentencePiece) build(set *settings) (*Tokenizer, error) {
	t := &Tokenizer{vocab: &vocabulary{}}
	for id, p := range s.pieces {
		if err := t.vocab.add(p.text, int32(id)); err != nil {
			return nil, err
		}
	}
	t.vocab.index()
	if err := s.buildNormalizers(t, set); err != nil {
		return nil, err
	}
	if s.modelType == modelBPE {
		t.setBPE(s.bpe(t.vocab))
	} else {
		t.model = s.unigram(t.vocab)
	}
	t.decoders = []decoder{replacer(replace{literal(spaceMark), " "}), fallbackDecoder{}, fuse{}}
	if s.dummyPrefix {
		t.decoders = append(t.decoders, stripper{" ", 1, 0})
	}
	s.setRoles(t, set)
	if err := t.add(s.controls(set)); err != nil {
		return nil, err
	}
	t.normalized = newFinder(s.userDefined())
	return t, nil
}

// buildNormalizers makes SentencePiece's normalization. The space before the text comes before every stretch between
// special tokens, or only before the first if the configuration says that it is not legacy.
func (s *sentencePiece) buildNormalizers(t *Tokenizer, set *settings) error {
	if len(s.charsmap) > 0 {
		p, err := newPrecompiled(s.charsmap)
		if err != nil {
			return fmt.Errorf("precompiled_charsmap: %w", err)
		}
		t.normalizers = append(t.normalizers, longestPrecompiled{p})
	}
	if s.squeeze {
		t.normalizers = append(t.normalizers, squeeze{})
	}
	legacy := set.legacy == nil || *set.legacy
	if s.dummyPrefix && legacy {
		t.normalizers = append(t.normalizers, prepend{spaceMark})
	}
	t.normalizers = append(t.normalizers, replace{literal(" "), spaceMark})
	if s.dummyPrefix && !legacy {
		t.stages = append(t.stages, stage{rewriter: metaspace{spaceMark, "first"}})
	}
	return nil
}

// bpe makes the byte-pair model: two neighbours join if they make a piece, and the piece of the best score goes first.
func (s *sentencePiece) bpe(v *vocabulary) *bpe {
	m := &bpe{vocab: v, merges: newMerges(2 * len(s.pieces)), unk: s.unk, fuse: true, byteFallback: s.byteFallback}
	ranks := s.ranks()
	for id, p := range s.pieces {
		if !p.joins() {
			continue
		}
		for i := range p.text {
			if i == 0 || !utf8.RuneStart(p.text[i]) {
				continue
			}
			left, ok := v.id(p.text[:i])
			right, ok2 := v.id(p.text[i:])
			if ok && ok2 && s.pieces[left].joins() && s.pieces[right].joins() {
				m.merges.add(merge{left, right, ranks[p.score], int32(id)})
			}
		}
	}
	m.indexBytes()
	return m
}

// joins tells whether a piece takes part in merging.
func (p piece) joins() bool { return p.kind == pieceNormal || p.kind == pieceUserDefined }

// ranks orders the scores, the highest first.
func (s *sentencePiece) ranks() map[float64]int32 {
	var scores []float64
	for _, p := range s.pieces {
		scores = append(scores, -p.score)
	}
	slices.Sort(scores)
	ranks := map[float64]int32{}
	for i, score := range slices.Compact(scores) {
		ranks[-score] = int32(i)
	}
	return ranks
}

// unigram makes the unigram model, in which only normal and user-defined pieces stand for text.
func (s *sentencePiece) unigram(v *vocabulary) *unigram {
	m := &unigram{vocab: v, unk: s.unk, byteFallback: s.byteFallback, single: true}
	keys, worst := make([][]byte, len(s.pieces)), math.Inf(1)
	for id, p := range s.pieces {
		m.scores = append(m.scores, p.score)
		if p.kind == pieceNormal {
			worst = min(worst, p.score)
		}
		if p.joins() {
			keys[id] = p.text
		}
	}
	m.index(keys, worst)
	return m
}

// controls returns the control pieces as special tokens, and the tokens that only the configuration has.
func (s *sentencePiece) controls(set *settings) (list []addedToken) {
	for id, p := range s.pieces {
		switch p.kind {
		case pieceControl, pieceUnknown:
			list = append(list, addedToken{ID: int32(id), Content: string(p.text), Special: true})
		case pieceUserDefined:
			list = append(list, addedToken{ID: int32(id), Content: string(p.text)})
		}
	}
	more := set.missing(list)
	list = slices.DeleteFunc(list, func(a addedToken) bool { return !a.Special })
	for _, a := range more {
		a.Normalized = false
		list = append(list, a)
	}
	return list
}

// userDefined returns the user-defined pieces, which are found in the normalized text, as they stand.
func (s *sentencePiece) userDefined() (tokens []addedToken, keys [][]byte) {
	for id, p := range s.pieces {
		if p.kind == pieceUserDefined {
			tokens, keys = append(tokens, addedToken{ID: int32(id)}), append(keys, p.text)
		}
	}
	return tokens, keys
}

// setRoles names BOS and EOS where the configuration does not, and puts them around texts.
func (s *sentencePiece) setRoles(t *Tokenizer, set *settings) {
	for _, r := range []struct {
		role  string
		id    int32
		add   *bool
		usual bool
		ids   *[]int32
	}{{"bos_token", s.bos, set.addBOS, true, &t.prefix}, {"eos_token", s.eos, set.addEOS, false, &t.suffix}} {
		if r.id < 0 || int(r.id) >= len(s.pieces) {
			continue
		}
		if _, named := set.roles[r.role]; !named {
			set.roles[r.role] = string(s.pieces[r.id].text)
		}
		if r.add == nil && r.usual || r.add != nil && *r.add {
			*r.ids = []int32{r.id}
		}
	}
}

// squeeze removes spaces at both ends and makes one of several.
type squeeze struct{}

func (squeeze) normalize(dst, src *text, _ *workspace) bool {
	for i, c := range src.b {
		if c == ' ' && (len(dst.b) == 0 || dst.b[len(dst.b)-1] == ' ') {
			continue
		}
		dst.keep(src, i, i+1)
	}
	if n := len(dst.b) - 1; n >= 0 && dst.b[n] == ' ' {
		*dst = dst.slice(0, n)
	}
	return true
}
