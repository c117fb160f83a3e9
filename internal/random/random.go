// Package random is graft's only source of randomness: the counter-based
// generator Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011).
//
// A counter-based generator is a function from (key, counter) to random bits. It
// has no state that must be saved to resume a run, and what it gives for an
// element does not depend on which worker asks, or when.
package random

import "math"

const (
	mul0, mul1   = 0xD2511F53, 0xCD9E8D57
	weyl0, weyl1 = 0x9E3779B9, 0xBB67AE85
)

// Block returns the 128 bits that Philox4x32-10 makes of a counter and a key.
func Block(counter [4]uint32, key [2]uint32) [4]uint32 {
	c, k := counter, key
	for range 10 {
		p0, p1 := uint64(mul0)*uint64(c[0]), uint64(mul1)*uint64(c[2])
		c = [4]uint32{uint32(p1>>32) ^ c[1] ^ k[0], uint32(p1), uint32(p0>>32) ^ c[3] ^ k[1], uint32(p0)}
		k[0] += weyl0
		k[1] += weyl1
	}
	return c
}

// Key derives a key from a seed and a stream number, so that streams of one
// seed are independent of each other.
func Key(seed uint64, stream uint32) [2]uint32 {
	b := Block([4]uint32{stream, 0x67726166, 0x74, 0}, [2]uint32{uint32(seed), uint32(seed >> 32)})
	return [2]uint32{b[0], b[1]}
}

// Stream numbers of graft's independent uses of one seed.
const (
	Adapter uint32 = iota + 1 // initial values of adapters
	Shuffle                   // order of samples
	Sample                    // choice of tokens in generation
	Dropout                   // first of the dropout sites: site n is Dropout+n
)

// Noise is the stream of the noise on embeddings, beyond all dropout sites.
const Noise uint32 = 1 << 31

// A Source is a sequence of random numbers, a pure function of its key, its
// number and how many were drawn.
type Source struct {
	key   [2]uint32
	id    uint64
	n     uint64
	block [4]uint32
}

// New returns the sequence with the given number in a stream of a seed.
func New(seed uint64, stream uint32, id uint64) *Source {
	return &Source{key: Key(seed, stream), id: id}
}

// Uint32 returns 32 random bits.
func (s *Source) Uint32() uint32 {
	if s.n%4 == 0 {
		b := s.n / 4
		s.block = Block([4]uint32{uint32(b), uint32(b >> 32), uint32(s.id), uint32(s.id >> 32)}, s.key)
	}
	s.n++
	return s.block[(s.n-1)%4]
}

// Float64 returns a number in [0, 1) with 53 random bits.
func (s *Source) Float64() float64 {
	hi, lo := uint64(s.Uint32()), uint64(s.Uint32())
	return float64((hi<<32|lo)>>11) / (1 << 53)
}

// Uniform fills dst with numbers uniform in [-bound, bound).
func (s *Source) Uniform(dst []float32, bound float64) {
	for i := range dst {
		dst[i] = float32((2*s.Float64() - 1) * bound)
	}
}

// Normal fills dst with normal numbers of mean 0 and the given standard
// deviation (Box and Muller 1958).
func (s *Source) Normal(dst []float32, deviation float64) {
	for i := range dst {
		r := math.Sqrt(-2 * math.Log(1-s.Float64()))
		dst[i] = float32(deviation * r * math.Cos(2*math.Pi*s.Float64()))
	}
}

// Intn returns a number in [0, n), n > 0, without bias.
func (s *Source) Intn(n int) int {
	limit := math.MaxUint32 - (math.MaxUint32-uint32(n)+1)%uint32(n)
	for {
		if v := s.Uint32(); v <= limit {
			return int(v % uint32(n))
		}
	}
}

// Perm returns a random order of the numbers 0 to n-1 (Fisher and Yates).
func (s *Source) Perm(n int) []int {
	p := make([]int, n)
	for i := range p {
		j := s.Intn(i + 1)
		p[i], p[j] = p[j], i
	}
	return p
}
