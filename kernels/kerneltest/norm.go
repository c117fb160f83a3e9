package kerneltest

import (
	"fmt"
	"math"

	"github.com/seed-5afa5581/graft/kernels"
)

// normKinds are the kinds of the normalised and the incoming rows.
var normKinds = [][2]kernels.Kind{
	{kernels.Activation, kernels.Float32}, // of the residual stream
	{kernels.Activation, kernels.Activation},
	{kernels.Float32, kernels.Float32},
}

// uneven returns rows of very different sizes: ordinary ones, ones that eps
// outweighs, and zero.
func (b *bench) uneven(rows, cols int) mat {
	x := b.mat(rows, cols)
	for n := range rows {
		for c := range cols {
			x.set(n, c, x.at(n, c)*[]float64{1, 1e-4, 300, 0, 3e-3}[n%5])
		}
	}
	return x
}

// checkRMSNorm: rstd = 1/√(mean(x²)+eps), y = x·rstd·gain.
func checkRMSNorm(b *bench) {
	for _, k := range normKinds {
		for _, eps := range []float32{1e-5, 1e-6} {
			b.each(fmt.Sprintf("RMSNorm eps %g, %s from %s", eps, kindName(k[0]), kindName(k[1])), func(rows, cols int) {
				x, gain := b.in(k[1], b.uneven(rows, cols)), b.in(kernels.Float32, b.mat(1, cols))
				y, rstd := b.out(k[0], rows, cols), b.out(kernels.Float32, rows, 1)
				b.dev.RMSNorm(y.Tensor, rstd.Tensor, x.Tensor, gain.Tensor, eps)
				wantY, wantR := rmsNorm(x.value, gain.value, float64(eps))
				b.near("y", y, wantY, wantY.abs(), sum(cols))
				b.near("rstd", rstd, wantR, wantR, sum(cols))
			})
		}
	}
	x, gain := b.mat(130, 70), b.mat(1, 70)
	b.alone("RMSNorm", 130, func(from, to int) [][]float32 {
		in, y, rstd := b.in(kernels.Float32, x.slice(from, to)), b.out(kernels.Activation, to-from, 70), b.out(kernels.Float32, to-from, 1)
		b.dev.RMSNorm(y.Tensor, rstd.Tensor, in.Tensor, b.in(kernels.Float32, gain).Tensor, 1e-5)
		return [][]float32{b.result(y), b.result(rstd)}
	})
}

// A normGrad is the operands of one RMSNormGrad.
type normGrad struct{ dy, x, rstd, gain *operand }

func (b *bench) normGrad(kind, xKind kernels.Kind, dy, x, gain mat) normGrad {
	g := normGrad{dy: b.in(kind, dy), x: b.in(xKind, x), gain: b.in(kernels.Float32, gain)}
	_, rstd := rmsNorm(g.x.value, g.gain.value, 1e-5)
	g.rstd = b.in(kernels.Float32, rstd)
	return g
}

func (g normGrad) call(dev kernels.Device, dx, dgain kernels.Tensor, folds kernels.Ints, acc bool) {
	dev.RMSNormGrad(dx, dgain, g.dy.Tensor, g.x.Tensor, g.rstd.Tensor, g.gain.Tensor, folds, acc)
}

