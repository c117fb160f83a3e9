package cpu

import (
	"fmt"
	"testing"
	"unsafe"
)

// vectorFunctions are those of an instruction set on vectors of n elements, and
// how many vectors each reads and writes.
var vectorFunctions = []struct {
	name    string
	vectors int
	run     func(s *simd, n int, v [5]*float32)
}{
	{"expSums", 2, func(s *simd, n int, v [5]*float32) { s.expSums(n, v[0], v[1], v[2], 1) }},
	{"silu", 3, func(s *simd, n int, v [5]*float32) { s.silu(n, v[0], v[1], v[2]) }},
	{"siluGrad", 5, func(s *simd, n int, v [5]*float32) { s.siluGrad(n, v[0], v[1], v[2], v[3], v[4]) }},
	{"largest", 1, func(s *simd, n int, v [5]*float32) { s.largest(n, v[0]) }},
	{"dot", 2, func(s *simd, n int, v [5]*float32) { s.dot(n, v[0], v[1]) }},
	{"dot3", 3, func(s *simd, n int, v [5]*float32) { s.dot3(n, v[0], v[1], v[2]) }},
	{"scale", 2, func(s *simd, n int, v [5]*float32) { s.scale(n, v[0], v[1], 0.5) }},
	{"axpy", 3, func(s *simd, n int, v [5]*float32) { s.axpy(n, v[0], v[1], 1e-6) }},
	{"product", 3, func(s *simd, n int, v [5]*float32) { s.product(n, v[0], v[1], v[2], 0.5) }},
	{"addProduct", 4, func(s *simd, n int, v [5]*float32) { s.addProduct(n, v[0], v[1], v[2], 1e-6) }},
	{"normGrad", 5, func(s *simd, n int, v [5]*float32) { s.normGrad(n, v[0], v[1], v[2], v[3], 1, 0.5, 0) }},
	{"rotate", 6, func(s *simd, n int, v [5]*float32) { s.rotate(n, v[0], v[1], v[4], v[4], 0) }},
	{"adamw", 7, func(s *simd, n int, v [5]*float32) {
		c := [9]float32{1, 0.9, 0.1, 0.99, 0.01, 1, 1e-8, 1e-3, 1}
		s.adamw(n, v[0], v[1], v[2], v[3], &c[0])
	}},
}

// BenchmarkVectors reports GB/s of what the vector functions read and write, in
// the first-level cache and in memory.
func BenchmarkVectors(b *testing.B) {
	for _, s := range instructionSets() {
		for _, f := range vectorFunctions {
			for where, n := range map[string]int{"cache": 1 << 10, "memory": 4 << 20} {
				b.Run(fmt.Sprintf("%s/%s/%s", s.name, f.name, where), func(b *testing.B) {
					in := newInputs(nil, 1)
					var v [5]*float32
					for i := range v {
						v[i] = &data(in.tensor(1, n))[0]
					}
					for i := range n { // cosines that neither grow nor shrink what they turn
						unsafe.Slice(v[4], n)[i] = 1
					}
					for b.Loop() {
						f.run(s, n, v)
					}
					b.ReportMetric(float64(4*f.vectors*n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
				})
			}
		}
	}
}

// BenchmarkPeak reports the GFLOP/s that a core reaches without memory, which
// products can be compared with.
func BenchmarkPeak(b *testing.B) {
	for _, s := range instructionSets() {
		b.Run(s.name, func(b *testing.B) {
			operations := 0
			for b.Loop() {
				operations += 1000 * s.peak(1000)
			}
			b.ReportMetric(float64(operations)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
