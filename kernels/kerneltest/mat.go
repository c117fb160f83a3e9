package kerneltest

import "math"

// A mat is a matrix of the reference.
type mat struct {
	rows, cols int
	v          []float64
}

func zeros(rows, cols int) mat { return mat{rows, cols, make([]float64, rows*cols)} }

func (m mat) at(i, j int) float64     { return m.v[i*m.cols+j] }
func (m mat) add(i, j int, x float64) { m.v[i*m.cols+j] += x }
func (m mat) set(i, j int, x float64) { m.v[i*m.cols+j] = x }

// row returns row i, sharing its elements.
func (m mat) row(i int) []float64 { return m.v[i*m.cols : (i+1)*m.cols] }

// slice returns the rows [from, to), sharing their elements.
func (m mat) slice(from, to int) mat {
	return mat{to - from, m.cols, m.v[from*m.cols : to*m.cols]}
}

// each returns f of every element.
func (m mat) each(f func(float64) float64) mat {
	y := zeros(m.rows, m.cols)
	for i, x := range m.v {
		y.v[i] = f(x)
	}
	return y
}

func (m mat) abs() mat { return m.each(math.Abs) }

func (m mat) scale(by float64) mat { return m.each(func(x float64) float64 { return by * x }) }

// plus returns m + x.
func (m mat) plus(x mat) mat {
	y := zeros(m.rows, m.cols)
	for i := range y.v {
		y.v[i] = m.v[i] + x.v[i]
	}
	return y
}

// take returns the rows of m that are named.
func (m mat) take(rows []int32) mat {
	y := zeros(len(rows), m.cols)
	for i, r := range rows {
		copy(y.row(i), m.row(int(r)))
	}
	return y
}

func dot(a, b []float64) (s float64) {
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// absDot returns the size of what dot adds up.
func absDot(a, b []float64) (s float64) {
	for i := range a {
		s += math.Abs(a[i] * b[i])
	}
	return s
}
