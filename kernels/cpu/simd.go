package cpu

import (
	"fmt"
	"os"
	"strings"
	"unsafe"
)

// A simd is what an instruction set offers: assembly for the inner loops. The
// names and meanings are those of the assembly's declarations.
type simd struct {
	name string

	tileF32, tileBF16                               func(units int, a, b unsafe.Pointer, c *float32, ldc, m int, mask uint64, acc int, ahead uintptr, alpha float32)
	bandF32                                         func(units int, a, b unsafe.Pointer, width, pairs int, c *float32, ldc, m int, mask uint64, acc int, ahead uintptr, alpha float32)
	alongF32                                        func(units int, a unsafe.Pointer, row int, b unsafe.Pointer, width, pairs int, c *float32, ldc, m int, mask uint64, acc int, ahead uintptr, alpha float32)
	onePass                                         bool // directF32 reads every element of B once
	directF32                                       func(units int, a unsafe.Pointer, row, step int, b unsafe.Pointer, stepB int, c *float32, ldc, m int, mask uint64, acc int, alpha float32)
	amxBF16                                         func(steps int, a0, a1, b unsafe.Pointer, width, pairs int, c unsafe.Pointer, ldc, acc int)
	amxRows                                         func(shape unsafe.Pointer, steps int, a, b unsafe.Pointer, width, groups int, c unsafe.Pointer, ldc, acc int)
	gemvBF16                                        func(steps int, a *float32, b unsafe.Pointer, ld int, c *float32, mask uint64, acc int)
	gemvTables                                      func(blocks int, scales *float32, lds int, table *[16]float32, dst unsafe.Pointer)
	gemvCodes                                       func(groups, blocks int, a *float32, b unsafe.Pointer, ld int, c *float32, mask uint64, acc int, tables unsafe.Pointer)
	scales                                          func(n int, codes *uint8, table *[256]float32, dst *float32, nested, offset float32)
	narrow                                          func(rows, n int, src unsafe.Pointer, ld int, dst unsafe.Pointer, dld, tail int)
	narrowTiles                                     func(rows, n int, src unsafe.Pointer, ld int, dst unsafe.Pointer, tail int)
	transpose                                       func(n int, src unsafe.Pointer, ld int, dst unsafe.Pointer)
	widenBF16, widenF16                             func(rows, n int, src unsafe.Pointer, ld int, dst unsafe.Pointer, dld int)
	interleaveF32, interleaveBF16, interleaveNarrow func(units, groups int, src unsafe.Pointer, ld int, dst unsafe.Pointer, stride int)

	dequantizeF32, dequantizeBF16 func(rows, n int, src unsafe.Pointer, ld int, dst unsafe.Pointer, dld int, scales *float32, lds int, table *[16]float32)

	int8F32, int8BF16 func(rows, n int, src unsafe.Pointer, ld int, dst unsafe.Pointer, dld int, scales *float32)

	expSums             func(n int, x, y, sums *float32, m float32)
	silu                func(n int, gate, up, y *float32)
	siluGrad            func(n int, gate, up, dy, dgate, dup *float32)
	largest             func(n int, x *float32) float32
	dot                 func(n int, x, y *float32) float32
	dot3                func(n int, x, y, z *float32) float32
	scale, axpy         func(n int, x, y *float32, s float32)
	product, addProduct func(n int, x, y, z *float32, s float32)
	normGrad            func(n int, x, dy, gain, dx *float32, r, k, keep float32)
	rotate              func(n int, a, b, cos, sin *float32, sign float32)
	adamw               func(n int, w, m, v, grad, c *float32)

	peak func(n int) int // benchmarks alone use it
}

// Environment variable that forces an instruction set.
const variable = "GRAFT_CPU"

// generic is plain Go.
const generic = "generic"

// choose returns the best instruction set that the processor has, or the one that
// GRAFT_CPU names; nil is plain Go.
func choose() (*simd, error) {
	sets := instructionSets()
	name := os.Getenv(variable)
	if name == "" {
		if len(sets) > 0 {
			return sets[0], nil
		}
		return nil, nil
	}
	if name == generic {
		return nil, nil
	}
	have := []string{generic}
	for _, s := range sets {
		if s.name == name {
			return s, nil
		}
		have = append(have, s.name)
	}
	return nil, fmt.Errorf("%s=%s: this processor has %s", variable, name, strings.Join(have, ", "))
}
