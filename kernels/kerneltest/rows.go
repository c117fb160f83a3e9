package kerneltest

import (
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
)

// checkAddBias: y[t] += b.
func checkAddBias(b *bench) {
	b.eachKind("AddBias", func(kind kernels.Kind, rows, cols int) {
		y, bias := b.inout(kind, b.mat(rows, cols)), b.in(kernels.Float32, b.mat(1, cols))
		b.dev.AddBias(y.Tensor, bias.Tensor)
		b.near("y", y, addBias(y.value, bias.value), addBias(y.value.abs(), bias.value.abs()), sum(1))
	})
}

// checkAddBiasGrad: db += Σ dy[t], run by run.
func checkAddBiasGrad(b *bench) {
	b.eachKind("AddBiasGrad", func(kind kernels.Kind, rows, cols int) {
		for _, runs := range runsOf(rows) {
			db, dy := b.inout(kernels.Float32, b.mat(1, cols)), b.in(kind, b.mat(rows, cols))
			b.dev.AddBiasGrad(db.Tensor, dy.Tensor, b.ints(runs...))
			b.near("db", db, addBiasGrad(dy.value).plus(db.value), addBiasGrad(dy.value.abs()).plus(db.value.abs()), sum(rows+len(runs)))
		}
	})
	dy, start := b.mat(70, 33), b.mat(1, 33)
	b.folded("AddBiasGrad", 70, func() *operand { return b.inout(kernels.Float32, start) },
		func(db *operand, from, to int, runs kernels.Ints) {
			b.dev.AddBiasGrad(db.Tensor, b.in(kernels.Activation, dy.slice(from, to)).Tensor, runs)
		})
}

// checkEmbed: x[t] = w[ids[t]].
func checkEmbed(b *bench) {
	for i, s := range b.looked() {
		b.each("Embed "+s.name, func(rows, cols int) {
			kind := kinds[(rows+cols/3+i)%2]
			w, stored := b.matrix(s, b.mat(19, cols))
			ids, x := b.below(rows, 19), b.out(kind, rows, cols)
			b.dev.Embed(x.Tensor, w, ids)
			want := stored.take(ids.Host)
			b.near("x", x, want, want.abs(), bound{})
		})
	}
}

// checkEmbedGrad: dw[ids[t]] += dx[t], in token order and so to the bit.
func checkEmbedGrad(b *bench) {
	b.eachKind("EmbedGrad", func(kind kernels.Kind, rows, cols int) {
		dx, ids := b.in(kind, b.mat(rows, cols)), b.below(rows, 19)
		dw := b.inout(kernels.Float32, b.mat(19, cols))
		b.dev.EmbedGrad(dw.Tensor, dx.Tensor, ids)
		want := float32s(dw.value)
		for t, id := range ids.Host {
			for c := range cols {
				want[int(id)*cols+c] += float32(dx.value.at(t, c))
			}
		}
		b.exact("dw", dw, want)
	})
}

// checkTakeRows: dst[i] = src[rows[i]].
func checkTakeRows(b *bench) {
	b.eachKind("TakeRows", func(kind kernels.Kind, rows, cols int) {
		src, which, dst := b.in(kind, b.mat(23, cols)), b.below(rows, 23), b.out(kind, rows, cols)
		b.dev.TakeRows(dst.Tensor, src.Tensor, which)
		b.exact("dst", dst, float32s(src.value.take(which.Host)))
	})
}

// checkPutRows: dst[rows[i]] = src[i]; the other rows stay.
func checkPutRows(b *bench) {
	b.eachKind("PutRows", func(kind kernels.Kind, rows, cols int) {
		which := b.rnd.Perm(rows + 5)[:rows]
		order := make([]int32, rows)
		for i, r := range which {
			order[i] = int32(r)
		}
		src, dst := b.in(kind, b.mat(rows, cols)), b.inout(kind, b.mat(rows+5, cols))
		b.dev.PutRows(dst.Tensor, src.Tensor, b.ints(order...))
		for i, r := range which {
			copy(dst.value.row(r), src.value.row(i))
		}
		b.exact("dst", dst, float32s(dst.value))
	})
}

// checkCopy: dst = src, converting between kinds.
func checkCopy(b *bench) {
	for _, from := range kinds {
		b.eachKind("Copy from "+kindName(from)+" to", func(kind kernels.Kind, rows, cols int) {
			src, dst := b.in(from, b.mat(rows, cols)), b.out(kind, rows, cols)
			b.dev.Copy(dst.Tensor, src.Tensor)
			if kind == from || kind == kernels.Float32 {
				b.exact("dst", dst, float32s(src.value))
			} else {
				b.near("dst", dst, src.value, src.value, bound{})
			}
		})
	}
}

