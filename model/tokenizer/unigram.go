package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// unigram is SentencePiece's unigram language model: of all ways to cut a piece into tokens it takes the one whose
// scores, log probabilities, have the largest sum (Kudo 2018, "Subword Regularization"), by Viterbi's algorithm.
type unigram struct {
	vocab        *vocabulary
	trie         *trie // of the tokens, by id
	scores       []float64
	unk          int32
	unkScore     float64    // of an unknown character
	fallback     [256]int32 // ids of <0xNN>, -1 where there is none
	byteFallback bool
	single       bool // sums have single precision, as in SentencePiece; the official library's have double
}

// An edge is the last token of the best way to cut what lies before a place in the piece.
type edge struct {
	sum   float64 // of the scores of that way
	start int32
	id    int32 // none: no way ends here
}

// unkPenalty is how much worse an unknown character scores than the worst token.
const unkPenalty = 10

func (m *unigram) tokenize(dst []token, piece []byte, w *workspace) []token {
	m.search(piece, w)
	w.symbols = w.symbols[:0] // the way, from its end
	for end := int32(len(piece)); end > 0; {
		e := w.lattice[end]
		if n := len(w.symbols); n > 0 && e.id == m.unk && w.symbols[n-1].id == m.unk {
			w.symbols[n-1].start = e.start // unknown characters side by side are one
		} else {
			w.push(token{e.id, e.start, end})
		}
		end = e.start
	}
	for i := len(w.symbols) - 1; i >= 0; i-- {
		if t := w.symbols[i].token; t.id == m.unk {
			dst = m.unknown(dst, piece, t)
		} else {
			dst = append(dst, t)
		}
	}
	return dst
}

// search fills w.lattice with the best edge into every place of the piece.
func (m *unigram) search(piece []byte, w *workspace) {
	w.lattice = append(w.lattice[:0], edge{})
	for range piece {
		w.lattice = append(w.lattice, edge{id: none})
	}
	for i := 0; i < len(piece); {
		_, n := utf8.DecodeRune(piece[i:])
		single := false // is the character a token?
		node := m.trie.root[piece[i]]
		for j := i + 1; node != 0; j++ {
			if id := m.trie.nodes[node].value; id >= 0 {
				m.offer(w, i, j, id, m.scores[id])
				single = single || j == i+n
			}
			if j == len(piece) {
				break
			}
			node = m.trie.step(node, piece[j])
		}
		if !single {
			m.offer(w, i, i+n, m.unk, m.unkScore)
		}
		i += n
	}
}

// offer makes the token id from i to j the edge into j if it is better than what was found before.
func (m *unigram) offer(w *workspace, i, j int, id int32, score float64) {
	sum := w.lattice[i].sum + score
	if m.single {
		sum = float64(float32(sum))
	}
	if w.lattice[j].id == none || sum > w.lattice[j].sum {
		w.lattice[j] = edge{sum, int32(i), id}
	}
}

// unknown appends what stands for the unknown text t: a token of the same text that no best way uses, or byte tokens,
// or the unknown token.
func (m *unigram) unknown(dst []token, piece []byte, t token) []token {
	run := piece[t.start:t.end]
	if id, ok := m.vocab.id(run); ok {
		return append(dst, token{id, t.start, t.end})
	}
	n := len(dst)
	for i, b := range run {
		if !m.byteFallback || m.fallback[b] < 0 {
			return append(dst[:n], t)
		}
		at := t.start + int32(i)
		dst = append(dst, token{m.fallback[b], at, at + 1})
	}
	return dst
}

// newUnigram builds the model from its file's list of pairs [token, score], whose places are the ids.
func newUnigram(f *modelFile) (*unigram, error) {
	m := &unigram{vocab: &vocabulary{}, byteFallback: f.ByteFallback}
	c := cursor{b: f.Vocab}
	err := c.array(func() error {
		id := int32(len(m.scores))
		name, score, err := c.scored()
		if err != nil {
			return fmt.Errorf("vocab: token %d: %w", id, err)
		}
		m.scores = append(m.scores, score)
		return m.vocab.add(name, id)
	})
	if err != nil {
		return nil, err
	}
	if f.UnkID == nil || !m.vocab.has(*f.UnkID) {
		return nil, errors.New("unk_id is missing or not in the vocabulary")
	}
	m.unk = *f.UnkID
	m.vocab.index()
	keys := make([][]byte, len(m.scores))
	for id := range keys {
		keys[id] = m.vocab.bytes(int32(id))
	}
	m.index(keys, slices.Min(m.scores))
	return m, nil
}

// scored consumes a pair [token, score].
func (c *cursor) scored() (name []byte, score float64, err error) {
	n := 0
	err = c.array(func() (err error) {
		switch n++; n {
		case 1:
			name, err = c.str(nil)
		case 2:
			err = c.value(&score)
		default:
			err = errors.New("more than a token and its score")
		}
		return err
	})
	if err == nil && n != 2 {
		err = errors.New("not a token and its score")
	}
	return name, score, err
}

// index makes the tokens findable: keys are those that stand for text, by id, and worst is the lowest of their scores.
func (m *unigram) index(keys [][]byte, worst float64) {
	m.trie, m.unkScore = newTrie(keys), worst-unkPenalty
	for b := range m.fallback {
		m.fallback[b], _ = m.vocab.id(byteToken(byte(b)))
	}
}
