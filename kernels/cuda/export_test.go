//go:build cuda

package cuda

import "gorgonia.org/cu"

// Used returns the bytes of the GPU's memory that are in use.
func (d *Device) Used() (bytes int64, err error) {
	err = d.thread.call(func() error {
		free, total, err := cu.MemInfo()
		bytes = total - free
		return err
	})
	return bytes, err
}

// Warpgroups tells whether products of many rows are done by warpgroups.
func (d *Device) Warpgroups() bool { return d.warpgroups }

// GraphRuns returns how often launches were started by a graph.
func (d *Device) GraphRuns() (n int) {
	_ = d.thread.call(func() error {
		n = d.graphs.runs
		return nil
	})
	return n
}
