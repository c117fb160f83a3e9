package tokenizer

import (
	"bytes"
	"fmt"
)

// A merge says that the tokens left and right, side by side, become the token id; merges of lower rank come first.
type merge struct {
	left, right int32
	rank, id    int32
}

// merges finds the merge of a pair: a hash table with open addressing. A free slot has left -1.
type merges struct {
	slots []merge
	shift uint8
	count int
}

func newMerges(count int) *merges {
	bits := uint8(4)
	for 1<<bits < count+count/2 {
		bits++
	}
	m := &merges{slots: make([]merge, 1<<bits), shift: 64 - bits}
	for i := range m.slots {
		m.slots[i].left = -1
	}
	return m
}

func (m *merges) slot(left, right int32) *merge {
	i := (uint64(uint32(left))<<32 | uint64(uint32(right))) * 0x9E3779B97F4A7C15 >> m.shift
	for {
		s := &m.slots[i&uint64(len(m.slots)-1)]
		if s.left == left && s.right == right || s.left < 0 {
			return s
		}
		i++
	}
}

// add puts a merge in; of two with the same pair the last one counts, as in the official library.
func (m *merges) add(x merge) {
	if m.count*4 >= len(m.slots)*3 {
		bigger := newMerges(m.count * 2)
		m.each(bigger.add)
		*m = *bigger
	}
	s := m.slot(x.left, x.right)
	if s.left < 0 {
		m.count++
	}
	*s = x
}

// of returns rank and resulting id of a pair, or false.
func (m *merges) of(left, right int32) (rank, id int32, ok bool) {
	s := m.slot(left, right)
	return s.rank, s.id, s.left >= 0
}

// each calls f for every merge, in no order.
func (m *merges) each(f func(merge)) {
	for _, s := range m.slots {
		if s.left >= 0 {
			f(s)
		}
	}
}

// readMerges reads the JSON array of merges, each "left right" or ["left", "right"]. The right part loses its
// first prefix bytes, the continuing_subword_prefix, where the two are joined.
func readMerges(raw []byte, v *vocabulary, prefix int) (*merges, error) {
	m := newMerges(countMerges(raw))
	c := cursor{b: raw}
	var p mergeReader
	rank := int32(0)
	err := c.array(func() error {
		if err := p.read(&c); err != nil {
			return fmt.Errorf("merge %d: %w", rank, err)
		}
		x, ok, err := p.resolve(v, prefix)
		if err != nil {
			return fmt.Errorf("merge %d: %w", rank, err)
		}
		x.rank = rank
		if rank++; ok {
			m.add(x)
		}
		return nil
	})
	return m, err
}

// countMerges estimates the number of merges: each has two quotes as a string or four as a pair.
func countMerges(raw []byte) int {
	quotes := bytes.Count(raw, []byte{'"'})
	if first := bytes.TrimLeft(raw, "[ \t\r\n"); len(raw) > 0 && bytes.Count(raw[:len(raw)-len(first)], []byte{'['}) > 1 {
		return quotes / 4
	}
	return quotes / 2
}

// A mergeReader holds the parts of one merge; its buffers serve for all of them.
type mergeReader struct{ left, right, l, r []byte }

// read takes one element of the array.
func (p *mergeReader) read(c *cursor) (err error) {
	p.right = p.right[:0]
	if c.next() != '[' {
		if p.left, err = c.str(p.left[:0]); err != nil {
			return err
		}
		i := bytes.IndexByte(p.left, ' ')
		if i < 0 || bytes.IndexByte(p.left[i+1:], ' ') >= 0 {
			return fmt.Errorf("%q is not two tokens with a space between", p.left)
		}
		p.right = append(p.right, p.left[i+1:]...)
		p.left = p.left[:i]
		return nil
	}
	n := 0
	err = c.array(func() (err error) {
		switch n++; n {
		case 1:
			p.left, err = c.str(p.left[:0])
		case 2:
			p.right, err = c.str(p.right)
		default:
			err = fmt.Errorf("has more than 2 tokens")
		}
		return err
	})
	if err == nil && n != 2 {
		err = fmt.Errorf("has %d tokens, want 2", n)
	}
	return err
}

// resolve finds the ids; it returns false for a merge of odd tokens, which no text can reach.
func (p *mergeReader) resolve(v *vocabulary, prefix int) (x merge, ok bool, err error) {
	if len(p.right) < prefix {
		return x, false, fmt.Errorf("%q is shorter than the continuing_subword_prefix", p.right)
	}
	l, r := p.left, p.right
	if v.folded {
		var okL, okR bool
		p.l, okL = appendFolded(p.l[:0], l)
		p.r, okR = appendFolded(p.r[:0], r)
		if !okL || !okR {
			return x, false, nil
		}
		l, r = p.l, p.r
	}
	if x.left, ok = v.id(l); !ok {
		return x, false, fmt.Errorf("%q is not in the vocabulary", p.left)
	}
	if x.right, ok = v.id(r); !ok {
		return x, false, fmt.Errorf("%q is not in the vocabulary", p.right)
	}
	l = append(l, r[prefix:]...)
	if x.id, ok = v.id(l); !ok {
		return x, false, fmt.Errorf("%q and %q make a token that is not in the vocabulary", p.left, p.right)
	}
	return x, true, nil
}
