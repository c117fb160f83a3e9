package jinja

import "strings"

// An expr is a node of the tree that has a value.
type expr interface {
	eval(f *frame) Value
	each(visit func(expr)) // calls visit with every operand
}

type (
	constant struct{ value Value }
	variable struct {
		id string
		at ref
	}
	listExpr  struct{ items []expr }
	tupleExpr struct{ items []expr }
	dictExpr  struct{ keys, values []expr }
	binaryOp  struct {
		op          string
		left, right expr
	}
	unaryOp struct {
		op      string
		operand expr
	}
	logic struct { // and, or
		op          string
		left, right expr
	}
	negation   struct{ operand expr }
	comparison struct {
		first expr
		ops   []string
		rest  []expr
	}
	concatenation struct{ parts []expr }
	condition     struct{ test, then, otherwise expr } // otherwise may be nil
	attributeOf   struct {
		object expr
		name   string
	}
	itemOfExpr struct{ object, key expr }
	sliceExpr  struct{ start, stop, step expr } // each may be nil
	callExpr   struct {
		callee expr
		arguments
	}
	filterExpr struct {
		name   string
		source expr
		arguments
	}
	testExpr struct {
		name    string
		subject expr
		arguments
	}
	capturedText    struct{} // what a filter or set block has written
	attributeTarget struct { // of a namespace, in an assignment
		object *variable
		name   string
	}
)

// arguments are those of a call, a filter or a test.
type arguments struct {
	items      []expr
	names      []string
	values     []expr // of names
	star, pair expr   // *items, **names; nil if there are none
}

func (a *arguments) each(visit func(expr)) {
	for _, e := range a.items {
		visit(e)
	}
	for _, e := range a.values {
		visit(e)
	}
	for _, e := range []expr{a.star, a.pair} {
		if e != nil {
			visit(e)
		}
	}
}

// eval returns the arguments, the first of them before the others.
func (a *arguments) eval(f *frame, first ...Value) *args {
	out := &args{items: append(make([]Value, 0, len(first)+len(a.items)), first...), run: f.run}
	for _, e := range a.items {
		out.items = append(out.items, e.eval(f))
	}
	if a.star != nil {
		out.items = append(out.items, drain(a.star.eval(f))...)
	}
	for i, e := range a.values {
		out.named = append(out.named, keyword{a.names[i], e.eval(f)})
	}
	if a.pair != nil {
		a.spread(f, out)
	}
	return out
}

// spread adds the names of a dictionary.
func (a *arguments) spread(f *frame, out *args) {
	d, ok := a.pair.eval(f).(*Dict)
	if !ok {
		throw("argument after ** must be a mapping")
	}
	for k, v := range d.All {
		name, ok := text(k)
		if !ok {
			throw("keywords must be strings")
		}
		for _, have := range out.named {
			if have.name == name {
				throw("multiple values for keyword argument '%s'", name)
			}
		}
		out.named = append(out.named, keyword{name, v})
	}
}

func (c *constant) eval(*frame) Value { return c.value }

func (n *variable) eval(f *frame) Value {
	v := *f.at(n.at)
	if v == (absent{}) {
		return missingName(n.id)
	}
	return v
}

func evalAll(f *frame, list []expr) []Value {
	out := make([]Value, len(list))
	for i, e := range list {
		out[i] = e.eval(f)
	}
	return out
}

func (l *listExpr) eval(f *frame) Value  { return list(evalAll(f, l.items)...) }
func (t *tupleExpr) eval(f *frame) Value { return tuple(evalAll(f, t.items)...) }

func (d *dictExpr) eval(f *frame) Value {
	out := NewDict(len(d.keys))
	for i, k := range d.keys {
		out.put(k.eval(f), d.values[i].eval(f))
	}
	return out
}

func (b *binaryOp) eval(f *frame) Value { return binary(b.op, b.left.eval(f), b.right.eval(f)) }
func (u *unaryOp) eval(f *frame) Value  { return unary(u.op, u.operand.eval(f)) }
func (n *negation) eval(f *frame) Value { return !truth(n.operand.eval(f)) }

func (l *logic) eval(f *frame) Value {
	v := l.left.eval(f)
	if truth(v) == (l.op == "and") {
		return l.right.eval(f)
	}
	return v
}

