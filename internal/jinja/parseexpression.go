package jinja

import "slices"

// tupleRules tell where an expression that may be a tuple without parentheses ends.
type tupleRules struct {
	plain         bool   // without x if y else z
	end           string // a keyword that ends it
	parenthesized bool
}

// tuple parses an expression or several with commas between.
func (p *parser) tuple(rules tupleRules) expr {
	var list []expr
	isTuple := false
	for {
		t := p.current()
		if t.kind == outputEnd || t.kind == blockEnd || t.is(")") || rules.end != "" && t.is(rules.end) {
			break
		}
		if rules.plain {
			list = append(list, p.or())
		} else {
			list = append(list, p.expression())
		}
		if !p.skip(",") {
			break
		}
		isTuple = true
	}
	if len(list) == 1 && !isTuple {
		return list[0]
	}
	if len(list) == 0 && !rules.parenthesized {
		p.fail("expected an expression, got %q", p.current().String())
	}
	return &tupleExpr{list}
}

// expression parses any expression but a tuple.
func (p *parser) expression() expr {
	defer p.nest()()
	unknown := len(p.unknown)
	e := p.or()
	for p.skip("if") {
		c := &condition{then: e, test: p.or()}
		if p.skip("else") {
			c.otherwise = p.expression()
		}
		e = c
		p.unknown = p.unknown[:unknown] // fails when it runs, if it does
	}
	return e
}

func (p *parser) or() expr {
	left := p.and()
	for p.skip("or") {
		left = &logic{"or", left, p.and()}
	}
	return left
}

func (p *parser) and() expr {
	left := p.not()
	for p.skip("and") {
		left = &logic{"and", left, p.not()}
	}
	return left
}

func (p *parser) not() expr {
	defer p.nest()()
	if p.skip("not") {
		return &negation{p.not()}
	}
	return p.comparison()
}

func (p *parser) comparison() expr {
	c := &comparison{first: p.sum()}
	for {
		op := p.current().text
		switch {
		case p.current().is("not") && p.look().is("in"):
			p.take()
			op = "not in"
		case p.current().is("in"):
		case p.current().kind != operator || !slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, op):
			if len(c.ops) == 0 {
				return c.first
			}
			return c
		}
		p.take()
		c.ops, c.rest = append(c.ops, op), append(c.rest, p.sum())
	}
}

// infix parses operands with left-associative operators between them.
func (p *parser) infix(operand func() expr, ops ...string) expr {
	left := operand()
	for p.current().kind == operator && slices.Contains(ops, p.current().text) {
		op := p.take().text
		left = &binaryOp{op, left, operand()}
	}
	return left
}

func (p *parser) sum() expr { return p.infix(p.concatenation, "+", "-") }

