package oracle

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A matrix is rows times cols numbers, row-major.
type matrix struct {
	rows, cols int
	v          []float64
}

// fill makes a matrix of what value returns.
func fill(rows, cols int, value func(i, j int) float64) matrix {
	m := matrix{rows, cols, make([]float64, rows*cols)}
	for i := range m.v {
		m.v[i] = value(i/cols, i%cols)
	}
	return m
}

func (m matrix) at(i, j int) float64 { return m.v[i*m.cols+j] }

func (m matrix) transpose() matrix {
	return fill(m.cols, m.rows, func(i, j int) float64 { return m.at(j, i) })
}

// A graph builds expressions of matrices. It keeps to products, elementwise
// operations and one transpose, whose gradients are beyond doubt: rows are
// summed by a product with ones, columns are picked by one with zeros and ones.
type graph struct {
	*G.ExprGraph
	inputs int
}

// input returns a node of known value. Inputs have names of their own, so that
// gorgonia does not take two of one shape for the same.
func (g *graph) input(m matrix) *G.Node {
	g.inputs++
	value := tensor.New(tensor.WithShape(m.rows, m.cols), tensor.WithBacking(m.v))
	return G.NewMatrix(g.ExprGraph, G.Float64, G.WithName(fmt.Sprintf("input%d", g.inputs)), G.WithShape(m.rows, m.cols), G.WithValue(value))
}

// constant returns an input of which every element is x.
func (g *graph) constant(rows, cols int, x float64) *G.Node {
	return g.input(fill(rows, cols, func(i, j int) float64 { return x }))
}

func product(a, b *G.Node) *G.Node  { return G.Must(G.Mul(a, b)) }
func hadamard(a, b *G.Node) *G.Node { return G.Must(G.HadamardProd(a, b)) }
func quotient(a, b *G.Node) *G.Node { return G.Must(G.HadamardDiv(a, b)) }
func sum(a, b *G.Node) *G.Node      { return G.Must(G.Add(a, b)) }
func exp(a *G.Node) *G.Node         { return G.Must(G.Exp(a)) }

// scaled returns s·a.
func (g *graph) scaled(a *G.Node, s float64) *G.Node {
	return hadamard(a, g.constant(a.Shape()[0], a.Shape()[1], s))
}
