package cpu

import "github.com/seed-5afa5581/graft/kernels"

// All three products are dot products of rows, once their operands lie along
// the dimension that is summed: blockRows rows of one operand a task, turned
// and dequantised in scratch memory where needed.

const blockRows = 16

// plain is every operation in plain Go: the specification, and what runs where
// there is no assembly.
type plain struct{ *pool }

// MatMul: y = alpha·x·Wᵀ.
//
//	for t, o: y[t,o] (+)= alpha · Σ_i x[t,i]·w[o,i]
func (d *plain) MatMul(y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	if y.Rows == 0 {
		return
	}
	a, out := data(x), result{data(y), y.Cols, alpha, acc}
	d.do((w.Rows+blockRows-1)/blockRows, each(func(i int) {
		from, to := i*blockRows, min(w.Rows, (i+1)*blockRows)
		lent := d.borrow(blockRows * w.Cols)
		defer d.giveBack(lent)
		scratch := lent.f32
		out.at(0, from).dots(a, rows(scratch, w, from, to), x.Rows, to-from, w.Cols)
	}))
}

// MatMulGradInput: dx = alpha·dy·W.
//
//	for t, i: dx[t,i] (+)= alpha · Σ_o dy[t,o]·w[o,i]
func (d *plain) MatMulGradInput(dx, dy kernels.Tensor, w kernels.Matrix, alpha float32, acc bool) {
	if dx.Rows == 0 {
		return
	}
	a, out := data(dy), result{data(dx), dx.Cols, alpha, acc}
	d.do((w.Cols+blockRows-1)/blockRows, each(func(i int) {
		from, to := i*blockRows, min(w.Cols, (i+1)*blockRows)
		lent := d.borrow(blockRows*w.Rows + w.Cols)
		defer d.giveBack(lent)
		scratch := lent.f32
		columns(scratch, w, from, to, scratch[blockRows*w.Rows:])
		out.at(0, from).dots(a, scratch, dy.Rows, to-from, w.Rows)
	}))
}

// MatMulGradWeight: dw += alpha·dyᵀ·x, run by run.
//
//	for each run, o, i: dw[o,i] += alpha · Σ_t dy[t,o]·x[t,i]
func (d *plain) MatMulGradWeight(dw, dy, x kernels.Tensor, alpha float32, folds kernels.Ints) {
	g, a, out := data(dy), data(x), result{data(dw), dw.Cols, alpha, true}
	outBlocks := (dw.Rows + blockRows - 1) / blockRows
	inBlocks := (dw.Cols + blockRows - 1) / blockRows
	d.do(outBlocks*inBlocks, each(func(task int) {
		o, i := task/inBlocks*blockRows, task%inBlocks*blockRows
		oEnd, iEnd := min(dw.Rows, o+blockRows), min(dw.Cols, i+blockRows)
		lent := d.borrow(2 * blockRows * x.Rows)
		defer d.giveBack(lent)
		scratch := lent.f32
		left, right := scratch[:blockRows*x.Rows], scratch[blockRows*x.Rows:]
		eachRun(folds, x.Rows, func(from, to int) {
			turn(left, g, dy.Cols, from, to, o, oEnd)
			turn(right, a, x.Cols, from, to, i, iEnd)
			out.at(o, i).dots(left, right, oEnd-o, iEnd-i, to-from)
		})
	}))
}

// eachRun calls do for each run of rows that folds names.
func eachRun(folds kernels.Ints, n int, do func(from, to int)) {
	for i, from := range folds.Host {
		to := n
		if i+1 < folds.Len() {
			to = int(folds.Host[i+1])
		}
		do(int(from), to)
	}
}

// columns writes the columns [from, to) of w as rows; row is room for one row.
func columns(dst []float32, w kernels.Matrix, from, to int, row []float32) {
	for r := range w.Rows {
		row := rows(row, w, r, r+1)
		for c := from; c < to; c++ {
			dst[(c-from)*w.Rows+r] = row[c]
		}
	}
}

// turn writes columns [c0, c1) of the rows [from, to) of x [.., cols] as rows.
func turn(dst, x []float32, cols, from, to, c0, c1 int) {
	n := to - from
	for t := from; t < to; t++ {
		for c := c0; c < c1; c++ {
			dst[(c-c0)*n+t-from] = x[t*cols+c]
		}
	}
}

// A result is where dot products go: c (+)= alpha·dot, rows ld apart.
type result struct {
	c     []float32
	ld    int
	alpha float32
	acc   bool
}

func (r result) at(row, col int) result {
	r.c = r.c[row*r.ld+col:]
	return r
}

func (r result) put(row, col int, dot float32) {
	v := r.alpha * dot
	if p := &r.c[row*r.ld+col]; r.acc {
		*p += v
	} else {
		*p = v
	}
}

// dots computes every dot product of the m rows of a and the n rows of b, k
// long, two by four at a time, each summed in index order.
func (r result) dots(a, b []float32, m, n, k int) {
	for i := 0; i < m; i += 2 {
		for j := 0; j < n; j += 4 {
			if i+2 <= m && j+4 <= n {
				r.tile(a[i*k:(i+2)*k], b[j*k:(j+4)*k], i, j, k)
				continue
			}
			for x := i; x < min(m, i+2); x++ {
				for y := j; y < min(n, j+4); y++ {
					r.put(x, y, dot(a[x*k:(x+1)*k], b[y*k:(y+1)*k]))
				}
			}
		}
	}
}

func dot(a, b []float32) (s float32) {
	b = b[:len(a)]
	for i, v := range a {
		s += float32(v * b[i])
	}
	return s
}

func (r result) tile(a, b []float32, i, j, k int) {
	a0, a1 := a[:k], a[k:][:k]
	b0, b1, b2, b3 := b[:k], b[k:][:k], b[2*k:][:k], b[3*k:][:k]
	var s00, s01, s02, s03, s10, s11, s12, s13 float32
	for p := range a0 {
		x, y := a0[p], a1[p]
		s00 += float32(x * b0[p])
		s01 += float32(x * b1[p])
		s02 += float32(x * b2[p])
		s03 += float32(x * b3[p])
		s10 += float32(y * b0[p])
		s11 += float32(y * b1[p])
		s12 += float32(y * b2[p])
		s13 += float32(y * b3[p])
	}
	r.put(i, j, s00)
	r.put(i, j+1, s01)
	r.put(i, j+2, s02)
	r.put(i, j+3, s03)
	r.put(i+1, j, s10)
	r.put(i+1, j+1, s11)
	r.put(i+1, j+2, s12)
	r.put(i+1, j+3, s13)
}