func (c *comparison) eval(f *frame) Value {
	left := c.first.eval(f)
	for i, op := range c.ops {
		right := c.rest[i].eval(f)
		if !holds(op, left, right) {
			return false
		}
		left = right
	}
	return true
}

// holds tells whether a op b.
func holds(op string, a, b Value) bool {
	switch op {
	case "==":
		return equal(a, b)
	case "!=":
		return !equal(a, b)
	case "in":
		return contains(b, a)
	case "not in":
		return !contains(b, a)
	}
	return order(op, a, b)
}

func (c *concatenation) eval(f *frame) Value {
	var b strings.Builder
	for _, e := range c.parts {
		b.WriteString(str(e.eval(f)))
		checkText(b.Len())
	}
	return b.String()
}

func (c *condition) eval(f *frame) Value {
	if truth(c.test.eval(f)) {
		return c.then.eval(f)
	}
	if c.otherwise != nil {
		return c.otherwise.eval(f)
	}
	return &undefined{"the inline if-expression evaluated to false and no else section was defined"}
}

func (a *attributeOf) eval(f *frame) Value { return getAttribute(a.object.eval(f), a.name) }
func (i *itemOfExpr) eval(f *frame) Value  { return getItem(i.object.eval(f), i.key.eval(f)) }

func (s *sliceExpr) eval(f *frame) Value {
	return slice{evalOr(f, s.start), evalOr(f, s.stop), evalOr(f, s.step)}
}

// evalOr returns the value of e, None if e is nil.
func evalOr(f *frame, e expr) Value {
	if e == nil {
		return nil
	}
	return e.eval(f)
}

func (c *callExpr) eval(f *frame) Value {
	callee := c.callee.eval(f)
	return f.run.call(callee, c.arguments.eval(f))
}

func (x *filterExpr) eval(f *frame) Value {
	source := x.source.eval(f)
	return filterNamed(x.name)(x.arguments.eval(f, source))
}

func (x *testExpr) eval(f *frame) Value {
	subject := x.subject.eval(f)
	return truth(testNamed(x.name)(x.arguments.eval(f, subject)))
}

func (capturedText) eval(f *frame) Value { return f.captured }

func (t *attributeTarget) eval(f *frame) Value { return nil }

// set sets the attribute of the namespace.
func (t *attributeTarget) set(f *frame, v Value) {
	ns, ok := t.object.eval(f).(*namespace)
	if !ok {
		throw("cannot assign attribute on non-namespace object")
	}
	ns.set(t.name, v)
}

func (*constant) each(func(expr))        {}
func (*variable) each(func(expr))        {}
func (capturedText) each(func(expr))     {}
func (l *listExpr) each(v func(expr))    { eachOf(v, l.items...) }
func (t *tupleExpr) each(v func(expr))   { eachOf(v, t.items...) }
func (d *dictExpr) each(v func(expr))    { eachOf(v, d.keys...); eachOf(v, d.values...) }
func (b *binaryOp) each(v func(expr))    { eachOf(v, b.left, b.right) }
func (u *unaryOp) each(v func(expr))     { eachOf(v, u.operand) }
func (l *logic) each(v func(expr))       { eachOf(v, l.left, l.right) }
func (n *negation) each(v func(expr))    { eachOf(v, n.operand) }
func (c *comparison) each(v func(expr))  { eachOf(v, c.first); eachOf(v, c.rest...) }
func (a *attributeOf) each(v func(expr)) { eachOf(v, a.object) }
func (i *itemOfExpr) each(v func(expr))  { eachOf(v, i.object, i.key) }
func (s *sliceExpr) each(v func(expr))   { eachOf(v, s.start, s.stop, s.step) }
func (c *condition) each(v func(expr))   { eachOf(v, c.test, c.then, c.otherwise) }

func (c *concatenation) each(v func(expr))   { eachOf(v, c.parts...) }
func (t *attributeTarget) each(v func(expr)) { v(t.object) }
func (c *callExpr) each(v func(expr))        { v(c.callee); c.arguments.each(v) }
func (x *filterExpr) each(v func(expr))      { v(x.source); x.arguments.each(v) }
func (x *testExpr) each(v func(expr))        { v(x.subject); x.arguments.each(v) }

// eachOf calls visit with those of list that are there.
func eachOf(visit func(expr), list ...expr) {
	for _, e := range list {
		if e != nil {
			visit(e)
		}
	}
}
