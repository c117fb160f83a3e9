//go:build cuda

package cuda

import "github.com/seed-5afa5581/graft/kernels"

var lookup = entries("embed", rowThreads, 0)

// Embed: x[t] = w[ids[t]].
func (d *Device) Embed(x kernels.Tensor, w kernels.Matrix, ids kernels.Ints) {
	if w.Mem.(*memory).address == 0 {
		d.gather(x, w, func(t int) int { return int(ids.Host[t]) })
		return
	}
	d.look(x, w, ids, 0)
}

// Expand writes the rows of w from row on, dequantised.
func (d *Device) Expand(dst kernels.Tensor, w kernels.Matrix, row int) {
	if w.Mem.(*memory).address == 0 {
		d.gather(dst, w, func(t int) int { return row + t })
		return
	}
	d.look(dst, w, kernels.Ints{}, row)
}

// look writes the rows of ids, or those from row on where there are none.
func (d *Device) look(x kernels.Tensor, w kernels.Matrix, ids kernels.Ints, row int) {
	var l launch
	l.tensors(x)
	l.vectors(ids)
	l.ints(row, x.Rows, x.Cols)
	l.weight(w)
	d.run(lookup[w.Format], across(x.Rows, x.Cols), &l)
}

// gather: x[t] = w[row(t)] of a matrix on the host, as many rows at a time as there
// is scratch memory for.
func (d *Device) gather(x kernels.Tensor, w kernels.Matrix, row func(t int) int) {
	host, size := w.Mem.(*memory).host, w.Format.Bytes(w.Cols)
	bytes, most := GatherScratch(x.Rows, size)
	for at := 0; at < x.Rows; at += most {
		n := min(most, x.Rows-at)
		address := d.borrow(bytes)
		d.attempt("Embed", func() error {
			return d.passThrough(address, n*size, func(piece []byte, from int) {
				for len(piece) > 0 {
					line := host[row(at+from/size)*size:][:size]
					done := copy(piece, line[from%size:])
					piece, from = piece[done:], from+done
				}
			})
		})
		gathered := kernels.Matrix{Rows: n, Cols: w.Cols, Format: w.Format, Mem: &memory{address: address}}
		d.look(x.Slice(at, at+n), gathered, kernels.Ints{}, 0)
		d.giveBack()
	}
}
