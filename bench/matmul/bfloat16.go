//go:build linux

package main

import (
	"encoding/binary"

	"github.com/seed-5afa5581/graft/internal/float16"
)

// bfloat16 returns v as checkpoints store it in bfloat16.
func bfloat16(v []float32) []byte {
	b := make([]byte, 0, 2*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint16(b, float16.ToBF16(x))
	}
	return b
}
