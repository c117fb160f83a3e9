package jinja

import "math/big"

// tests are what stands behind is, by name. The first argument is the value that is tested.
var tests map[string]func(a *args) Value

func init() {
	tests = map[string]func(a *args) Value{
		"defined":     kindTest(func(v Value) bool { return !isUndefined(v) }),
		"undefined":   kindTest(isUndefined),
		"none":        kindTest(func(v Value) bool { return v == nil }),
		"boolean":     kindTest(func(v Value) bool { return v == true || v == false }),
		"true":        kindTest(func(v Value) bool { return v == true }),
		"false":       kindTest(func(v Value) bool { return v == false }),
		"integer":     kindTest(isInteger),
		"float":       kindTest(func(v Value) bool { _, ok := v.(float64); return ok }),
		"number":      kindTest(isNumber),
		"string":      kindTest(func(v Value) bool { _, ok := text(v); return ok }),
		"mapping":     kindTest(func(v Value) bool { _, ok := v.(*Dict); return ok }),
		"sequence":    kindTest(isSequence),
		"iterable":    kindTest(func(v Value) bool { _, ok := iterate(v); return ok }),
		"callable":    kindTest(isCallable),
		"escaped":     kindTest(func(v Value) bool { _, ok := v.(markup); return ok }),
		"odd":         kindTest(func(v Value) bool { return equal(binary("%", v, int64(2)), int64(1)) }),
		"even":        kindTest(func(v Value) bool { return equal(binary("%", v, int64(2)), int64(0)) }),
		"lower":       kindTest(func(v Value) bool { return truth(textMethods["islower"](str(v), &args{})) }),
		"upper":       kindTest(func(v Value) bool { return truth(textMethods["isupper"](str(v), &args{})) }),
		"filter":      kindTest(func(v Value) bool { return known(filters, v) }),
		"test":        kindTest(func(v Value) bool { return known(tests, v) }),
		"divisibleby": pairTest(func(v, n Value) bool { return equal(binary("%", v, n), int64(0)) }),
		"in":          pairTest(func(v, c Value) bool { return contains(c, v) }),
		"sameas":      pairTest(identical),
	}
	for op, names := range map[string][]string{"==": {"eq", "equalto"}, "!=": {"ne"}, ">": {"gt", "greaterthan"},
		">=": {"ge"}, "<": {"lt", "lessthan"}, "<=": {"le"}} {
		f := pairTest(func(a, b Value) bool { return holds(op, a, b) })
		tests[op] = f
		for _, name := range names {
			tests[name] = f
		}
	}
}

// testNamed returns a test, or stops.
func testNamed(name string) func(a *args) Value {
	f := tests[name]
	if f == nil {
		throw("no test named %s", repr(name))
	}
	return f
}

func kindTest(is func(v Value) bool) func(a *args) Value {
	return func(a *args) Value { return is(a.positional("the test", 1, 1)[0]) }
}

func pairTest(is func(v, w Value) bool) func(a *args) Value {
	return func(a *args) Value {
		in := a.positional("the test", 2, 2)
		return is(in[0], in[1])
	}
}

// known tells whether v is the name of one of table.
func known(table map[string]func(a *args) Value, v Value) bool {
	name, ok := hashable(v).(string)
	return ok && table[name] != nil
}

func isUndefined(v Value) bool {
	_, ok := v.(*undefined)
	return ok
}

func isInteger(v Value) bool {
	switch v.(type) {
	case int64, *big.Int:
		return true
	}
	return false
}

// isSequence tells whether v has a length and items by position or key.
func isSequence(v Value) bool {
	switch v.(type) {
	case *view, *loop:
		return false
	}
	_, ok := length(v)
	return ok
}

// identical is Python's a is b. Small numbers and text are the same object there when they are equal.
func identical(a, b Value) bool {
	return typeName(a) == typeName(b) && a == b
}
