package kerneltest

import (
	"fmt"
	"math"

	"github.com/seed-5afa5581/graft/kernels"
)

// A form is a way to call one of the three products.
type form struct {
	storage storage
	y, x    kernels.Kind // of the result, of the rows that come in
	alpha   float32
	acc     bool
}

func (f form) String() string {
	return fmt.Sprintf("%s, %s from %s, alpha %g, acc %v", f.storage.name, kindName(f.y), kindName(f.x), f.alpha, f.acc)
}

func (b *bench) forms() (all []form) {
	for _, s := range b.storages {
		for _, y := range kinds {
			for _, x := range kinds {
				for _, alpha := range []float32{1, -0.375} {
					all = append(all, form{s, y, x, alpha, false}, form{s, y, x, alpha, true})
				}
			}
		}
	}
	return all
}

// eachProduct runs a case for every form at one shape, and for every shape
// (T tokens, in and out features) in forms that take turns.
func (b *bench) eachProduct(name string, test func(tokens, in, out int, f form)) {
	b.Helper()
	all := b.forms()
	one := func(tokens, in, out int, f form) {
		b.run(fmt.Sprintf("%s T=%d in=%d out=%d %v", name, tokens, in, out, f), func() { test(tokens, in, out, f) })
	}
	for _, f := range thin(all) {
		one(5, 33, 18, f)
	}
	some := [][3]int{{0, 17, 3}, {16, 16, 16}, {16, 65, 16}, {130, 70, 300}, {70, 300, 130}, {300, 130, 16}, {2, 2049, 3}}
	for i, tokens := range sizes { // every pair of sizes, twice
		for j, in := range sizes {
			some = append(some, [3]int{tokens, in, sizes[(i+j)%4]}, [3]int{tokens, in, sizes[(i+j+1)%4]})
		}
	}
	for i, s := range thin(some) {
		one(s[0], s[1], s[2], all[i*7%len(all)])
	}
}

// checkMatMul: y = alpha·x·Wᵀ, or y += with acc.
func checkMatMul(b *bench) {
	b.eachProduct("MatMul", func(tokens, in, out int, f form) {
		w, stored := b.matrix(f.storage, b.mat(out, in))
		x, y := b.in(f.x, b.mat(tokens, in)), b.target(f.y, tokens, out, f.acc)
		b.dev.MatMul(y.Tensor, x.Tensor, w, f.alpha, f.acc)
		alpha := float64(f.alpha)
		size := matMul(x.value.abs(), stored.abs(), math.Abs(alpha)).plus(y.value.abs())
		b.near("y", y, matMul(x.value, stored, alpha).plus(y.value), size, product(in))
	})
	for _, s := range b.storages {
		b.rowsOfProduct("MatMul "+s.name, s, 70, 33, b.dev.MatMul)
	}
}

// checkMatMulGradInput: dx = alpha·dy·W, or dx += with acc.
func checkMatMulGradInput(b *bench) {
	b.eachProduct("MatMulGradInput", func(tokens, in, out int, f form) {
		w, stored := b.matrix(f.storage, b.mat(out, in))
		dy, dx := b.in(f.x, b.mat(tokens, out)), b.target(f.y, tokens, in, f.acc)
		b.dev.MatMulGradInput(dx.Tensor, dy.Tensor, w, f.alpha, f.acc)
		alpha := float64(f.alpha)
		size := matMulGradInput(dy.value.abs(), stored.abs(), math.Abs(alpha)).plus(dx.value.abs())
		b.near("dx", dx, matMulGradInput(dy.value, stored, alpha).plus(dx.value), size, product(out))
	})
	for _, s := range b.storages {
		b.rowsOfProduct("MatMulGradInput "+s.name, s, 33, 70, b.dev.MatMulGradInput)
	}
}

// rowsOfProduct checks that the rows of a product, from so many features to so
// many, do not depend on each other.
func (b *bench) rowsOfProduct(name string, s storage, from, to int, product func(y, x kernels.Tensor, w kernels.Matrix, alpha float32, acc bool)) {
	b.Helper()
	x, before := b.mat(130, from), b.mat(130, to)
	values := b.mat(to, from)
	if name == "MatMulGradInput "+s.name {
		values = b.mat(from, to)
	}
	for _, acc := range []bool{false, true} {
		b.alone(name, x.rows, func(from, to int) [][]float32 {
			w, _ := b.matrix(s, values)
			y := b.inout(kernels.Activation, before.slice(from, to))
			product(y.Tensor, b.in(kernels.Activation, x.slice(from, to)).Tensor, w, 0.5, acc)
			return [][]float32{b.result(y)}
		})
	}
}

// checkMatMulGradWeight: dw += alpha·dyᵀ·x, run by run.
func checkMatMulGradWeight(b *bench) {
	cases := 0
	b.eachProduct("MatMulGradWeight", func(tokens, in, out int, f form) {
		runs := runsOf(tokens)[cases%4]
		cases++
		x, dy := b.in(f.x, b.mat(tokens, in)), b.in(f.y, b.mat(tokens, out))
		dw := b.inout(kernels.Float32, b.mat(out, in))
		b.dev.MatMulGradWeight(dw.Tensor, dy.Tensor, x.Tensor, f.alpha, b.ints(runs...))
		alpha := float64(f.alpha)
		size := matMulGradWeight(dy.value.abs(), x.value.abs(), math.Abs(alpha)).plus(dw.value.abs())
		b.near(fmt.Sprintf("dw in %d runs", len(runs)), dw, matMulGradWeight(dy.value, x.value, alpha).plus(dw.value), size, product(tokens+len(runs)))
	})
	x, dy := b.mat(70, 33), b.mat(70, 18)
	start := b.mat(18, 33)
	b.folded("MatMulGradWeight", 70, func() *operand { return b.inout(kernels.Float32, start) },
		func(dw *operand, from, to int, runs kernels.Ints) {
			dyRows, xRows := b.in(kernels.Activation, dy.slice(from, to)), b.in(kernels.Activation, x.slice(from, to))
			b.dev.MatMulGradWeight(dw.Tensor, dyRows.Tensor, xRows.Tensor, 0.5, runs)
		})
}
