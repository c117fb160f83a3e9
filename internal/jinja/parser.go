package jinja

import "slices"

// A parser makes a tree of tokens.
type parser struct {
	tokens  []token
	pos     int
	depth   int
	loops   int // loops around, for break and continue
	soft    bool
	uses    []use
	unknown []unknownName

	generates bool // there is a generation block
}

// A use is a name that is read or set, in the order of the source.
type use struct {
	name string
	set  bool
	line int
}

// An unknownName is a filter or test that does not exist. In a branch of an if it fails only when it runs.
type unknownName struct {
	what, name string
	line       int
}

func (p *parser) current() token { return p.tokens[p.pos] }

func (p *parser) look() token { return p.tokens[min(p.pos+1, len(p.tokens)-1)] }

func (p *parser) take() token {
	t := p.current()
	if p.pos < len(p.tokens)-1 {
		p.pos++
	}
	return t
}

// skip moves over an operator or keyword if it is there.
func (p *parser) skip(s string) bool {
	if p.current().is(s) {
		p.take()
		return true
	}
	return false
}

func (p *parser) fail(format string, args ...any) { throwAt(p.current().line, format, args...) }

func (p *parser) expect(s string) token {
	if !p.current().is(s) {
		p.fail("expected %q, got %q", s, p.current().String())
	}
	return p.take()
}

func (p *parser) expectKind(k kind, what string) token {
	if p.current().kind != k {
		p.fail("expected %s, got %q", what, p.current().String())
	}
	return p.take()
}

// nest limits how deeply the recursive parsing goes; the result undoes it.
func (p *parser) nest() func() {
	if p.depth++; p.depth > maxDepth {
		p.fail("the template nests more than %d levels deep", maxDepth)
	}
	return func() { p.depth-- }
}

// template parses everything.
func (p *parser) template() []stmt {
	body := p.statements()
	if p.current().kind != endOfSource {
		p.fail("unexpected %q", p.look().String())
	}
	for _, u := range p.unknown {
		throwAt(u.line, "no %s named %s", u.what, repr(u.name))
	}
	return body
}

// statements parses up to a block tag with one of the names ends, or to the end if there are none. The tag's name is
// then the current token.
func (p *parser) statements(ends ...string) []stmt {
	defer p.nest()()
	var out []stmt
	for {
		t := p.take()
		switch t.kind {
		case data:
			out = append(out, &rawText{t.text})
		case outputBegin:
			out = append(out, &output{p.tuple(tupleRules{}), t.line})
			p.expectKind(outputEnd, "}}")
		case blockBegin:
			if p.current().kind == nameToken && slices.Contains(ends, p.current().text) {
				return out
			}
			out = append(out, p.statement(ends)...)
			p.expectKind(blockEnd, "%}")
		default:
			if len(ends) > 0 {
				p.fail("unexpected end of template, expected %q", ends)
			}
			return out
		}
	}
}

// block parses the statements behind a tag up to one of the tags ends and returns that tag's name.
func (p *parser) block(ends ...string) ([]stmt, string) {
	p.skip(":")
	p.expectKind(blockEnd, "%}")
	body := p.statements(ends...)
	return body, p.take().text
}

// refused are the tags that jinja2 knows and that have no place in a chat template.
var refused = []string{"include", "import", "from", "extends", "block", "autoescape"}

// statement parses one tag, behind {%.
func (p *parser) statement(ends []string) []stmt {
	t := p.expectKind(nameToken, "the name of a tag")
	switch t.text {
	case "for":
		return []stmt{p.forStmt(t.line)}
	case "if":
		return []stmt{p.ifStmt(t.line)}
	case "set":
		return []stmt{p.set(t.line)}
	case "macro":
		return []stmt{p.macro()}
	case "call":
		return []stmt{p.call(t.line)}
	case "filter":
		return []stmt{p.filterBlock(t.line)}
	case "with":
		return []stmt{p.with(t.line)}
	case "print":
		return p.print(t.line)
	case "generation":
		return []stmt{p.generation()}
	case "break", "continue":
		return []stmt{p.jump(t)}
	}
	if slices.Contains(refused, t.text) {
		throwAt(t.line, "the tag %q is not supported in a chat template", t.text)
	}
	throwAt(t.line, "unknown tag %q%s", t.text, expectation(ends))
	return nil
}

func expectation(ends []string) string {
	if len(ends) == 0 {
		return ""
	}
	s := ", expected one of"
	for _, e := range ends {
		s += " " + e
	}
	return s
}

func (p *parser) jump(t token) stmt {
	if p.loops == 0 {
		throwAt(t.line, "%q outside of a loop", t.text)
	}
	if t.text == "break" {
		return jump{breakLoop}
	}
	return jump{continueLoop}
}

func (p *parser) print(line int) (out []stmt) {
	for p.current().kind != blockEnd {
		if len(out) > 0 {
			p.expect(",")
		}
		out = append(out, &output{p.expression(), line})
	}
	return out
}

// firm parses the body of a frame of its own, where unknown filters are errors even inside an if. A function's body
// cannot leave the loops around it.
func (p *parser) firm(function bool, ends ...string) ([]stmt, string) {
	soft, loops := p.soft, p.loops
	if p.soft = false; function {
		p.loops = 0
	}
	body, end := p.block(ends...)
	p.soft, p.loops = soft, loops
	return body, end
}

