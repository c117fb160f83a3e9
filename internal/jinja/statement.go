package jinja

// A stmt is a node of the tree that writes or sets something. declare notes its names in the scope of the frame it
// is in, bind then gives them places, and exec runs it.
type stmt interface {
	declare(s *scope)
	bind(s *scope)
	exec(f *frame) signal
}

// A signal tells how a statement ended.
type signal int

const (
	proceed signal = iota
	breakLoop
	continueLoop
)

// execAll runs statements until one breaks or continues a loop.
func execAll(f *frame, list []stmt) signal {
	for _, st := range list {
		if sig := st.exec(f); sig != proceed {
			return sig
		}
	}
	return proceed
}

// rawText is text between tags.
type rawText struct{ text string }

func (*rawText) declare(*scope) {}
func (*rawText) bind(*scope)    {}

func (t *rawText) exec(f *frame) signal {
	f.write(t.text)
	return proceed
}

// output is {{ value }}.
type output struct {
	value expr
	line  int
}

func (o *output) declare(s *scope) { s.readAll(o.value) }
func (o *output) bind(s *scope)    { s.bindAll(o.value) }

func (o *output) exec(f *frame) signal {
	defer locate(o.line)
	f.write(str(o.value.eval(f)))
	return proceed
}

// A branch is one arm of an if; the test of an else is nil.
type branch struct {
	test expr
	body []stmt
	line int
}

type ifStmt struct{ branches []branch }

func (i *ifStmt) declare(s *scope) {
	s.readAll(i.branches[0].test)
	var scopes []*scope
	rest := s.branch() // elif tests and bodies see each other, as in jinja2
	for n, b := range i.branches {
		in := s.branch()
		if n > 0 && b.test != nil {
			in = rest
			in.readAll(b.test)
			nested := in.branch()
			declareAll(nested, b.body)
			in.merge(nested)
			continue
		}
		declareAll(in, b.body)
		scopes = append(scopes, in)
	}
	s.merge(append(scopes, rest)...)
}

func declareAll(s *scope, list []stmt) {
	for _, st := range list {
		st.declare(s)
	}
}

func bindAll(s *scope, list []stmt) {
	for _, st := range list {
		st.bind(s)
	}
}

func (i *ifStmt) bind(s *scope) {
	for _, b := range i.branches {
		s.bindAll(b.test)
		bindAll(s, b.body)
	}
}

func (i *ifStmt) exec(f *frame) signal {
	for _, b := range i.branches {
		if b.holds(f) {
			return execAll(f, b.body)
		}
	}
	return proceed
}

func (b *branch) holds(f *frame) bool {
	defer locate(b.line)
	return b.test == nil || truth(b.test.eval(f))
}

// assignment is {% set target = value %}.
type assignment struct {
	target, value expr
	line          int
}

func (a *assignment) declare(s *scope) {
	s.readAll(a.value)
	s.storeTarget(a.target, false)
}

func (a *assignment) bind(s *scope) { s.bindAll(a.value, a.target) }

func (a *assignment) exec(f *frame) signal {
	defer locate(a.line)
	f.assign(a.target, a.value.eval(f))
	return proceed
}

// A capture is a block whose text goes through filters before anything is done with it.
type capture struct {
	value expr // of the text
	body  []stmt
	scope *scope
	line  int
}

func (c *capture) bind(s *scope) {
	c.scope = newScope(s)
	c.scope.readAll(c.value)
	c.scope.body(c.body)
	c.scope.bindAll(c.value)
}

// run returns the value, unless the body leaves a loop.
func (c *capture) run(f *frame) (Value, signal) {
	in := f.buffered(c.scope)
	if sig := execAll(in, c.body); sig != proceed {
		return nil, sig
	}
	in.captured = in.out.String()
	return c.value.eval(in), proceed
}

// blockAssignment is {% set target %}...{% endset %}.
type blockAssignment struct {
	target expr
	capture
}

func (a *blockAssignment) declare(s *scope) { s.storeTarget(a.target, false) }

func (a *blockAssignment) bind(s *scope) {
	s.bindAll(a.target)
	a.capture.bind(s)
}

func (a *blockAssignment) exec(f *frame) signal {
	defer locate(a.line)
	v, sig := a.run(f)
	if sig == proceed {
		f.assign(a.target, v)
	}
	return sig
}

// filterBlock is {% filter name %}...{% endfilter %}.
type filterBlock struct{ capture }

func (b *filterBlock) declare(s *scope) { s.readAll(b.value) }

func (b *filterBlock) exec(f *frame) signal {
	defer locate(b.line)
	v, sig := b.run(f)
	if sig == proceed {
		f.writeText(v)
	}
	return sig
}

// withBlock is {% with a = 1 %}...{% endwith %}.
type withBlock struct {
	targets, values []expr
	body            []stmt
	scope           *scope
	line            int
}

func (w *withBlock) declare(s *scope) { s.readAll(w.values...) }

func (w *withBlock) bind(s *scope) {
	s.bindAll(w.values...)
	w.scope = newScope(s)
	for _, t := range w.targets {
		w.scope.storeTarget(t, true)
	}
	w.scope.body(w.body)
	w.scope.bindAll(w.targets...)
}

func (w *withBlock) exec(f *frame) signal {
	defer locate(w.line)
	in := f.inner(w.scope)
	for i, t := range w.targets {
		in.assign(t, w.values[i].eval(f))
	}
	return execAll(in, w.body)
}

// jump is break or continue.
type jump struct{ signal signal }

func (jump) declare(*scope)       {}
func (jump) bind(*scope)          {}
func (j jump) exec(*frame) signal { return j.signal }

// generationBlock marks what a model is to say.
type generationBlock struct {
	body  []stmt
	scope *scope
}

func (*generationBlock) declare(*scope) {}

func (g *generationBlock) bind(s *scope) {
	g.scope = newScope(s)
	g.scope.body(g.body)
}

// exec writes the block. As in transformers its span begins where the rendering as a whole has come to.
func (g *generationBlock) exec(f *frame) signal {
	in := f.buffered(g.scope)
	execAll(in, g.body)
	text := in.out.String()
	f.run.marks = append(f.run.marks, mark{f.run.out.Len(), text})
	f.write(text)
	return proceed
}
