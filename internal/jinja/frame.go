package jinja

import (
	"strings"
	"time"
)

// A frame holds variables while a template runs.
type frame struct {
	vars     []Value // absent where there is none
	parent   *frame
	run      *run
	out      *strings.Builder
	captured string // what a filter or set block has written
}

// A run is one rendering.
type run struct {
	context map[string]Value
	now     func() time.Time
	out     strings.Builder
	marks   []mark
	depth   int
}

// A mark is what a generation block has written, and where the rendering had come to before it.
type mark struct {
	start int
	text  string
}

// maxDepth limits how deeply calls and statements may nest.
const maxDepth = 200

func (r *run) enter() {
	if r.depth++; r.depth > maxDepth {
		throw("macros or loops call themselves more than %d levels deep", maxDepth)
	}
}

func (r *run) leave() { r.depth-- }

// resolve returns a variable of the context or a function that all templates have; absent if there is none.
func (r *run) resolve(name string) Value {
	if v, ok := r.context[name]; ok {
		return v
	}
	if f, ok := globals[name]; ok {
		return f
	}
	return absent{}
}

// inner enters a frame inside f that writes where f writes.
func (f *frame) inner(s *scope) *frame {
	in := &frame{vars: make([]Value, len(s.slots.numbers)), parent: f, run: f.run, out: f.out}
	for i := range in.vars {
		in.vars[i] = absent{}
	}
	for slot, l := range s.loads {
		switch l.how {
		case loadContext:
			in.vars[slot] = f.run.resolve(l.name)
		case loadOuter:
			in.vars[slot] = *f.at(l.outer)
		}
	}
	return in
}

// buffered is inner with an output of its own.
func (f *frame) buffered(s *scope) *frame {
	in := f.inner(s)
	in.out = new(strings.Builder)
	return in
}

// at returns the place of a variable.
func (f *frame) at(r ref) *Value {
	for range r.up {
		f = f.parent
	}
	return &f.vars[r.slot]
}

// write writes text.
func (f *frame) write(s string) {
	checkText(f.out.Len() + len(s))
	f.out.WriteString(s)
}

// writeText writes what a filter or call block made, which must be text.
func (f *frame) writeText(v Value) {
	s, ok := text(v)
	if !ok {
		throw("a block must make text, not %s", typeName(v))
	}
	f.write(s)
}

// assign sets the names of a target.
func (f *frame) assign(target expr, v Value) {
	switch t := target.(type) {
	case *variable:
		*f.at(t.at) = v
	case *attributeTarget:
		t.set(f, v)
	case *tupleExpr:
		f.unpack(t.items, v)
	}
}

// unpack sets several targets to the items of v.
func (f *frame) unpack(targets []expr, v Value) {
	next, ok := iterate(v)
	if !ok {
		throw("cannot unpack non-iterable %s object", typeName(v))
	}
	var values []Value
	for item, ok := next(); ok; item, ok = next() {
		if values = append(values, item); len(values) > len(targets) {
			throw("too many values to unpack (expected %d)", len(targets))
		}
	}
	if len(values) < len(targets) {
		throw("not enough values to unpack (expected %d, got %d)", len(targets), len(values))
	}
	for i, t := range targets {
		f.assign(t, values[i])
	}
}
