package jinja

import (
	"math"
	"math/big"
	"slices"
)

// getAttribute is v.name: an attribute if there is one, else an item.
func getAttribute(v Value, name string) Value {
	mustDefined(v)
	if a, ok := attribute(v, name); ok {
		return a
	}
	if d, ok := v.(*Dict); ok {
		if item, ok := d.lookup(name); ok {
			return item
		}
	}
	return missingItem(v, name)
}

// getItem is v[key]: an item if there is one, else an attribute.
func getItem(v, key Value) Value {
	mustDefined(v)
	if s, ok := key.(slice); ok {
		return getSlice(v, s)
	}
	if item, ok := itemOf(v, key); ok {
		return item
	}
	if name, ok := text(key); ok {
		if a, ok := attribute(v, name); ok {
			return a
		}
	}
	return missingItem(v, key)
}

// itemOf returns the item with a key or at a position.
func itemOf(v, key Value) (Value, bool) {
	if d, ok := v.(*Dict); ok {
		switch key.(type) {
		case *List, *Dict, *view:
			return nil, false
		}
		return d.lookup(key)
	}
	i, ok := smallInt(key)
	if !ok {
		return nil, false
	}
	n, ok := length(v)
	if i < 0 {
		i += n
	}
	if !ok || i < 0 || i >= n {
		return nil, false
	}
	switch v := v.(type) {
	case *List:
		return v.Items[i], true
	case *Tuple:
		return v.Items[i], true
	case string:
		return runeAt(v, i), true
	case markup:
		return markup(runeAt(string(v), i)), true
	case byteText:
		return int64(v[i]), true
	case *numbers:
		return v.start + int64(i)*v.step, true
	}
	return nil, false
}

// runeAt returns the i-th code point of s.
func runeAt(s string, i int) string {
	for _, r := range s {
		if i--; i < 0 {
			return string(r)
		}
	}
	return ""
}

// getSlice is v[start:stop:step].
func getSlice(v Value, s slice) Value {
	switch v := v.(type) {
	case *List:
		return list(cut(v.Items, s)...)
	case *Tuple:
		return tuple(cut(v.Items, s)...)
	case string:
		return string(cut([]rune(v), s))
	case markup:
		return markup(cut([]rune(v), s))
	case byteText:
		return byteText(cut([]byte(v), s))
	case *numbers:
		throw("slices of ranges are not supported")
	}
	throw("'%s' object is not subscriptable", typeName(v))
	return nil
}

// cut returns the elements of a slice, with Python's rules for negative and missing bounds.
func cut[T any](items []T, s slice) []T {
	n := len(items)
	step := 1
	if s.step != nil {
		if step = sliceInt(s.step); step == 0 {
			throw("slice step cannot be zero")
		}
	}
	start, stop := 0, n
	if step < 0 {
		start, stop = n-1, -1
	}
	if s.start != nil {
		start = bound(sliceInt(s.start), n, step)
	}
	if s.stop != nil {
		stop = bound(sliceInt(s.stop), n, step)
	}
	if step == 1 {
		return slices.Clone(items[start:max(start, stop)])
	}
	var out []T
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		out = append(out, items[i])
	}
	return out
}

func sliceInt(v Value) int {
	n, ok := smallInt(v)
	if !ok {
		throw("slice indices must be integers or None, not %s", typeName(v))
	}
	return n
}

// bound turns a position of a slice into one between the ends of n items.
func bound(i, n, step int) int {
	if i < 0 {
		i += n
	}
	if step < 0 {
		return max(min(i, n-1), -1)
	}
	return max(min(i, n), 0)
}

// attribute returns an attribute of v: a method in most cases.
func attribute(v Value, name string) (Value, bool) {
	switch v := v.(type) {
	case string:
		if m, ok := textAttribute(v, v, name); ok {
			return m, true
		}
	case markup:
		if m, ok := textAttribute(v, string(v), name); ok {
			return m, true
		}
	case *Dict:
		return dictAttribute(v, name)
	case *List:
		if slices.Contains(listChanges, name) {
			return unsafeAttribute("list", name), true
		}
		return sequenceAttribute(v, v.Items, name)
	case *Tuple:
		if i := indexOf(v.names, name); i >= 0 {
			return v.Items[i], true
		}
		return sequenceAttribute(v, v.Items, name)
	case *namespace:
		return v.attrs.lookup(name)
	case *loop:
		return v.attribute(name)
	case *cycler:
		return v.attribute(name)
	case *macro:
		return v.attribute(name)
	case byteText:
		if name == "decode" {
			return &function{name, func(*args) Value { return string(v) }}, true
		}
	case bool, int64, *big.Int, float64:
		if a, ok := numberAttribute(v, name); ok {
			return a, true
		}
	case *numbers:
		if at, ok := v.attribute(name); ok {
			return at, true
		}
	}
	checkSupported(v, name)
	return nil, false
}