// checkRMSNormGrad: dx, written or added to, and dgain unless it is none.
func checkRMSNormGrad(b *bench) {
	cases := 0
	for _, k := range normKinds {
		for _, acc := range []bool{false, true} {
			b.each(fmt.Sprintf("RMSNormGrad acc %v, %s and %s", acc, kindName(k[0]), kindName(k[1])), func(rows, cols int) {
				b.rmsNormGrad(k[0], k[1], rows, cols, append(runsOf(rows), nil)[cases%5], acc)
				cases++
			})
		}
	}
	dy, x, gain, start := b.mat(130, 70), b.mat(130, 70), b.mat(1, 70), b.mat(1, 70)
	b.alone("RMSNormGrad", 130, func(from, to int) [][]float32 {
		dx := b.out(kernels.Float32, to-from, 70)
		b.normGrad(kernels.Activation, kernels.Float32, dy.slice(from, to), x.slice(from, to), gain).
			call(b.dev, dx.Tensor, kernels.Tensor{}, kernels.Ints{}, false)
		return [][]float32{b.result(dx)}
	})
	b.folded("RMSNormGrad", 70, func() *operand { return b.inout(kernels.Float32, start) },
		func(dgain *operand, from, to int, runs kernels.Ints) {
			dx := b.out(kernels.Float32, to-from, 70)
			b.normGrad(kernels.Activation, kernels.Float32, dy.slice(from, to), x.slice(from, to), gain).
				call(b.dev, dx.Tensor, dgain.Tensor, runs, false)
			b.result(dx)
		})
}

func (b *bench) rmsNormGrad(kind, xKind kernels.Kind, rows, cols int, runs []int32, acc bool) {
	b.Helper()
	g := b.normGrad(kind, xKind, b.mat(rows, cols), b.uneven(rows, cols), b.mat(1, cols))
	wantX, wantG := rmsNormGrad(g.dy.value, g.x.value, g.rstd.value, g.gain.value)
	sizeX, sizeG := rmsNormGradSize(g.dy.value, g.x.value, g.rstd.value, g.gain.value)
	dx := b.target(xKind, rows, cols, acc)
	if runs == nil {
		g.call(b.dev, dx.Tensor, kernels.Tensor{}, kernels.Ints{}, acc)
	} else {
		dgain := b.inout(kernels.Float32, b.mat(1, cols))
		g.call(b.dev, dx.Tensor, dgain.Tensor, b.ints(runs...), acc)
		b.near("dgain", dgain, wantG.plus(dgain.value), sizeG.plus(dgain.value.abs()), sum(rows+len(runs)))
	}
	b.near("dx", dx, wantX.plus(dx.value), sizeX.plus(dx.value.abs()), sum(cols))
}

// angles returns cosines and sines of random angles for so many positions.
func angles(rnd interface{ Float64() float64 }, positions, rotated int) mat {
	table := zeros(positions, rotated)
	for p := range positions {
		for i := range rotated / 2 {
			sin, cos := math.Sincos(2 * math.Pi * rnd.Float64())
			table.set(p, i, cos)
			table.set(p, rotated/2+i, sin)
		}
	}
	return table
}

// checkRoPE: whole and partial rotations, ahead and back.
func checkRoPE(b *bench) {
	for _, c := range []struct{ heads, width, rotated int }{{1, 2, 2}, {3, 6, 6}, {2, 17, 16}, {3, 20, 8}, {5, 66, 66}, {1, 5, 2}} {
		for _, inverse := range []bool{false, true} {
			for _, rows := range []int{0, 1, 3, 17, 65, 130} {
				b.run(fmt.Sprintf("RoPE %+v inverse %v T=%d", c, inverse, rows), func() {
					x, table := b.inout(kernels.Activation, b.mat(rows, c.heads*c.width)), b.in(kernels.Float32, angles(b.rnd, 40, c.rotated))
					positions := b.below(rows, 40)
					b.dev.RoPE(x.Tensor, table.Tensor, positions, c.heads, inverse)
					want := rope(x.value, table.value, positions.Host, c.heads, inverse)
					b.near("x", x, want, ropeSize(x.value, table.value, positions.Host, c.heads), sum(2))
				})
			}
		}
	}
	x, table, positions := b.mat(130, 24), angles(b.rnd, 40, 6), b.rnd.Perm(130)
	b.alone("RoPE", 130, func(from, to int) [][]float32 {
		at := make([]int32, to-from)
		for i := range at {
			at[i] = int32(positions[from+i] % 40)
		}
		y := b.inout(kernels.Activation, x.slice(from, to))
		b.dev.RoPE(y.Tensor, b.in(kernels.Float32, table).Tensor, b.ints(at...), 3, false)
		return [][]float32{b.result(y)}
	})
}
