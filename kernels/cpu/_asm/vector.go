package main

import (
	"fmt"
	"math"
	"strings"
)

// The functions over vectors of float32 are written once, in the operations of a
// vectors, which every instruction set has.
//
// Registers are numbered; a function may use 0 to 14, and 13 and 14 only if it
// does not call exp. Where an operation takes a constant, it is the last source.

// A vectors writes operations on registers of float32 in an instruction set.
type vectors interface {
	// fn opens a function of n elements. Its arguments are n, the pointers, which are
	// known by their index from then on, and the scalars; ret closes it.
	fn(doc, name, pointers, scalars string, result bool)
	ret()
	scalar(r int, name string)                   // r = an argument, in every lane
	element(r, pointer, i int)                   // r = an element, in every lane
	put(r, pointer, i int)                       // an element = lane 0 of r
	result(r int)                                // the result = lane 0 of r
	over(pointers, copies int, body func(c int)) // runs body over n elements
	reduce(op string, r int)                     // folds the lanes of r into lane 0, using r+1

	load(r, pointer int) // lanes past the last element are 0
	store(r, pointer int)
	keep(r int)        // lanes past the last element = 0
	fill(r, other int) // lanes past the last element = other's

	constants()                // what exp and constant operands need
	move(r, a int)             // r = a
	op(op string, r, a, b int) // r = a op b: ADD, SUB, MUL, DIV, MAX, MIN (b if one is a NaN, or the NaN), XOR, OR
	fma(r, a, b int)           // r += a·b
	fnma(r, a, b int)          // r -= a·b
	sqrt(r, a int)
	round(r, a int)                   // to an integer, ties to even
	bySign(r, a, negative, other int) // r = negative in lanes where a has its sign set, other elsewhere
	polynomial(r, x int, coefficients []int)
	scaleBy(r, n int) // r·2^n, with one rounding; may use n+1
}

// Constants, as operands.
const (
	log2e = 100 + iota
	ln2High
	ln2Low
	p5
	p4
	p3
	p2
	p1
	p0
	one
	sign
	lowest  // argument of exp
	highest // argument of exp
	lastConstant
)

// constantWords are their values. exp(x) = 2^n·p(r) with n = round(x·log2 e), r
// = x - n·ln 2 in two pieces, and Cephes' polynomial.
func constantWords() (words []uint32) {
	for _, v := range []float64{
		1.44269504088896341, 0.693359375, -2.12194440e-4,
		1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1,
		math.Copysign(0, -1), -110, 89,
	} {
		words = append(words, math.Float32bits(float32(v)))
	}
	return words
}

// exp replaces register x by its exponential, using the three after it. A NaN
// stays one.
func exp(v vectors, x int) {
	n, square, p := x+1, x+2, x+3
	v.op("MAX", x, lowest, x)
	v.op("MIN", x, highest, x)
	v.op("MUL", n, x, log2e)
	v.round(n, n)
	v.fnma(x, n, ln2High)
	v.fnma(x, n, ln2Low)
	v.op("MUL", square, x, x)
	v.polynomial(p, x, []int{p5, p4, p3, p2, p1, p0})
	v.op("ADD", x, x, one)
	v.fma(x, p, square)
	v.scaleBy(x, n)
}

// vectorFunctions writes them all.
func vectorFunctions(v vectors) {
	exponentials(v)
	reductions(v)
	elementwise(v)
	adamw(v)
}

