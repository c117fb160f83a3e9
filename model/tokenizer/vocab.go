package tokenizer

import "fmt"

// A vocabulary maps tokens to ids and back. The tokens lie end to end in one block of memory: a map of 262,144
// strings costs several times as much and makes the garbage collector walk it.
//
// A folded vocabulary belongs to a byte-level tokenizer: its tokens, which the file writes in the byte alphabet,
// are kept as the bytes they stand for, so that text is looked up as it is. The few that use other characters
// can never match; they are odd and kept as written.
type vocabulary struct {
	folded bool
	blob   []byte
	where  []extent // of each id
	table  []int32  // open addressing by hash: id+1, or 0
	odd    map[string]int32
	count  int
}

type extent struct{ off, n uint32 }

// Marks in extent.n.
const (
	absent  = 1 << 31
	oddMark = 1 << 30
)

// sparse is the highest id that a vocabulary may use whatever its size; beyond it an id must be smaller than
// the vocabulary's text, so that a damaged file cannot ask for memory without bound.
const sparse = 1 << 20

// readVocabulary reads the JSON object {token: id}.
func readVocabulary(raw []byte, folded bool) (*vocabulary, error) {
	v := &vocabulary{folded: folded}
	v.blob = make([]byte, 0, len(raw)/2)
	v.where = make([]extent, 0, len(raw)/20)
	c := cursor{b: raw}
	err := c.object(func(token []byte) error {
		id, err := c.integer()
		if err != nil {
			return fmt.Errorf("token %q: %w", token, err)
		}
		if id >= sparse && int(id) >= len(raw) {
			return fmt.Errorf("token %q: id %d is too large for this vocabulary", token, id)
		}
		return v.add(token, id)
	})
	if err != nil {
		return nil, err
	}
	v.index()
	return v, nil
}

// add appends a token, which index then makes findable.
func (v *vocabulary) add(token []byte, id int32) error {
	for int(id) >= len(v.where) {
		v.where = append(v.where, extent{n: absent})
	}
	if v.where[id].n != absent {
		return fmt.Errorf("tokens %q and %q share the id %d", v.written(id), token, id)
	}
	off := len(v.blob)
	v.count++
	mark := uint32(0)
	if v.folded {
		var ok bool
		if v.blob, ok = appendFolded(v.blob, token); !ok {
			v.blob = append(v.blob[:off], token...)
			mark = oddMark
			if v.odd == nil {
				v.odd = map[string]int32{}
			}
			v.odd[string(token)] = id
		}
	} else {
		v.blob = append(v.blob, token...)
	}
	v.where[id] = extent{uint32(off), uint32(len(v.blob)-off) | mark}
	return nil
}

// index makes the tokens findable; of two that are equal the last one counts, as in the official library.
func (v *vocabulary) index() {
	size := 16
	for size < v.count*2 {
		size *= 2
	}
	v.table = make([]int32, size)
	for id, e := range v.where {
		if e.n&(absent|oddMark) == 0 {
			v.table[v.slot(v.bytes(int32(id)))] = int32(id) + 1
		}
	}
}

// slot returns where in the table token is, or would be.
func (v *vocabulary) slot(token []byte) int {
	mask := len(v.table) - 1
	i := int(hash(token)) & mask
	for v.table[i] != 0 && string(v.bytes(v.table[i]-1)) != string(token) {
		i = (i + 1) & mask
	}
	return i
}

// id returns the id of a token as it is kept: folded if the vocabulary is.
func (v *vocabulary) id(token []byte) (int32, bool) {
	id := v.table[v.slot(token)] - 1
	return id, id >= 0
}

// named returns the id of a token as the file writes it.
func (v *vocabulary) named(token string) (int32, bool) {
	if !v.folded {
		return v.id([]byte(token))
	}
	if id, ok := v.odd[token]; ok {
		return id, true
	}
	var buf [64]byte
	b, ok := appendFolded(buf[:0], []byte(token))
	if !ok {
		return 0, false
	}
	return v.id(b)
}

// bytes returns the token as it is kept, without a check of the id.
func (v *vocabulary) bytes(id int32) []byte {
	e := v.where[id]
	n := e.n &^ (absent | oddMark)
	return v.blob[e.off : e.off+n : e.off+n]
}

func (v *vocabulary) has(id int32) bool {
	return uint32(id) < uint32(len(v.where)) && v.where[id].n != absent
}

// written returns the token as the file writes it.
func (v *vocabulary) written(id int32) string {
	if b := v.bytes(id); v.folded && v.where[id].n&oddMark == 0 {
		return string(appendUnfolded(nil, b))
	} else {
		return string(b)
	}
}