func (p *parser) forStmt(line int) stmt {
	l := &forStmt{line: line}
	first := len(p.uses)
	at := p.pos
	l.target = p.target("in")
	end := p.pos
	p.pos = at
	l.testTarget = p.target("in")
	p.pos = end
	p.expect("in")
	l.source = p.tuple(tupleRules{plain: true, end: "recursive"})
	if p.skip("if") {
		l.test = p.expression()
	}
	l.recursive = p.skip("recursive")
	p.loops++
	body, tag := p.firm(false, "endfor", "else")
	p.loops--
	if l.body = body; tag == "else" {
		l.otherwise, _ = p.firm(false, "endfor")
	}
	for _, u := range p.uses[first:] {
		if u.set && u.name == "loop" {
			throwAt(u.line, "cannot assign to the special variable loop")
		}
	}
	return l
}

func (p *parser) ifStmt(line int) stmt {
	soft := p.soft
	p.soft = true
	defer func() { p.soft = soft }()
	s := &ifStmt{}
	for {
		b := branch{line: line, test: p.tuple(tupleRules{plain: true})}
		var tag string
		b.body, tag = p.block("elif", "else", "endif")
		s.branches = append(s.branches, b)
		if tag == "else" {
			body, _ := p.block("endif")
			s.branches = append(s.branches, branch{body: body, line: line})
		}
		if tag != "elif" {
			return s
		}
		line = p.current().line
	}
}

func (p *parser) set(line int) stmt {
	target := p.setTarget()
	if p.skip("=") {
		return &assignment{target, p.tuple(tupleRules{}), line}
	}
	value := p.filters(capturedText{})
	body, _ := p.firm(false, "endset")
	return &blockAssignment{target, capture{value: value, body: body, line: line}}
}

func (p *parser) filterBlock(line int) stmt {
	value := p.filters(p.filter(capturedText{}))
	body, _ := p.firm(false, "endfilter")
	return &filterBlock{capture{value: value, body: body, line: line}}
}

func (p *parser) with(line int) stmt {
	w := &withBlock{line: line}
	for p.current().kind != blockEnd {
		if len(w.targets) > 0 {
			p.expect(",")
		}
		w.targets = append(w.targets, p.target(""))
		p.expect("=")
		w.values = append(w.values, p.expression())
	}
	w.body, _ = p.firm(false, "endwith")
	return w
}

func (p *parser) generation() stmt {
	p.generates = true
	body, _ := p.firm(true, "endgeneration")
	return &generationBlock{body: body}
}

func (p *parser) macro() stmt {
	m := &macroStmt{name: p.targetName()}
	p.parameters(&m.signature)
	p.signatureBody(&m.signature, "endmacro")
	return m
}

func (p *parser) call(line int) stmt {
	c := &callBlock{line: line}
	if p.current().is("(") {
		p.parameters(&c.signature)
	}
	call, ok := p.expression().(*callExpr)
	if !ok {
		throwAt(line, "expected a call behind the tag call")
	}
	c.call = call
	p.signatureBody(&c.signature, "endcall")
	return c
}

// parameters parses (a, b=1).
func (p *parser) parameters(g *signature) {
	p.expect("(")
	for !p.current().is(")") {
		if len(g.params) > 0 {
			p.expect(",")
		}
		g.params = append(g.params, p.targetName())
		if p.skip("=") {
			g.defaults = append(g.defaults, p.expression())
		} else if len(g.defaults) > 0 {
			p.fail("non-default argument follows default argument")
		}
	}
	p.expect(")")
}

// signatureBody parses the body and finds which special parameters it reads.
func (p *parser) signatureBody(g *signature, end string) {
	first := len(p.uses)
	g.body, _ = p.firm(true, end)
	reads := map[string]bool{}
	seen := map[string]bool{}
	for _, u := range p.uses[first:] {
		if !seen[u.name] {
			reads[u.name] = !u.set
		}
		seen[u.name] = true
	}
	g.wantsCaller, g.wantsKeywords, g.wantsRest = reads["caller"], reads["kwargs"], reads["varargs"]
	n := len(g.params) - len(g.defaults)
	if reads["caller"] && slices.ContainsFunc(g.params[:n], func(n *variable) bool { return n.id == "caller" }) {
		p.fail("the parameter caller must have a default")
	}
}

// constants are the names with a fixed value.
var constants = map[string]Value{"true": true, "True": true, "false": false, "False": false, "none": nil, "None": nil}

// targetName parses a name that is set.
func (p *parser) targetName() *variable {
	t := p.expectKind(nameToken, "a name")
	if _, ok := constants[t.text]; ok {
		throwAt(t.line, "cannot assign to %q", t.text)
	}
	p.uses = append(p.uses, use{t.text, true, t.line})
	return &variable{id: t.text}
}

// setTarget parses the target of set, which may be an attribute of a namespace.
func (p *parser) setTarget() expr { return p.targets("", true) }

// target parses names that are set, up to the keyword end.
func (p *parser) target(end string) expr { return p.targets(end, false) }

func (p *parser) targets(end string, attributes bool) expr {
	var list []expr
	isTuple := false
	for {
		if t := p.current(); t.kind == blockEnd || t.is(")") || end != "" && t.is(end) {
			break
		}
		list = append(list, p.oneTarget(attributes))
		if !p.skip(",") {
			break
		}
		isTuple = true
	}
	if len(list) == 1 && !isTuple {
		return list[0]
	}
	if len(list) == 0 {
		p.fail("expected a name, got %q", p.current().String())
	}
	return &tupleExpr{list}
}

func (p *parser) oneTarget(attributes bool) expr {
	if p.skip("(") {
		t := p.targets("", attributes)
		p.expect(")")
		return t
	}
	if !attributes || !p.look().is(".") {
		return p.targetName()
	}
	object := p.take()
	if object.kind != nameToken {
		throwAt(object.line, "cannot assign to %q", object.String())
	}
	p.take()
	return &attributeTarget{&variable{id: object.text}, p.expectKind(nameToken, "a name").text}
}
