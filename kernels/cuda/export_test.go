//go:build cuda

package cuda

// GraphRuns returns how often launches were started by a graph.
func (d *Device) GraphRuns() (n int) {
	_ = d.thread.call(func() error {
		n = d.graphs.runs
		return nil
	})
	return n
}
