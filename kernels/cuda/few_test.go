//go:build cuda

package cuda

import (
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
)

// at returns a tensor at an address.
func at(address uint64, rows, cols int, kind kernels.Kind) kernels.Tensor {
	return kernels.Tensor{Rows: rows, Cols: cols, Kind: kind, Mem: &memory{address: address}}
}

func TestJoin(t *testing.T) {
	type operands struct {
		y, x   kernels.Tensor
		format kernels.Format
		alpha  float32
		acc    bool
	}
	base := operands{y: at(1<<20, 2, 32, kernels.Activation), x: at(4096, 2, 64, kernels.Activation), format: kernels.BF16, alpha: 1}
	asked := func(p operands) launch {
		w := kernels.Matrix{Rows: p.y.Cols, Cols: p.x.Cols, Format: p.format, Mem: &memory{address: 1 << 24}}
		l := launch{kernel: matMul.eight.family[p.format], grid: grid{blocks(p.y.Cols, matMul.eight.columns), 1, 1}}
		l.few(p.y, p.x, w, p.alpha, p.acc)
		return l
	}
	for name, c := range map[string]struct {
		change func(p *operands)
		want   bool
	}{
		"another result":             {func(p *operands) {}, true},
		"one right behind the first": {func(p *operands) { p.y = at(1<<20+2*2*32, 2, 32, kernels.Activation) }, true},
		"the same result":            {func(p *operands) { p.y = base.y }, false},
		"one that overlaps":          {func(p *operands) { p.y = at(1<<20+2*2*32-2, 2, 32, kernels.Activation) }, false},
		"other rows":                 {func(p *operands) { p.x = at(8192, 2, 64, kernels.Activation) }, false},
		"more rows":                  {func(p *operands) { p.y.Rows, p.x.Rows = 3, 3 }, false},
		"more features":              {func(p *operands) { p.x.Cols = 128 }, false},
		"another format":             {func(p *operands) { p.format = kernels.Int8 }, false},
		"another factor":             {func(p *operands) { p.alpha = 2 }, false},
		"added":                      {func(p *operands) { p.acc = true }, false},
		"another kind":               {func(p *operands) { p.y = at(1<<21, 2, 32, kernels.Float32) }, false},
	} {
		next := base
		next.y = at(1<<21, 2, 48, kernels.Activation)
		c.change(&next)
		l, n := asked(base), asked(next)
		if got := l.join(&n); got != c.want {
			t.Errorf("%s: joined is %v", name, got)
		} else if got && (l.grid.x != 2+n.grid.x || len(l.parts()) != 2) {
			t.Errorf("%s: %d blocks for %d products", name, l.grid.x, len(l.parts()))
		}
	}
}

// Products of the same rows that follow each other are one launch, of up to three,
// with the bits of single ones.
func TestJoinedProductsAgree(t *testing.T) {
	const rows, in = 5, 192
	outs := []int{40, 8, 24, 64}
	d, single := open(t, Config{}), open(t, Config{Blocking: true})
	for _, kind := range []kernels.Kind{kernels.Activation, kernels.Float32} {
		for name, w := range weights(t, d, 64, in) {
			ws := weights(t, single, 64, in)[name]
			x := placed(t, d, kernels.Activation, rows, in, 0, uniform(rows*in, 1))
			xs := placed(t, single, kernels.Activation, rows, in, 0, uniform(rows*in, 1))
			var got, want []kernels.Tensor
			for _, out := range outs {
				got = append(got, placed(t, d, kind, rows, out, 0, make([]float32, rows*out)))
				want = append(want, placed(t, single, kind, rows, out, 0, make([]float32, rows*out)))
			}
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			count := d.launches()
			for i, out := range outs {
				w.Rows, ws.Rows = out, out
				d.MatMul(got[i], x, w, 0.5, false)
				single.MatMul(want[i], xs, ws, 0.5, false)
			}
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			if n := d.launches() - count; n != 2 {
				t.Errorf("%s: %d launches for four products, want two", name, n)
			}
			for i := range outs {
				if !same(contents(d, got[i]), contents(single, want[i])) {
					t.Errorf("%s, kind %d: product %d has other bits", name, kind, i)
				}
			}
		}
	}
	if err := single.Sync(); err != nil {
		t.Fatal(err)
	}
}

// launches returns how many kernels the device has started.
func (d *Device) launches() int {
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	return d.faults.count
}
