//go:build cuda

package cuda

import (
	"slices"

	"github.com/seed-5afa5581/graft/kernels/cuda/driver"
)

const (
	// fewest is how many launches are worth a graph; together is how many go into one:
	// the GPU works on them while the next are asked for.
	fewest, together = 4, 64
	// remembered is how many sequences of launches are remembered, prepared how many
	// graphs are kept; when there are more, all are forgotten.
	remembered, prepared = 1 << 14, 1 << 10
)

// graphs are the sequences of launches that were asked for before. One that comes
// again becomes a graph of the driver, which starts in the time of a few
// launches. Of a graph's launches only those arguments may differ that are known
// to change from step to step.
type graphs struct {
	seen map[uint64]*graph
	made int
	off  bool // the driver cannot make them
	runs int
}

// A graph is a sequence that was seen once, or launches that the driver has
// prepared.
type graph struct {
	launches []launch // as they are prepared
	driver   *driver.Graph
}

// run starts launches by a graph, and tells whether it did; one that came once
// before is made now.
func (gs *graphs) run(d *Device, launches []launch) (bool, error) {
	if len(launches) < fewest || gs.off {
		return false, nil
	}
	key := hash(launches)
	g := gs.seen[key]
	if g == nil {
		if len(gs.seen) == remembered {
			gs.forget(d)
		}
		if gs.seen == nil {
			gs.seen = map[uint64]*graph{}
		}
		gs.seen[key] = &graph{}
		return false, nil
	}
	if g.driver == nil && !gs.make(d, g, launches) {
		return false, nil
	}
	if !slices.EqualFunc(g.launches, launches, sameButChanging) {
		return false, nil
	}
	if err := g.update(d, launches); err != nil {
		return false, err
	}
	for i := range launches {
		d.faults.launched(launches[i].kernel.name)
	}
	gs.runs++
	return true, g.driver.Run(d.stream)
}

// make prepares g for launches. Where the driver cannot, they are started one by
// one from then on.
func (gs *graphs) make(d *Device, g *graph, launches []launch) bool {
	if gs.made == prepared {
		gs.forget(d)
		return false
	}
	nodes := make([]driver.Launch, len(launches))
	for i := range launches {
		nodes[i] = d.node(&launches[i])
	}
	made, err := driver.NewGraph(nodes)
	if err != nil {
		gs.off = true
		return false
	}
	g.launches, g.driver = slices.Clone(launches), made
	gs.made++
	return true
}

// update gives the graph the arguments that have changed.
func (g *graph) update(d *Device, launches []launch) error {
	for i := range launches {
		if g.launches[i] == launches[i] {
			continue
		}
		if err := g.driver.Set(i, d.node(&launches[i])); err != nil {
			return err
		}
		g.launches[i] = launches[i]
	}
	return nil
}

// forget gives all graphs back once none is at work.
func (gs *graphs) forget(d *Device) {
	_ = d.stream.Synchronize() // what comes next has the error
	for _, g := range gs.seen {
		if g.driver != nil {
			_ = g.driver.Close()
		}
	}
	gs.seen, gs.made = nil, 0
}

// node returns a launch for the driver.
func (d *Device) node(l *launch) driver.Launch {
	return driver.Launch{
		Function: d.functions[l.kernel], Grid: [3]int{l.grid.x, l.grid.y, l.grid.z}, Threads: l.kernel.threads, Shared: l.kernel.shared,
		Values: l.values[:l.n],
	}
}

// sameButChanging tells whether two launches differ in nothing, or in arguments
// that change.
func sameButChanging(a, b launch) bool {
	if a.kernel != b.kernel || a.grid != b.grid || a.n != b.n || a.changing != b.changing {
		return false
	}
	for i := range a.n {
		if a.values[i] != b.values[i] && a.changing>>i&1 == 0 {
			return false
		}
	}
	return true
}

// hash returns the same number for launches that differ in nothing but arguments
// that change.
func hash(launches []launch) uint64 {
	h := uint64(len(launches))
	mix := func(v uint64) { h = (h ^ v) * 0x9e3779b97f4a7c15; h ^= h >> 29 }
	for i := range launches {
		l := &launches[i]
		mix(l.kernel.id)
		mix(uint64(l.grid.x)<<32 ^ uint64(l.grid.y)<<16 ^ uint64(l.grid.z))
		for j := range l.n {
			if l.changing>>j&1 == 0 {
				mix(l.values[j])
			}
		}
	}
	return h
}
