package tokenizer

import (
	"encoding/binary"
	"math/bits"
)

// Odd constants with evenly spread bits (of wyhash).
const (
	hashA = 0xa0761d6478bd642f
	hashB = 0xe7037ed1a0b428db
)

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// hash mixes short byte strings, the keys of the vocabulary and of the word cache, eight bytes at a time.
func hash(b []byte) uint64 {
	n, h := len(b), uint64(len(b))*hashA
	for len(b) > 8 {
		h = fold(h^binary.LittleEndian.Uint64(b), hashB)
		b = b[8:]
	}
	var last uint64
	switch {
	case len(b) == 8:
		last = binary.LittleEndian.Uint64(b)
	case len(b) >= 4:
		last = uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))<<32
	case len(b) > 0:
		last = uint64(b[0]) | uint64(b[len(b)/2])<<8 | uint64(b[len(b)-1])<<16
	}
	return fold(h^last^uint64(n), hashA)
}
