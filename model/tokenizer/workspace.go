package tokenizer

import (
	"sync"
	"unicode/utf8"
)

// A workspace is the memory that one call of Encode uses; calls take it from a pool and put it back, so that a steady
// stream of documents allocates nothing.
type workspace struct {
	input   text      // the input, valid UTF-8
	segment text      // what lies between two added tokens
	formed  [2]text   // what normalizers write, in turn
	stretch text      // of the normalized text, what lies between two added tokens
	staged  [2]text   // what pre-tokenizers write, in turn
	pieces  [2][]Span // of staged
	piece   text

	matches []Span // of a pattern
	char    []byte // for a few characters
	symbols []symbol
	heap    candidateHeap
	lattice []edge

	tokens []token // of one piece
	words  wordCache

	ids     []int32 // the result
	spans   []Span  // and where it came from, if tracked
	counted []int32
}

// load makes s the input, with U+FFFD for what is not UTF-8.
func (w *workspace) load(s string, tracked bool) {
	in := &w.input
	in.reset(tracked)
	in.b = append(in.b, s...)
	if !tracked && utf8.Valid(in.b) {
		return
	}
	w.char = append(w.char[:0], s...)
	in.b = in.b[:0]
	for i := 0; i < len(s); {
		r, n := decodeLossy(w.char[i:])
		in.b = utf8.AppendRune(in.b, r)
		for tracked && len(in.from) < len(in.b) {
			in.from = append(in.from, Span{i, i + n})
		}
		i += n
	}
}

// emit adds a token that covers in[i:j] to the result.
func (w *workspace) emit(id int32, in *text, i, j int) {
	w.ids = append(w.ids, id)
	if in.tracked {
		w.spans = append(w.spans, in.span(i, j))
	}
}

// other returns the one of pair that cur is not, empty.
func other(pair *[2]text, cur *text) *text {
	t := &pair[0]
	if cur == t {
		t = &pair[1]
	}
	t.reset(cur.tracked)
	return t
}

// A pool holds the workspaces that are not in use. It is not a sync.Pool, because a garbage collection would empty that
// and with it the caches of words.
type pool struct {
	mu   sync.Mutex
	free []*workspace
}

func (p *pool) get() *workspace {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		w := p.free[n-1]
		p.free = p.free[:n-1]
		return w
	}
	return &workspace{}
}

// roomy is the length of a text in bytes above which its scratch memory is not kept.
const roomy = 1 << 20

func (p *pool) put(w *workspace) {
	if cap(w.input.b) > roomy {
		w = &workspace{words: w.words}
	}
	w.ids, w.spans = nil, nil
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, w)
}
