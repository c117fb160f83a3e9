package cpu

import "github.com/seed-5afa5581/graft/kernels"

// RoPE rotates the pairs (i, i+R/2) of every head of every row.
func (d *plain) RoPE(x, table kernels.Tensor, positions kernels.Ints, heads int, inverse bool) {
	v, angles, half, width := data(x), data(table), table.Cols/2, x.Cols/heads
	d.split(x.Rows, x.Cols, func(from, to int) {
		for t := from; t < to; t++ {
			row := angles[int(positions.Host[t])*table.Cols:][:table.Cols]
			for h := range heads {
				rotate(v[t*x.Cols+h*width:][:2*half], row[:half], row[half:], inverse)
			}
		}
	})
}

func rotate(v, cos, sin []float32, inverse bool) {
	half := len(cos)
	for i, c := range cos {
		s := sin[i]
		if inverse {
			s = -s
		}
		a, b := v[i], v[i+half]
		v[i] = float32(a*c) - float32(b*s)
		v[i+half] = float32(b*c) + float32(a*s)
	}
}
