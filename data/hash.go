package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
)

// A hasher hashes samples one after the other.
type hasher struct {
	hash hash.Hash
	buf  []byte
}

func newHasher() *hasher { return &hasher{hash: sha256.New()} }

func (h *hasher) add(s Sample) {
	h.buf = binary.LittleEndian.AppendUint64(h.buf[:0], uint64(len(s.Tokens)))
	h.buf = binary.LittleEndian.AppendUint64(h.buf, math.Float64bits(s.weight()))
	for i, t := range s.Tokens {
		h.buf = binary.LittleEndian.AppendUint32(h.buf, uint32(t))
		h.buf = binary.LittleEndian.AppendUint32(h.buf, uint32(s.Labels[i]))
	}
	h.hash.Write(h.buf)
}

func (h *hasher) sum() string { return "sha256:" + hex.EncodeToString(h.hash.Sum(nil)) }

// Hash returns a hash of what is learned: of every sample's tokens, labels and
// weight, in their order. A run may go on from a snapshot only on data of the
// same hash.
func Hash(s Source) string {
	h := newHasher()
	for i := range s.Len() {
		h.add(s.Sample(i))
	}
	return h.sum()
}
