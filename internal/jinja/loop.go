package jinja

import "strings"

// forStmt is {% for target in source if test recursive %}...{% else %}...{% endfor %}.
type forStmt struct {
	target, source, test expr // test may be nil
	body, otherwise      []stmt
	recursive            bool
	line                 int

	bodyScope, testScope, elseScope *scope
	testTarget                      expr // target, placed in the test's frame
	loopSlot                        int
}

func (l *forStmt) declare(s *scope) { s.readAll(l.source) }

func (l *forStmt) bind(s *scope) {
	s.bindAll(l.source)
	l.bodyScope = newScope(s)
	l.bodyScope.storeTarget(l.target, true)
	l.loopSlot = l.bodyScope.parameter("loop")
	l.bodyScope.body(l.body)
	l.bodyScope.bindAll(l.target)
	l.elseScope = newScope(s)
	l.elseScope.body(l.otherwise)
	if l.test != nil {
		l.testScope = newScope(s)
		l.testScope.storeTarget(l.testTarget, true)
		l.testScope.readAll(l.test)
		l.testScope.bindAll(l.test, l.testTarget)
	}
}

func (l *forStmt) exec(f *frame) signal {
	defer locate(l.line)
	source := l.source.eval(f)
	if !l.recursive {
		return l.iterate(f, source, 0)
	}
	f.write(l.render(f, source, 0))
	return proceed
}

// render is iterate for a recursive loop; it returns what is written.
func (l *forStmt) render(f *frame, source Value, depth int) string {
	in := &frame{vars: f.vars, parent: f.parent, run: f.run}
	in.out = new(strings.Builder)
	l.iterate(in, source, depth)
	return in.out.String()
}

// iterate runs the body for every item of source that passes the test.
func (l *forStmt) iterate(f *frame, source Value, depth int) signal {
	next := items(source)
	if l.test != nil {
		source = l.filtered(f, &generator{next, "generator"})
		next = items(source)
	}
	state := &loop{source: source, next: next, index0: -1, depth0: depth, stmt: l, frame: f}
	whole := false // the else runs unless the body has once run to its end, as jinja2 has it
	for state.advance() {
		in := f.inner(l.bodyScope)
		in.assign(l.target, state.current)
		in.vars[l.loopSlot] = state
		sig := execAll(in, l.body)
		if sig == breakLoop {
			break
		}
		whole = whole || sig == proceed
	}
	if !whole {
		return execAll(f.inner(l.elseScope), l.otherwise)
	}
	return proceed
}

// filtered is the generator of the items that pass the test.
func (l *forStmt) filtered(f *frame, source Value) Value {
	return selected(source, func(item Value) (Value, bool) {
		in := f.inner(l.testScope)
		in.assign(l.testTarget, item)
		return item, truth(l.test.eval(in))
	})
}

// A loop is the variable loop in the body of a for.
type loop struct {
	source   Value
	next     func() (Value, bool)
	index0   int
	depth0   int
	size     int
	sized    bool
	peeked   bool
	after    Value // the next item, if peeked; absent at the end
	current  Value
	before   Value
	changing []Value // what changed was called with last
	stmt     *forStmt
	frame    *frame
}

// advance goes to the next item.
func (l *loop) advance() bool {
	v := l.peek()
	l.peeked = false
	if v == (absent{}) {
		l.peeked = true
		return false
	}
	l.index0++
	l.before, l.current = l.current, v
	return true
}

// peek returns the next item, or absent.
func (l *loop) peek() Value {
	if !l.peeked {
		l.peeked = true
		if v, ok := l.next(); ok {
			l.after = v
		} else {
			l.after = absent{}
		}
	}
	return l.after
}

// length returns the number of items; it has to read all of a generator.
func (l *loop) length() int {
	if l.sized {
		return l.size
	}
	l.sized = true
	if n, ok := length(l.source); ok {
		l.size = n
		return n
	}
	rest := drain(&generator{l.next, "generator"})
	l.next = overItems(rest)
	l.size = len(rest) + l.index0 + 1
	if l.peeked && l.after != (absent{}) {
		l.size++
	}
	return l.size
}

// attribute returns loop.index and its like.
func (l *loop) attribute(name string) (Value, bool) {
	switch name {
	case "index":
		return int64(l.index0 + 1), true
	case "index0":
		return int64(l.index0), true
	case "revindex":
		return int64(l.length() - l.index0), true
	case "revindex0":
		return int64(l.length() - l.index0 - 1), true
	case "first":
		return l.index0 == 0, true
	case "last":
		return l.peek() == (absent{}), true
	case "length":
		return int64(l.length()), true
	case "depth":
		return int64(l.depth0 + 1), true
	case "depth0":
		return int64(l.depth0), true
	case "previtem":
		if l.index0 == 0 {
			return &undefined{"there is no previous item"}, true
		}
		return l.before, true
	case "nextitem":
		if v := l.peek(); v != (absent{}) {
			return v, true
		}
		return &undefined{"there is no next item"}, true
	case "cycle":
		return &function{name, l.cycle}, true
	case "changed":
		return &function{name, l.changed}, true
	}
	return nil, false
}

func (l *loop) cycle(a *args) Value {
	if len(a.items) == 0 {
		throw("no items for cycling given")
	}
	return a.items[l.index0%len(a.items)]
}

// changed tells whether its arguments differ from those of the last call.
func (l *loop) changed(a *args) Value {
	if l.changing != nil && equalItems(l.changing, a.items, 0) {
		return false
	}
	l.changing = append([]Value{}, a.items...)
	return true
}

// recurse is loop(items) in a recursive loop.
func (l *loop) recurse(a *args) Value {
	if !l.stmt.recursive {
		throw("the loop must have the 'recursive' marker to be called recursively")
	}
	source := a.positional("loop()", 1, 1)[0]
	items(source)
	return l.stmt.render(l.frame, source, l.depth0+1)
}