func (p *parser) concatenation() expr {
	parts := []expr{p.product()}
	for p.skip("~") {
		parts = append(parts, p.product())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return &concatenation{parts}
}

func (p *parser) product() expr { return p.infix(p.power, "*", "/", "//", "%") }

// power is left-associative in jinja2, unlike in Python.
func (p *parser) power() expr {
	return p.infix(func() expr { return p.unary(true) }, "**")
}

func (p *parser) unary(filters bool) expr {
	defer p.nest()()
	var e expr
	if p.current().is("-") || p.current().is("+") {
		e = &unaryOp{p.take().text, p.unary(false)}
	} else {
		e = p.primary()
	}
	e = p.postfix(e)
	if filters {
		e = p.filtersAndTests(e)
	}
	return e
}

func (p *parser) primary() expr {
	t := p.take()
	switch {
	case t.kind == nameToken:
		if v, ok := constants[t.text]; ok {
			return &constant{v}
		}
		p.uses = append(p.uses, use{t.text, false, t.line})
		return &variable{id: t.text}
	case t.kind == stringToken:
		for p.current().kind == stringToken {
			t.text += p.take().text
		}
		return &constant{t.text}
	case t.kind == numberToken:
		return &constant{t.value}
	case t.is("("):
		e := p.tuple(tupleRules{parenthesized: true})
		p.expect(")")
		return e
	case t.is("["):
		return &listExpr{p.until("]", p.expression)}
	case t.is("{"):
		return p.dict()
	}
	throwAt(t.line, "unexpected %q", t.String())
	return nil
}

// until parses elements with commas between them up to a closing bracket.
func (p *parser) until(closing string, element func() expr) (list []expr) {
	for !p.skip(closing) {
		if len(list) > 0 {
			if p.expect(","); p.skip(closing) {
				break
			}
		}
		list = append(list, element())
	}
	return list
}

func (p *parser) dict() expr {
	d := &dictExpr{}
	d.keys = p.until("}", func() expr {
		key := p.expression()
		p.expect(":")
		d.values = append(d.values, p.expression())
		return key
	})
	return d
}

func (p *parser) postfix(e expr) expr {
	for {
		switch {
		case p.skip("."):
			e = p.attribute(e)
		case p.skip("["):
			e = p.subscript(e)
		case p.current().is("("):
			e = &callExpr{e, p.arguments()}
		default:
			return e
		}
	}
}

func (p *parser) attribute(object expr) expr {
	t := p.take()
	if t.kind == nameToken {
		return &attributeOf{object, t.text}
	}
	if _, ok := t.value.(int64); t.kind != numberToken || !ok {
		throwAt(t.line, "expected a name or an integer, got %q", t.String())
	}
	return &itemOfExpr{object, &constant{t.value}}
}

func (p *parser) subscript(object expr) expr {
	var list []expr
	for !p.skip("]") {
		if len(list) > 0 {
			p.expect(",")
		}
		list = append(list, p.subscriptPart())
	}
	if len(list) == 1 {
		return &itemOfExpr{object, list[0]}
	}
	return &itemOfExpr{object, &tupleExpr{list}}
}

// subscriptPart parses a key or a slice.
func (p *parser) subscriptPart() expr {
	s := &sliceExpr{}
	if !p.current().is(":") {
		e := p.expression()
		if !p.current().is(":") {
			return e
		}
		s.start = e
	}
	p.expect(":")
	s.stop = p.sliceBound()
	if p.skip(":") {
		s.step = p.sliceBound()
	}
	return s
}

func (p *parser) sliceBound() expr {
	if t := p.current(); t.is(":") || t.is("]") || t.is(",") {
		return nil
	}
	return p.expression()
}

// arguments parses (a, *b, c=d, **e).
func (p *parser) arguments() (a arguments) {
	p.expect("(")
	for comma := false; !p.skip(")"); comma = true {
		if comma {
			if p.expect(","); p.skip(")") {
				break
			}
		}
		p.argument(&a)
	}
	return a
}

func (p *parser) argument(a *arguments) {
	line := p.current().line
	bad := false
	switch {
	case p.skip("*"):
		bad = a.star != nil || a.pair != nil
		a.star = p.expression()
	case p.skip("**"):
		bad = a.pair != nil
		a.pair = p.expression()
	case p.current().kind == nameToken && p.look().is("="):
		bad = a.pair != nil || slices.Contains(a.names, p.current().text)
		a.names = append(a.names, p.take().text)
		p.take()
		a.values = append(a.values, p.expression())
	default:
		bad = a.star != nil || a.pair != nil || len(a.names) > 0
		a.items = append(a.items, p.expression())
	}
	if bad {
		throwAt(line, "invalid syntax for function call expression")
	}
}

func (p *parser) filtersAndTests(e expr) expr {
	for {
		switch {
		case p.current().is("|"):
			e = p.filters(e)
		case p.current().is("is"):
			p.take()
			e = p.test(e)
		case p.current().is("("):
			e = &callExpr{e, p.arguments()}
		default:
			return e
		}
	}
}

// filters parses | name(...) any number of times.
func (p *parser) filters(e expr) expr {
	for p.skip("|") {
		e = p.filter(e)
	}
	return e
}

// filter parses a filter behind the bar.
func (p *parser) filter(source expr) expr {
	line := p.current().line
	f := &filterExpr{name: p.dotted(), source: source}
	if p.current().is("(") {
		f.arguments = p.arguments()
	}
	if filters[f.name] == nil && !p.soft {
		p.unknown = append(p.unknown, unknownName{"filter", f.name, line})
	}
	return f
}

func (p *parser) dotted() string {
	s := p.expectKind(nameToken, "a name").text
	for p.skip(".") {
		s += "." + p.expectKind(nameToken, "a name").text
	}
	return s
}

// test parses a test behind is.
func (p *parser) test(subject expr) expr {
	line := p.current().line
	negated := p.skip("not")
	t := &testExpr{name: p.dotted(), subject: subject}
	if p.current().is("(") {
		t.arguments = p.arguments()
	} else if p.startsOperand() {
		if p.current().is("is") {
			p.fail("tests cannot be chained with is")
		}
		t.items = []expr{p.postfix(p.primary())}
	}
	if tests[t.name] == nil && !p.soft {
		p.unknown = append(p.unknown, unknownName{"test", t.name, line})
	}
	if negated {
		return &negation{t}
	}
	return t
}

// startsOperand tells whether the argument of a test follows without parentheses.
func (p *parser) startsOperand() bool {
	t := p.current()
	switch t.kind {
	case nameToken:
		return !t.is("else") && !t.is("or") && !t.is("and")
	case stringToken, numberToken:
		return true
	}
	return t.is("[") || t.is("{")
}
