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

// lookup returns what replaces the text b: what the table has for the shortest prefix of b that it knows.
func (p *precompiled) lookup(b []byte) ([]byte, bool) {
	at := offset(p.units[0])
	for _, c := range b {
		at ^= uint32(c)
		if c == 0 || at >= uint32(len(p.units)) {
			return nil, false
		}
		unit := p.units[at]
		if unit&(1<<31|0xFF) != uint32(c) {
			return nil, false
		}
		at ^= offset(unit)
		if unit>>8&1 == 0 { // no leaf here
			continue
		}
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
	return nil, false
}

// offset decodes the field of a unit of Darts.
func offset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

// normalize replaces short grapheme clusters as a whole if the table knows them, else character by character.
func (p *precompiled) normalize(dst, src *text, _ *work) bool {
	state := -1
	for i := 0; i < len(src.b); {
		cluster, _, _, next := uniseg.FirstGraphemeCluster(src.b[i:], state)
		state = next
		end := i + len(cluster)
		if out, ok := p.lookup(cluster); ok && len(cluster) < 6 {
			dst.put(src, i, end, out)
			i = end
			continue
		}
		for i < end {
			_, n := utf8.DecodeRune(src.b[i:])
			if out, ok := p.lookup(src.b[i : i+n]); ok {
				dst.put(src, i, i+n, out)
			} else {
				dst.keep(src, i, i+n)
			}
			i += n
		}
	}
	return true
}
