package tokenizer

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// precompiled is SentencePiece's normalization by table: a double-array trie (of Darts) from byte strings to
// places in a list of NUL-terminated replacements.
type precompiled struct {
	units  []uint32
	output []byte
}

func readPrecompiled(raw json.RawMessage) (normalizer, error) {
	f, err := decodeAs[struct {
		Map []byte `json:"precompiled_charsmap"` // base64
	}](raw)
	if err != nil {
		return nil, err
	}
	return newPrecompiled(f.Map)
}

// newPrecompiled reads the table: the size of the trie in bytes, the trie, the replacements.
func newPrecompiled(b []byte) (*precompiled, error) {
	if len(b) < 4 {
		return nil, errors.New("the table is too short")
	}
	size := int(binary.LittleEndian.Uint32(b))
	if b = b[4:]; size > len(b) || size%4 != 0 || size == 0 {
		return nil, errors.New("the table's trie does not fit into it")
	}
	p := &precompiled{units: make([]uint32, size/4), output: b[size:]}
	for i := range p.units {
		p.units[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	if !utf8.Valid(p.output) {
		return nil, errors.New("the table's replacements are not UTF-8")
	}
	return p, nil
}

// lookup returns what replaces the shortest prefix of b that the table knows, and the length of that prefix, which is
// 0 if there is none; with longest, the longest.
func (p *precompiled) lookup(b []byte, longest bool) (out []byte, n int) {
	at := offset(p.units[0])
	for i, c := range b {
		if at ^= uint32(c); c == 0 || at >= uint32(len(p.units)) {
			break
		}
		unit := p.units[at]
		if unit&(1<<31|0xFF) != uint32(c) {
			break
		}
		at ^= offset(unit)
		if unit>>8&1 == 0 { // no key ends here
			continue
		}
		if o, ok := p.replacement(at); ok {
			if out, n = o, i+1; !longest {
				break
			}
		}
	}
	return out, n
}

// replacement returns the text that the unit at points to.
func (p *precompiled) replacement(at uint32) ([]byte, bool) {
	if at >= uint32(len(p.units)) {
		return nil, false
	}
	start := p.units[at] &^ (1 << 31)
	if start > uint32(len(p.output)) {
		return nil, false
	}
	out := p.output[start:]
	if end := bytes.IndexByte(out, 0); end >= 0 {
		out = out[:end]
	}
	return out, utf8.Valid(out)
}

// offset decodes the field of a unit of Darts.
func offset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

// normalize replaces short grapheme clusters as a whole if the table knows a prefix of them, else character by
// character. This is what the official library does, not what SentencePiece does.
func (p *precompiled) normalize(dst, src *text, _ *workspace) bool {
	state := -1
	for i := 0; i < len(src.b); {
		cluster, _, _, next := uniseg.FirstGraphemeCluster(src.b[i:], state)
		state = next
		end := i + len(cluster)
		if len(cluster) < 6 {
			if out, n := p.lookup(cluster, false); n > 0 {
				dst.put(src, i, end, out)
				i = end
				continue
			}
		}
		for i < end {
			_, n := utf8.DecodeRune(src.b[i:])
			if out, m := p.lookup(src.b[i:i+n], false); m > 0 {
				dst.put(src, i, i+n, out)
			} else {
				dst.keep(src, i, i+n)
			}
			i += n
		}
	}
	return true
}

// longestPrecompiled is the same table, used as SentencePiece does: at every place the longest match counts.
type longestPrecompiled struct{ *precompiled }

func (p longestPrecompiled) normalize(dst, src *text, _ *workspace) bool {
	for i := 0; i < len(src.b); {
		if out, n := p.lookup(src.b[i:], true); n > 0 {
			dst.put(src, i, i+n, out)
			i += n
			continue
		}
		_, n := utf8.DecodeRune(src.b[i:])
		dst.keep(src, i, i+n)
		i += n
	}
	return true
}