// checkFill: every element is set.
func checkFill(b *bench) {
	b.eachKind("Fill", func(kind kernels.Kind, rows, cols int) {
		for _, v := range []float32{0, -1.5} {
			dst, want := b.out(kind, rows, cols), make([]float32, rows*cols)
			for i := range want {
				want[i] = v
			}
			b.dev.Fill(dst.Tensor, v)
			b.exact("dst", dst, want)
		}
	})
}

// checkExpand: the rows of w from row on, to the bit: for the 16-bit formats
// over every number that they have.
func checkExpand(b *bench) {
	for _, s := range b.looked() {
		b.each("Expand "+s.name, func(rows, cols int) {
			skipped := rows % 3
			w, stored := b.matrix(s, b.mat(skipped+rows+1, cols))
			dst := b.out(kernels.Float32, rows, cols)
			b.dev.Expand(dst.Tensor, w, skipped)
			b.exact("dst", dst, float32s(stored.slice(skipped, skipped+rows)))
		})
		if !s.tensor && s.encode != nil && s.format.Bytes(1) == 2 {
			b.run("Expand every "+s.name, func() { b.expandAll(s) })
		}
	}
}

func (b *bench) expandAll(s storage) {
	b.Helper()
	data := make([]byte, 2<<16)
	for i := range 1 << 16 {
		data[2*i], data[2*i+1] = byte(i), byte(i>>8)
	}
	w, err := b.dev.NewMatrix(kernels.Weights{Rows: 256, Cols: 256, Format: s.format, Data: data})
	if err != nil {
		b.fail("NewMatrix: %v", err)
		return
	}
	b.mems = append(b.mems, w.Mem)
	dst := b.out(kernels.Float32, 256, 256)
	b.dev.Expand(dst.Tensor, w, 0)
	b.exact("dst", dst, float32s(mat{256, 256, s.decode(data)}))
}

// checkDropout: exactly the elements that the definition names are zero.
func checkDropout(b *bench) {
	for i, acc := range []bool{false, true} {
		b.eachKind(fmt.Sprintf("Dropout acc %v", acc), func(kind kernels.Kind, rows, cols int) {
			b.dropout(kind, kernels.Dropout{Rate: 0.3, Seed: 1<<40 + 7, Step: uint32(i), Site: uint32(3 * i)}, rows, cols, acc)
		})
	}
	for _, rate := range []float32{0, 0.05, 0.9} {
		b.run(fmt.Sprintf("Dropout rate %g", rate), func() {
			b.dropout(kernels.Activation, kernels.Dropout{Rate: rate, Step: 1 << 31, Site: 1000}, 65, 130, false)
		})
	}
	src, samples, positions := b.mat(130, 33), make([]int32, 130), make([]int32, 130)
	for i := range samples {
		samples[i], positions[i] = int32(i/40), int32(i%40)
	}
	b.alone("Dropout", 130, func(from, to int) [][]float32 {
		dst, in := b.out(kernels.Activation, to-from, 33), b.in(kernels.Activation, src.slice(from, to))
		b.dev.Dropout(dst.Tensor, in.Tensor, kernels.Dropout{Rate: 0.5, Samples: b.ints(samples[from:to]...), Positions: b.ints(positions[from:to]...)}, false)
		return [][]float32{b.result(dst)}
	})
}

func (b *bench) dropout(kind kernels.Kind, p kernels.Dropout, rows, cols int, acc bool) {
	b.Helper()
	p.Samples, p.Positions = b.below(rows, 1<<30), b.below(rows, 4096)
	src, dst := b.in(kind, b.mat(rows, cols)), b.target(kind, rows, cols, acc)
	b.dev.Dropout(dst.Tensor, src.Tensor, p, acc)
	kept, dropped := dropoutMask(p, cols), 0
	want := dst.value.plus(zeros(rows, cols))
	for i, keep := range kept.v {
		if keep == 0 {
			dropped++
		} else {
			want.v[i] += src.value.v[i] / (1 - float64(p.Rate))
		}
	}
	b.near("dst", dst, want, dst.value.abs().plus(want.abs()), sum(1))
	// Five standard deviations of a binomial share.
	n, rate := float64(rows*cols), float64(p.Rate)
	if off := float64(dropped) - n*rate; n > 1000 && off*off > 25*n*rate*(1-rate) {
		b.fail("%d of %d elements dropped at rate %g", dropped, rows*cols, rate)
	}
}
