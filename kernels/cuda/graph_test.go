//go:build cuda

package cuda

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
)

// A stepper asks for the same few operations again and again, of which dropout's
// step and the optimiser's numbers change.
type stepper struct {
	d                *Device
	x, w, m, v, g, s kernels.Tensor
	places           kernels.Ints
}

func newStepper(t *testing.T, c Config) *stepper {
	t.Helper()
	d := open(t, c)
	f32 := func(id uint64) kernels.Tensor {
		return placed(t, d, kernels.Float32, 6, 40, 0, uniform(240, id))
	}
	s := &stepper{d: d, x: f32(1), w: f32(2), m: f32(3), v: f32(4), g: f32(5), places: ints(t, d, 0, 1, 2, 3, 4, 5)}
	s.s = placed(t, d, kernels.Float32, 1, 1, 0, []float32{0})
	d.Fill(s.v, 0.5)
	return s
}

// step returns the weights after a step with so many rows.
func (s *stepper) step(step, rows int) []float32 {
	places := s.places.Slice(0, rows)
	p := kernels.Dropout{Rate: 0.5, Seed: 3, Step: uint32(step), Samples: places, Positions: places}
	x, g := s.x.Slice(0, rows), s.g.Slice(0, rows)
	s.d.Fill(g, float32(step))
	s.d.Dropout(g, x, p, true)
	s.d.Dropout(g, x, p, true)
	s.d.SumSquares(s.s, g)
	s.d.AdamW(s.w, s.m, s.v, s.g, kernels.AdamW{LR: 0.1 / float64(step), Beta1: 0.9, Beta2: 0.99, Eps: 1e-6, Step: step, GradScale: 1 / float64(rows)})
	return contents(s.d, s.w)
}

// What graphs start is what single launches start: with arguments that change,
// and with other shapes between.
func TestGraphsAgree(t *testing.T) {
	graphs, single := newStepper(t, Config{}), newStepper(t, Config{Blocking: true})
	var last []float32
	for i, rows := range []int{6, 6, 6, 6, 4, 6, 4, 4, 6, 6} {
		got, want := graphs.step(i+1, rows), single.step(i+1, rows)
		if !same(got, want) {
			t.Errorf("step %d, %d rows: other bits", i+1, rows)
		}
		if same(got, last) {
			t.Errorf("step %d changes nothing", i+1)
		}
		last = got
	}
	if n := graphs.d.GraphRuns(); n != 7 {
		t.Errorf("%d of ten steps by a graph: want all but the first with 6 rows, and the first with 4", n)
	}
	if n := single.d.GraphRuns(); n != 0 {
		t.Errorf("%d graphs of a device that waits for each kernel", n)
	}
}

// More sequences than are remembered, or than the driver makes graphs of, are
// forgotten, and what comes after is as before.
func TestGraphsAreForgotten(t *testing.T) {
	d := open(t, Config{})
	x := placed(t, d, kernels.Float32, 1, 8, 0, make([]float32, 8))
	round := func(n int) {
		for range n {
			d.Fill(x, 1)
		}
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		round(fewest)
	}
	if n := d.GraphRuns(); n != 2 {
		t.Fatalf("%d of three rounds by a graph, want two", n)
	}
	_ = d.thread.call(func() error {
		d.graphs.forget(d)
		d.graphs.made = prepared
		return nil
	})
	for range 2 {
		round(fewest)
	}
	_ = d.thread.call(func() error {
		if d.graphs.made != 0 || len(d.graphs.seen) != 0 {
			t.Errorf("%d graphs, %d sequences: they were to be forgotten", d.graphs.made, len(d.graphs.seen))
		}
		return nil
	})
	round(fewest - 1) // too short
	if n := d.GraphRuns(); n != 2 {
		t.Errorf("%d rounds by a graph, want two as before", n)
	}
}

func TestSameButChanging(t *testing.T) {
	a := launch{kernel: fill, grid: grid{1, 2, 3}}
	a.ints(7, 8)
	a.changes(1)
	a.ints(9)
	other := func(change func(l *launch)) launch {
		l := a
		change(&l)
		return l
	}
	for name, c := range map[string]struct {
		l    launch
		want bool
	}{
		"itself":                   {a, true},
		"an argument that changes": {other(func(l *launch) { l.values[1]++ }), true},
		"one before it":            {other(func(l *launch) { l.values[0]++ }), false},
		"one behind it":            {other(func(l *launch) { l.values[2]++ }), false},
		"a kernel":                 {other(func(l *launch) { l.kernel = copyKinds }), false},
		"a grid":                   {other(func(l *launch) { l.grid.y++ }), false},
		"more arguments":           {other(func(l *launch) { l.ints(1) }), false},
		"what changes":             {other(func(l *launch) { l.changing = 0 }), false},
	} {
		if got := sameButChanging(a, c.l); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if got := hash([]launch{a}) == hash([]launch{c.l}); got != c.want {
			t.Errorf("%s: the same number is %v", name, got)
		}
	}
	if hash([]launch{a, a}) == hash([]launch{a}) {
		t.Error("two launches have the number of one")
	}
}

// brokenGraph lets a graph write outside its memory.
func brokenGraph() {
	d, err := Open(Config{})
	if err != nil {
		fmt.Println("Open:", err)
		return
	}
	mem, err := d.Alloc(kernels.Float32, 3000)
	fmt.Println("Alloc:", err)
	x := kernels.Tensor{Rows: 1, Cols: 3000, Kind: kernels.Float32, Mem: mem}
	for i := range 3 {
		for range fewest {
			d.Fill(x, 1)
		}
		fmt.Printf("Sync %d: %v\n", i, d.Sync())
		_ = d.thread.call(func() error {
			for _, g := range d.graphs.seen {
				if g.driver != nil {
					l := g.launches[0]
					l.values[2] = 3008 // the length
					return g.driver.Set(0, d.node(&l))
				}
			}
			return nil
		})
	}
	fmt.Println("Close:", d.Close())
}

// A fault inside a graph is returned by Sync, and names the kernels.
func TestFaultsOfGraphsSurface(t *testing.T) {
	needsEmulator(t)
	if !strings.Contains(open(t, Config{}).Info().Detail, "checked") {
		t.Skip("needs an emulator that checks every access")
	}
	fault := "cuda: a graph of kernels: an illegal memory access was encountered (CUDA_ERROR_ILLEGAL_ADDRESS) (the last kernels were fill; add blocking to the device's name to know which)\n"
	wants(t, child(t, "broken graph"), "Sync 1: <nil>\n", "emulator: fill: write outside memory", "Sync 2: "+fault, "Close: "+fault)
}
