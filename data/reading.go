package data

import (
	"iter"
	"runtime"

	"github.com/seed-5afa5581/graft/data/rows"
	"github.com/seed-5afa5581/graft/data/shape"
)

// An Item is a record with what became of it, or a row that gives none.
type Item struct {
	Row    rows.Row
	Path   int // the number of the path that led to it
	Record shape.Record
	Rendering
	Err error // what is wrong with the row; the record may be missing
}

// Read gives the records of files in their order, rendered unless r is nil.
// The error is one of a file that cannot be read further; the next file
// follows it. Rows are rendered by several workers at once.
func (f *Files) Read(r *Renderer) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		p := newPipeline(r)
		defer p.stop()
		go p.feed(f)
		for c := range p.queue {
			for _, item := range <-c.items {
				if !yield(item, nil) {
					return
				}
			}
			if c.err != nil && !yield(Item{}, c.err) {
				return
			}
		}
	}
}

// A pipeline hands rows to workers in chunks and takes the items back in order.
type pipeline struct {
	renderer *Renderer
	work     chan *chunk
	queue    chan *chunk // in the order of the file
	done     chan struct{}
}

// A chunk is rows that one worker takes at once.
type chunk struct {
	file  *File
	rows  []rows.Row
	bytes int
	err   error // of the file, after these rows
	items chan []Item
}

// Chunks are so large that handing them over costs nothing, and so small that
// few are in memory.
const (
	chunkRows  = 256
	chunkBytes = 1 << 18
)

func newPipeline(r *Renderer) *pipeline {
	workers := runtime.GOMAXPROCS(0)
	if r != nil && r.config.Workers > 0 {
		workers = r.config.Workers
	}
	p := &pipeline{renderer: r, work: make(chan *chunk, workers), queue: make(chan *chunk, 2*workers), done: make(chan struct{})}
	for range workers {
		go p.render()
	}
	return p
}

// stop ends all goroutines; those that wait give up.
func (p *pipeline) stop() { close(p.done) }

// feed cuts files into chunks.
func (p *pipeline) feed(f *Files) {
	defer close(p.queue)
	defer close(p.work)
	for i := range f.List {
		if !p.feedFile(&f.List[i]) {
			return
		}
	}
}

func (p *pipeline) feedFile(f *File) bool {
	c := newChunk(f)
	for row, err := range f.Rows() {
		if err != nil {
			c.err = err
			break
		}
		c.rows, c.bytes = append(c.rows, row), c.bytes+len(row.JSON)
		if len(c.rows) < chunkRows && c.bytes < chunkBytes {
			continue
		}
		if !p.send(c) {
			return false
		}
		c = newChunk(f)
	}
	return p.send(c)
}

func newChunk(f *File) *chunk { return &chunk{file: f, items: make(chan []Item, 1)} }

// send queues a chunk; it is false once nobody listens.
func (p *pipeline) send(c *chunk) bool {
	for _, to := range []chan *chunk{p.queue, p.work} {
		select {
		case to <- c:
		case <-p.done:
			return false
		}
	}
	return true
}

// render is a worker.
func (p *pipeline) render() {
	for c := range p.work {
		var items []Item
		for _, row := range c.rows {
			items = append(items, p.items(c.file, row)...)
		}
		c.items <- items
	}
}

// items makes the items of a row.
func (p *pipeline) items(f *File, row rows.Row) (items []Item) {
	records, err := f.reader.Read(row)
	if err != nil {
		return []Item{{Row: row, Path: f.Path, Err: err}}
	}
	for _, x := range records {
		item := Item{Row: row, Path: f.Path, Record: x}
		if p.renderer != nil {
			item.Rendering, item.Err = p.renderer.Render(x)
		} else {
			item.Left = x.Left
		}
		items = append(items, item)
	}
	return items
}
