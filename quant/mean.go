package quant

import "math/bits"

const (
	lanes  = 8 // float32s in a vector of PyTorch's sum
	chains = 4 // vectors it adds to in turn
	levels = 4 // of its cascade
)

// mean is PyTorch's float32 mean on one thread, addition by addition.
func mean(x []float32) float32 { return sum(x) / float32(len(x)) }

// sum adds vectors of lanes elements in chains, then the elements that fill no
// vector, then the lanes; a slice shorter than a vector is a vector of its own,
// one element wide.
func sum(x []float32) float32 {
	if len(x) < lanes {
		return sumRows(x, 1)[0]
	}
	whole := len(x) / lanes * lanes
	total := float32(0)
	for _, v := range x[whole:] {
		total += v
	}
	for _, v := range sumRows(x[:whole], lanes) {
		total += v
	}
	return total
}

// sumRows returns the sums of the columns of x, which has rows of width elements.
// Rows go to the chains in turn, those that fill no round to the first chain.
func sumRows(x []float32, width int) []float32 {
	round := chains * width
	whole := len(x) / round * round
	total := cascade(x[:whole], round)
	first := total[:width]
	for at := whole; at < len(x); at += width {
		add(first, x[at:at+width])
	}
	for at := width; at < round; at += width {
		add(first, total[at:at+width])
	}
	return first
}

// cascade returns the sums of the columns of x. A level's sum moves to the next
// level when it has collected 16 rows, or more where x has over 2^20 of them.
func cascade(x []float32, width int) []float32 {
	rows := len(x) / width
	shift := max(4, bits.Len(uint(max(rows-1, 0)))/levels)
	var sums [levels][]float32
	for l := range sums {
		sums[l] = make([]float32, width)
	}
	row := 0
	for row+1<<shift <= rows {
		for range 1 << shift {
			add(sums[0], x[row*width:][:width])
			row++
		}
		for l := 1; l < levels; l++ {
			add(sums[l], sums[l-1])
			clear(sums[l-1])
			if row&((1<<shift-1)<<(l*shift)) != 0 {
				break
			}
		}
	}
	for ; row < rows; row++ {
		add(sums[0], x[row*width:][:width])
	}
	for l := 1; l < levels; l++ {
		add(sums[0], sums[l])
	}
	return sums[0]
}

// add is dst[i] += x[i].
func add(dst, x []float32) {
	for i, v := range x {
		dst[i] += v
	}
}
