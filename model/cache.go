package model

import "github.com/seed-5afa5581/graft/kernels"

// A cache holds the keys and values of one sequence's tokens so far.
type cache struct {
	k, v   []kernels.Tensor // of each block, [capacity, KVHeads·D]
	length int
}

func newCache(m *Model, capacity int) (*cache, error) {
	c := &cache{}
	for range m.Blocks {
		for _, list := range []*[]kernels.Tensor{&c.k, &c.v} {
			cols := m.Config.KVHeads * m.Config.HeadDim
			mem, err := m.Device.Alloc(kernels.Activation, capacity*cols)
			if err != nil {
				c.free(m.Device)
				return nil, err
			}
			*list = append(*list, kernels.Tensor{Rows: capacity, Cols: cols, Mem: mem})
		}
	}
	return c, nil
}

func (c *cache) len() int {
	if c == nil {
		return 0
	}
	return c.length
}

// put stores the keys and values of the tokens at hand and returns all so far.
// The tokens' positions are their rows.
func (c *cache) put(p *Pass, layer int, k, v kernels.Tensor) (allK, allV kernels.Tensor) {
	p.dev.PutRows(c.k[layer], k, p.rows.positions)
	p.dev.PutRows(c.v[layer], v, p.rows.positions)
	n := c.length + k.Rows
	return c.k[layer].Slice(0, n), c.v[layer].Slice(0, n)
}

func (c *cache) free(dev kernels.Device) {
	for _, t := range append(c.k, c.v...) {
		dev.Free(t.Mem)
	}
}
