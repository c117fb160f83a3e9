package jinja

import "strings"

// globals are the functions that every template has.
var globals map[string]Value

func init() {
	globals = map[string]Value{}
	for name, call := range map[string]func(*args) Value{
		"range": rangeOf, "dict": dictOf, "namespace": namespaceOf, "cycler": cyclerOf, "joiner": joinerOf,
		"raise_exception": raise, "strftime_now": strftimeNow,
	} {
		globals[name] = &function{name, call}
	}
}

// maxRange is the sandbox's limit of a range.
const maxRange = 100000

func rangeOf(a *args) Value {
	in := a.positional("range()", 1, 3)
	n := &numbers{0, int64(mustInt(in[0])), 1}
	if in[1] != (absent{}) {
		n.start, n.stop = n.stop, int64(mustInt(in[1]))
	}
	if n.step = int64(intOr(in[2], 1)); n.step == 0 {
		throw("range() arg 3 must not be zero")
	}
	if n.len() > maxRange {
		throw("a range of more than %d items", maxRange)
	}
	return n
}

// dictOf is Python's dict(mapping or pairs, name=value...).
func dictOf(a *args) Value {
	in := (&args{items: a.items}).positional("dict()", 0, 1)
	out := NewDict(len(a.named))
	switch v := in[0].(type) {
	case absent:
	case *Dict:
		out = v.Clone()
	default:
		for _, item := range drain(v) {
			pair := drain(item)
			if len(pair) != 2 {
				throw("dictionary update sequence element has length %d; 2 is required", len(pair))
			}
			out.put(pair[0], pair[1])
		}
	}
	for _, k := range a.named {
		out.put(k.name, k.value)
	}
	return out
}

func namespaceOf(a *args) Value {
	ns := &namespace{NewDict(0)}
	for k, v := range dictOf(a).(*Dict).All {
		if name, ok := text(k); ok {
			ns.set(name, v)
		}
	}
	return ns
}

// set sets an attribute.
func (n *namespace) set(name string, v Value) {
	if strings.HasPrefix(name, "_") {
		throw("chat templates cannot store underscore-prefixed attributes on a namespace, but got %s", repr(name))
	}
	n.attrs.put(name, v)
}

// A cycler gives its items in turn.
type cycler struct {
	items []Value
	pos   int
}

func cyclerOf(a *args) Value {
	if len(a.items) == 0 {
		throw("at least one item has to be provided")
	}
	return &cycler{items: a.items}
}

func (c *cycler) attribute(name string) (Value, bool) {
	switch name {
	case "current":
		return c.items[c.pos], true
	case "next":
		return &function{name, func(*args) Value {
			v := c.items[c.pos]
			c.pos = (c.pos + 1) % len(c.items)
			return v
		}}, true
	case "reset":
		return &function{name, func(*args) Value { c.pos = 0; return nil }}, true
	}
	return nil, false
}

// joinerOf returns a function that returns "" when it is called first and the separator from then on.
func joinerOf(a *args) Value {
	sep := or(a.bind("joiner()", 0, "sep")[0], ", ")
	used := false
	return &function{"joiner", func(*args) Value {
		if used {
			return sep
		}
		used = true
		return ""
	}}
}

func raise(a *args) Value {
	panic(fault{&Raised{Message: str(a.bind("raise_exception", 1, "message")[0])}})
}