// attribute returns a bound or the step of a range.
func (n *numbers) attribute(name string) (Value, bool) {
	switch name {
	case "start":
		return n.start, true
	case "stop":
		return n.stop, true
	case "step":
		return n.step, true
	}
	return nil, false
}

// numberAttribute returns the parts of a number.
func numberAttribute(v Value, name string) (Value, bool) {
	n, isInt := asInt(v)
	switch {
	case name == "real" && isInt, name == "numerator" && isInt:
		return integer(n), true
	case name == "real":
		return v, true
	case name == "imag" && isInt:
		return int64(0), true
	case name == "imag":
		return 0.0, true
	case name == "denominator" && isInt:
		return int64(1), true
	case name == "conjugate":
		return &function{name, func(*args) Value { return unary("+", v) }}, true
	case name == "bit_length" && isInt:
		return &function{name, func(*args) Value { return int64(n.BitLen()) }}, true
	case name == "is_integer" && !isInt:
		return &function{name, func(*args) Value { f := v.(float64); return f == math.Trunc(f) }}, true
	}
	return nil, false
}

// unsupported are the attributes that Python's types have and that this package does not. They are errors, since
// anything else would be undefined.
var unsupported = map[string][]string{
	"str":       {"translate", "maketrans"},
	"Markup":    {"translate", "maketrans", "striptags", "unescape", "escape"},
	"int":       {"as_integer_ratio", "bit_count", "from_bytes", "to_bytes"},
	"bool":      {"as_integer_ratio", "bit_count", "from_bytes", "to_bytes"},
	"float":     {"as_integer_ratio", "fromhex", "hex"},
	"range":     {"count", "index"},
	"dict_keys": {"isdisjoint", "mapping"}, "dict_items": {"isdisjoint", "mapping"}, "dict_values": {"mapping"},
	"generator": {"close", "send", "throw", "gi_code", "gi_frame", "gi_running", "gi_suspended", "gi_yieldfrom"},
	"bytes": {"capitalize", "center", "count", "endswith", "expandtabs", "find", "fromhex", "hex", "index", "isalnum",
		"isalpha", "isascii", "isdigit", "islower", "isspace", "istitle", "isupper", "join", "ljust", "lower", "lstrip",
		"maketrans", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition",
		"rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "translate", "upper", "zfill"},
}

func checkSupported(v Value, name string) {
	if slices.Contains(unsupported[typeName(v)], name) {
		throw("the attribute %s of %s is not supported", repr(name), typeName(v))
	}
}

// Methods that change their object; the sandbox lets nobody call them.
var (
	listChanges = []string{"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"}
	dictChanges = []string{"clear", "pop", "popitem", "setdefault", "update"}
)

func unsafeAttribute(who, name string) *undefined {
	return &undefined{"access to attribute '" + name + "' of '" + who + "' object is unsafe."}
}

func dictAttribute(d *Dict, name string) (Value, bool) {
	if slices.Contains(dictChanges, name) {
		return unsafeAttribute("dict", name), true
	}
	var call func(a *args) Value
	switch name {
	case "keys", "values", "items":
		call = func(a *args) Value {
			a.positional(name+"()", 0, 0)
			return &view{d, name}
		}
	case "copy":
		call = func(a *args) Value {
			a.positional("copy()", 0, 0)
			return d.Clone()
		}
	case "get":
		call = func(a *args) Value {
			in := a.positional("get()", 1, 2)
			if v, ok := d.lookup(in[0]); ok {
				return v
			}
			return or(in[1], nil)
		}
	case "fromkeys":
		call = fromKeys
	default:
		return nil, false
	}
	return &function{name, call}, true
}

func fromKeys(a *args) Value {
	in := a.positional("fromkeys()", 1, 2)
	d := NewDict(0)
	for _, k := range drain(in[0]) {
		d.put(k, or(in[1], nil))
	}
	return d
}

// sequenceAttribute returns a method that lists and tuples have.
func sequenceAttribute(v Value, items []Value, name string) (Value, bool) {
	_, isList := v.(*List)
	switch {
	case name == "index":
		return &function{name, func(a *args) Value { return int64(indexIn(items, a)) }}, true
	case name == "count":
		return &function{name, func(a *args) Value {
			n, in := int64(0), a.positional("count()", 1, 1)
			for _, item := range items {
				if equal(item, in[0]) {
					n++
				}
			}
			return n
		}}, true
	case name == "copy" && isList:
		return &function{name, func(*args) Value { return list(items...) }}, true
	}
	return nil, false
}

func indexIn(items []Value, a *args) int {
	in := a.positional("index()", 1, 3)
	from := bound(intOr(in[1], 0), len(items), 1)
	to := bound(intOr(in[2], len(items)), len(items), 1)
	for i := from; i < to; i++ {
		if equal(items[i], in[0]) {
			return i
		}
	}
	throw("%s is not in list", repr(in[0]))
	return -1
}