func exponentials(v vectors) {
	v.fn(": y = exp(x-m); sums gets Σ y and Σ y·(x-m).", "expSums", "x y sums", "m", false)
	v.constants()
	const m, sum, weighted = 6, 8, 10
	v.scalar(m, "m")
	v.op("XOR", sum, sum, sum)
	v.op("XOR", weighted, weighted, weighted)
	v.over(2, 1, func(int) {
		v.load(0, 0)
		v.op("SUB", 0, 0, m)
		v.op("MAX", 5, lowest, 0)
		exp(v, 0)
		v.store(0, 1)
		v.keep(0)
		v.keep(5)
		v.op("ADD", sum, sum, 0)
		v.fma(weighted, 0, 5)
	})
	v.reduce("ADD", sum)
	v.reduce("ADD", weighted)
	v.put(sum, 2, 0)
	v.put(weighted, 2, 1)
	v.ret()

	v.fn(": y = gate·σ(gate)·up.", "silu", "gate up y", "", false)
	v.constants()
	v.over(3, 1, func(int) {
		v.load(4, 0)
		v.load(5, 1)
		v.op("XOR", 0, 4, sign)
		exp(v, 0)
		v.op("ADD", 0, 0, one)
		v.op("DIV", 0, 4, 0)
		v.op("MUL", 0, 0, 5)
		v.store(0, 2)
	})
	v.ret()

	// With e = exp(-|gate|) the larger of σ and 1-σ is 1/(1+e), the smaller
	// e/(1+e): neither overflows nor loses digits.
	v.fn(": dgate = dy·up·σ·(1+gate·(1-σ)), dup = dy·gate·σ.", "siluGrad", "gate up dy dgate dup", "", false)
	v.constants()
	v.over(5, 1, func(int) {
		v.load(4, 0)
		v.load(5, 1)
		v.load(6, 2)
		v.op("OR", 0, 4, sign)
		exp(v, 0)
		v.op("ADD", 2, 0, one)
		v.move(1, one)
		v.op("DIV", 1, 1, 2)
		v.op("MUL", 0, 0, 1)
		v.bySign(2, 4, 0, 1) // σ
		v.bySign(3, 4, 1, 0) // 1-σ
		v.op("MUL", 6, 6, 2)
		v.move(0, one)
		v.fma(0, 4, 3)
		v.op("MUL", 0, 0, 6)
		v.op("MUL", 0, 0, 5)
		v.op("MUL", 6, 6, 4)
		v.store(0, 3)
		v.store(6, 4)
	})
	v.ret()
}

// reductions return a number of one or more vectors. Each copy of the loop's
// body has an accumulator of its own, from 8 on.
func reductions(v vectors) {
	const accumulator, copies = 8, 4
	total := func(op string) {
		for c := 1; c < copies; c++ {
			v.op(op, accumulator, accumulator, accumulator+c)
		}
		v.reduce(op, accumulator)
		v.result(accumulator)
		v.ret()
	}
	zero := func() {
		for c := range copies {
			v.op("XOR", accumulator+c, accumulator+c, accumulator+c)
		}
	}

	v.fn(": returns the largest element; n > 0.", "largest", "x", "", true)
	for c := range copies {
		v.element(accumulator+c, 0, 0)
	}
	v.over(1, copies, func(c int) {
		v.load(0, 0)
		v.fill(0, accumulator+c)
		v.op("MAX", accumulator+c, accumulator+c, 0)
	})
	total("MAX")

	v.fn(": returns Σ x·y.", "dot", "x y", "", true)
	zero()
	v.over(2, copies, func(c int) {
		v.load(0, 0)
		v.load(1, 1)
		v.fma(accumulator+c, 0, 1)
	})
	total("ADD")

	v.fn(": returns Σ x·y·z.", "dot3", "x y z", "", true)
	zero()
	v.over(3, copies, func(c int) {
		v.load(0, 0)
		v.load(1, 1)
		v.load(2, 2)
		v.op("MUL", 0, 0, 1)
		v.fma(accumulator+c, 0, 2)
	})
	total("ADD")
}

