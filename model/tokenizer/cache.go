package tokenizer

// A wordCache remembers the tokens of short pieces: most pieces of a text are words seen before. It is a plain table
// with one place for each hash; what comes later takes the place of what came before.
type wordCache []word

const (
	cacheSize = 1 << 14
	wordBytes = 24
	wordIDs   = 9
)

// A word fills a cache line.
type word struct {
	key [wordBytes]byte
	n   uint8 // bytes of key; 0: free
	ids uint8
	id  [wordIDs]int32
}

// slot returns the place of a piece, and whether it is there.
func (c *wordCache) slot(piece []byte) (*word, bool) {
	if *c == nil {
		*c = make(wordCache, cacheSize)
	}
	w := &(*c)[hash(piece)>>32&(cacheSize-1)]
	return w, int(w.n) == len(piece) && string(w.key[:w.n]) == string(piece)
}

// set fills the place with a piece and its tokens, if they fit.
func (w *word) set(piece []byte, tokens []token) {
	if len(tokens) > wordIDs {
		return
	}
	w.n, w.ids = uint8(copy(w.key[:], piece)), uint8(len(tokens))
	for i, t := range tokens {
		w.id[i] = t.id
	}
}
