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
	return Map(f, r, func(i Item) Item { return i })
}

// Map is Read with what do makes of each item, which the workers do too.
func Map[T any](f *Files, r *Renderer, do func(Item) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		p := newPipeline(r, do)
		defer p.stop()
		go p.feed(f)
		for c := range p.queue {
			for _, out := range <-c.out {
				if !yield(out, nil) {
					return
				}
			}
			var none T
			if c.err != nil && !yield(none, c.err) {
				return
			}
		}
	}
}

// A pipeline hands rows to workers in chunks and takes the items back in order.
type pipeline[T any] struct {
	renderer *Renderer
	do       func(Item) T
	work     chan *chunk[T]
	queue    chan *chunk[T] // in the order of the file
	done     chan struct{}
}

// A chunk is rows that one worker takes at once.
type chunk[T any] struct {
	file  *File
	rows  []rows.Row
	bytes int
	err   error // of the file, after these rows
	out   chan []T
}

// Chunks are so large that handing them over costs nothing, and so small that
// few are in memory.
const (
	chunkRows  = 256
	chunkBytes = 1 << 18
)

func newPipeline[T any](r *Renderer, do func(Item) T) *pipeline[T] {
	workers := runtime.GOMAXPROCS(0)
	if r != nil && r.config.Workers > 0 {
		workers = r.config.Workers
	}
	p := &pipeline[T]{renderer: r, do: do, done: make(chan struct{}),
		work: make(chan *chunk[T], workers), queue: make(chan *chunk[T], 2*workers)}
	for range workers {
		go p.render()
	}
	return p
}

// stop ends all goroutines; those that wait give up.
func (p *pipeline[T]) stop() { close(p.done) }

// feed cuts files into chunks.
func (p *pipeline[T]) feed(f *Files) {
	defer close(p.queue)
	defer close(p.work)
	for i := range f.List {
		if !p.feedFile(&f.List[i]) {
			return
		}
	}
}

func (p *pipeline[T]) feedFile(f *File) bool {
	c := newChunk[T](f)
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
		c = newChunk[T](f)
	}
	return p.send(c)
}

func newChunk[T any](f *File) *chunk[T] { return &chunk[T]{file: f, out: make(chan []T, 1)} }

// send queues a chunk; it is false once nobody listens.
func (p *pipeline[T]) send(c *chunk[T]) bool {
	for _, to := range []chan *chunk[T]{p.queue, p.work} {
		select {
		case to <- c:
		case <-p.done:
			return false
		}
	}
	return true
}

// render is a worker.
func (p *pipeline[T]) render() {
	for c := range p.work {
		var out []T
		for _, row := range c.rows {
			for _, item := range items(c.file, row, p.renderer) {
				out = append(out, p.do(item))
			}
		}
		c.out <- out
	}
}

// items makes the items of a row.
func items(f *File, row rows.Row, r *Renderer) (items []Item) {
	records, err := f.reader.Read(row)
	if err != nil {
		return []Item{{Row: row, Path: f.of, Err: err}}
	}
	for _, x := range records {
		item := Item{Row: row, Path: f.of, Record: x}
		if r != nil {
			item.Rendering, item.Err = r.Render(x)
		} else {
			item.Left = x.Left
		}
		items = append(items, item)
	}
	return items
}