func elementwise(v vectors) {
	const s, copies = 8, 2
	v.fn(": y = s·x.", "scale", "x y", "s", false)
	v.scalar(s, "s")
	v.over(2, copies, func(int) {
		v.load(0, 0)
		v.op("MUL", 0, 0, s)
		v.store(0, 1)
	})
	v.ret()

	v.fn(": y += s·x.", "axpy", "x y", "s", false)
	v.scalar(s, "s")
	v.over(2, copies, func(int) {
		v.load(0, 0)
		v.load(1, 1)
		v.fma(1, 0, s)
		v.store(1, 1)
	})
	v.ret()

	v.fn(": z = s·x·y.", "product", "x y z", "s", false)
	v.scalar(s, "s")
	v.over(3, copies, func(int) {
		v.load(0, 0)
		v.load(1, 1)
		v.op("MUL", 0, 0, s)
		v.op("MUL", 0, 0, 1)
		v.store(0, 2)
	})
	v.ret()

	v.fn(": z += s·x·y.", "addProduct", "x y z", "s", false)
	v.scalar(s, "s")
	v.over(3, copies, func(int) {
		v.load(0, 0)
		v.load(1, 1)
		v.load(2, 2)
		v.op("MUL", 0, 0, s)
		v.fma(2, 0, 1)
		v.store(2, 2)
	})
	v.ret()

	const r, k, keep = 8, 9, 10
	v.fn(": dx = keep·dx + r·(dy·gain - k·x).", "normGrad", "x dy gain dx", "r k keep", false)
	v.scalar(r, "r")
	v.scalar(k, "k")
	v.scalar(keep, "keep")
	v.over(4, 1, func(int) {
		v.load(0, 0)
		v.load(1, 1)
		v.load(2, 2)
		v.load(3, 3)
		v.op("MUL", 1, 1, 2)
		v.fnma(1, 0, k)
		v.op("MUL", 1, 1, r)
		v.fma(1, 3, keep)
		v.store(1, 3)
	})
	v.ret()

	v.fn(": rotates the pairs (a, b) by the angles whose cosines and sines are given; sign -1 rotates back.",
		"rotate", "a b cos sin", "sign", false)
	v.scalar(s, "sign")
	v.over(4, 1, func(int) {
		v.load(0, 0)
		v.load(1, 1)
		v.load(2, 2)
		v.load(3, 3)
		v.op("MUL", 3, 3, s)
		v.op("MUL", 4, 0, 2)
		v.fnma(4, 1, 3)
		v.op("MUL", 5, 1, 2)
		v.fma(5, 0, 3)
		v.store(4, 0)
		v.store(5, 1)
	})
	v.ret()
}

// adamw: the constants are scale, β1, 1-β1, β2, 1-β2, 1/√(1-β2ᵗ), ε, rate/(1-β1ᵗ)
// and 1-rate·decay.
func adamw(v vectors) {
	const c = 5 // their first register
	v.fn(": one step of AdamW; c holds its nine numbers.", "adamw", "w m v grad c", "", false)
	for i := range 9 {
		v.element(c+i, 4, i)
	}
	v.over(4, 1, func(int) {
		v.load(0, 3)
		v.op("MUL", 0, 0, c)
		v.load(1, 1)
		v.op("MUL", 1, 1, c+1)
		v.fma(1, 0, c+2)
		v.op("MUL", 0, 0, 0)
		v.load(2, 2)
		v.op("MUL", 2, 2, c+3)
		v.fma(2, 0, c+4)
		v.store(1, 1)
		v.store(2, 2)
		v.sqrt(2, 2)
		v.move(3, c+6)
		v.fma(3, 2, c+5)
		v.op("MUL", 1, 1, c+7)
		v.op("DIV", 1, 1, 3)
		v.load(0, 0)
		v.op("MUL", 0, 0, c+8)
		v.op("SUB", 0, 0, 1)
		v.store(0, 0)
	})
	v.ret()
}

// A signature is the arguments of a function of n elements and where they lie.
type signature struct {
	text     string
	pointers []string
	offsets  map[string]int
	ret      int // offset of the result
	size     int
}

func newSignature(pointers, scalars string, result bool) signature {
	s := signature{pointers: strings.Fields(pointers), offsets: map[string]int{}}
	names := strings.Fields(scalars)
	s.text = "(n int, " + strings.Join(s.pointers, ", ") + " *float32"
	if len(names) > 0 {
		s.text += ", " + strings.Join(names, ", ") + " float32"
	}
	s.text += ")"
	s.size = 8
	for _, p := range s.pointers {
		s.offsets[p] = s.size
		s.size += 8
	}
	for _, n := range names {
		s.offsets[n] = s.size
		s.size += 4
	}
	if result {
		s.text += " float32"
		s.ret = (s.size + 7) &^ 7
		s.size = s.ret + 4
	}
	return s
}

// argument returns the operand of an argument.
func (s signature) argument(name string) string {
	return fmt.Sprintf("%s+%d(FP)", name, s.offsets[name])
}
