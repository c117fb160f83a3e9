package model

import (
	"math"
	"slices"

	"github.com/seed-5afa5581/graft/internal/random"
	"github.com/seed-5afa5581/graft/kernels"
)

// addNoise adds to the embeddings x [T, C] of sequences of L tokens noise
// uniform in ±Noise/√(L·C) (Jain et al. 2023, algorithm 1). As with dropout an
// element's is a function of step, sample, position and column alone. The
// gradient does not see it.
func (p *Pass) addNoise(x kernels.Tensor) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	p.noise = slices.Grow(p.noise[:0], x.Len())[:x.Len()]
	key, starts := random.Key(p.Seed, random.Noise), p.shape.QStarts.Host
	for s := range len(starts) - 1 {
		from, to := int(starts[s]), int(starts[s+1])
		size := p.Noise / math.Sqrt(float64((to-from)*x.Cols))
		for t := from; t < to; t++ {
			counter := [4]uint32{0, uint32(p.rows.positions.Host[t]), uint32(p.rows.samples.Host[t]), p.Step}
			uniform(p.noise[t*x.Cols:(t+1)*x.Cols], counter, key, size)
		}
	}
	noise := p.Arena.Float32(x.Rows, x.Cols)
	p.dev.Write(noise, p.noise)
	p.dev.Dropout(x, noise, p.Dropout(0, 0), true) // which drops nothing, and adds
}

// uniform fills row with numbers uniform in [-size, size): element c is made of
// word c%4 of the block at counter c/4.
func uniform(row []float32, counter [4]uint32, key [2]uint32, size float64) {
	var bits [4]uint32
	for c := range row {
		if c%4 == 0 {
			counter[0] = uint32(c / 4)
			bits = random.Block(counter, key)
		}
		row[c] = float32(size * (float64(bits[c%4])/(1<<31) - 1))
	}
}
