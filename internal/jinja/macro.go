package jinja

import "slices"

// A signature is the parameters of a macro or a call block, and its body.
type signature struct {
	params   []*variable
	defaults []expr // of the last parameters
	body     []stmt
	scope    *scope
	slots    []int // of params

	// The special parameters that the body reads, -1 if it does not.
	caller, keywords, rest int
	wantsCaller            bool
	wantsKeywords          bool
	wantsRest              bool
}

// bind settles the names of the body in a frame inside s.
func (g *signature) bind(s *scope) {
	g.scope = newScope(s)
	for _, p := range g.params {
		g.slots = append(g.slots, g.scope.parameter(p.id))
	}
	g.caller = g.special("caller", g.wantsCaller)
	g.keywords = g.special("kwargs", g.wantsKeywords)
	g.rest = g.special("varargs", g.wantsRest)
	g.scope.readAll(g.defaults...)
	g.scope.body(g.body)
	g.scope.bindAll(g.defaults...)
}

// special makes a place for a special parameter, unless the macro has one of that name.
func (g *signature) special(name string, wanted bool) int {
	if !wanted || slices.ContainsFunc(g.params, func(p *variable) bool { return p.id == name }) {
		return -1
	}
	return g.scope.parameter(name)
}

// macroStmt is {% macro name(...) %}...{% endmacro %}.
type macroStmt struct {
	name *variable
	signature
}

func (m *macroStmt) declare(s *scope) { s.store(m.name.id) }

func (m *macroStmt) bind(s *scope) {
	s.bindAll(m.name)
	m.signature.bind(s)
}

func (m *macroStmt) exec(f *frame) signal {
	f.assign(m.name, &macro{m.name.id, &m.signature, f})
	return proceed
}

// callBlock is {% call(...) callee(...) %}...{% endcall %}: the body is the macro that callee sees as caller.
type callBlock struct {
	call *callExpr
	signature
	line int
}

func (c *callBlock) declare(s *scope) { s.readAll(c.call) }

func (c *callBlock) bind(s *scope) {
	s.bindAll(c.call)
	c.signature.bind(s)
}

func (c *callBlock) exec(f *frame) signal {
	defer locate(c.line)
	callee := c.call.callee.eval(f)
	a := c.call.arguments.eval(f)
	a.named = append(a.named, keyword{"caller", &macro{"", &c.signature, f}})
	f.writeText(f.run.call(callee, a))
	return proceed
}

// A macro is a macro with the frame that it was made in.
type macro struct {
	name  string
	sig   *signature
	frame *frame
}

// invoke calls the macro and returns what it writes.
func (m *macro) invoke(a *args) Value {
	g := m.sig
	in := m.frame.buffered(g.scope)
	n := min(len(a.items), len(g.params))
	for i, slot := range g.slots[:n] {
		in.vars[slot] = a.items[i]
	}
	left := m.keywords(in, a.named, n)
	m.specials(in, left, a.items[n:])
	for i, p := range g.params {
		if slot := g.slots[i]; in.vars[slot] == (absent{}) {
			in.vars[slot] = m.fallback(in, i, p.id)
		}
	}
	execAll(in, g.body)
	return in.out.String()
}

// fallback is the value of the i-th parameter if it is not given.
func (m *macro) fallback(in *frame, i int, name string) Value {
	if d := i - len(m.sig.params) + len(m.sig.defaults); d >= 0 {
		return m.sig.defaults[d].eval(in)
	}
	return &undefined{"parameter " + repr(name) + " was not provided"}
}

// keywords sets the parameters from the n-th on that are given by name and returns what is left.
func (m *macro) keywords(in *frame, named []keyword, n int) (left []keyword) {
	for _, k := range named {
		i := slices.IndexFunc(m.sig.params, func(p *variable) bool { return p.id == k.name })
		if i < n {
			left = append(left, k)
			continue
		}
		in.vars[m.sig.slots[i]] = k.value
	}
	return left
}

// specials sets caller, kwargs and varargs, and stops at arguments that nothing takes.
func (m *macro) specials(in *frame, named []keyword, rest []Value) {
	g := m.sig
	if g.caller >= 0 {
		in.vars[g.caller] = &undefined{"No caller defined"}
		if i := slices.IndexFunc(named, func(k keyword) bool { return k.name == "caller" }); i >= 0 {
			in.vars[g.caller] = named[i].value
			named = slices.Delete(slices.Clone(named), i, i+1)
		}
	}
	if g.keywords >= 0 {
		d := NewDict(len(named))
		for _, k := range named {
			d.put(k.name, k.value)
		}
		in.vars[g.keywords] = d
	} else if len(named) > 0 {
		throw("macro %s takes no keyword argument %s", repr(m.name), repr(named[0].name))
	}
	if g.rest >= 0 {
		in.vars[g.rest] = tuple(rest...)
	} else if len(rest) > 0 {
		throw("macro %s takes not more than %d argument(s)", repr(m.name), len(g.params))
	}
}

// title is the name as Python shows it.
func (m *macro) title() string {
	if m.name == "" {
		return "anonymous"
	}
	return repr(m.name)
}

func (m *macro) attribute(name string) (Value, bool) {
	switch name {
	case "name":
		return m.name, true
	case "caller":
		return m.sig.caller >= 0, true
	case "catch_kwargs":
		return m.sig.keywords >= 0, true
	case "catch_varargs":
		return m.sig.rest >= 0, true
	case "arguments":
		t := tuple()
		for _, p := range m.sig.params {
			t.Items = append(t.Items, p.id)
		}
		return t, true
	}
	return nil, false
}
