package jinja

import (
	"cmp"
	"math"
	"math/big"
	"strings"
)

// equal is Python's a == b.
func equal(a, b Value) bool { return equalAt(a, b, 0) }

// equalAt is equal for what is held by depth levels.
func equalAt(a, b Value, depth int) bool {
	checkNesting(depth)
	if x, ok := text(a); ok {
		y, same := text(b)
		return same && x == y
	}
	if isNumber(a) {
		return isNumber(b) && compareNumbers(a, b) == 0
	}
	switch a := a.(type) {
	case *List:
		b, ok := b.(*List)
		return ok && equalItems(a.Items, b.Items, depth+1)
	case *Tuple:
		b, ok := b.(*Tuple)
		return ok && equalItems(a.Items, b.Items, depth+1)
	case *Dict:
		b, ok := b.(*Dict)
		return ok && equalDicts(a, b, depth+1)
	case *undefined:
		_, ok := b.(*undefined)
		return ok
	case *numbers:
		b, ok := b.(*numbers)
		return ok && equalItems(drain(a), drain(b), depth+1)
	case *view:
		b, ok := b.(*view)
		return ok && a.kind == b.kind && a.kind != "values" && equalSets(a, b, depth+1)
	}
	return a == b // pointers, or two of None
}

func equalItems(a, b []Value, depth int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equalAt(a[i], b[i], depth) {
			return false
		}
	}
	return true
}

func equalDicts(a, b *Dict, depth int) bool {
	if a.Len() != b.Len() {
		return false
	}
	for k, v := range a.All {
		if w, ok := b.lookup(k); !ok || !equalAt(v, w, depth) {
			return false
		}
	}
	return true
}

// equalSets compares the keys or items of two dictionaries without their order.
func equalSets(a, b *view, depth int) bool {
	if a.kind == "items" {
		return equalDicts(a.dict, b.dict, depth)
	}
	for k := range a.dict.All {
		if _, ok := b.dict.lookup(k); !ok {
			return false
		}
	}
	return a.dict.Len() == b.dict.Len()
}

// unordered is what compareNumbers returns for NaN.
const unordered = 2

// compareNumbers compares exactly, integers of any size with floats too.
func compareNumbers(a, b Value) int {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	}
	for _, v := range []Value{a, b} {
		if f, ok := v.(float64); ok && math.IsNaN(f) {
			return unordered
		}
	}
	return exact(a).Cmp(exact(b))
}

func exact(v Value) *big.Float {
	if f, ok := v.(float64); ok {
		return big.NewFloat(f)
	}
	n, _ := asInt(v)
	return new(big.Float).SetInt(n)
}

// order compares for op, one of < <= > >=. It stops if Python cannot.
func order(op string, a, b Value) bool {
	mustDefined(a)
	mustDefined(b)
	if c, ok := compare(op, a, b); ok {
		switch op {
		case "<":
			return c < 0
		case "<=":
			return c <= 0
		case ">":
			return c > 0 && c != unordered
		}
		return c >= 0 && c != unordered
	}
	throw("'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
	return false
}

// compare returns -1, 0, 1 or unordered; false if the two have no order.
func compare(op string, a, b Value) (int, bool) {
	if x, ok := text(a); ok {
		y, ok := text(b)
		return strings.Compare(x, y), ok
	}
	if isNumber(a) && isNumber(b) {
		return compareNumbers(a, b), true
	}
	switch x := a.(type) {
	case *List:
		if y, ok := b.(*List); ok {
			return compareItems(op, x.Items, y.Items), true
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			return compareItems(op, x.Items, y.Items), true
		}
	}
	return 0, false
}

// compareItems compares by the first items that differ, then by length.
func compareItems(op string, a, b []Value) int {
	for i := range min(len(a), len(b)) {
		if equal(a[i], b[i]) {
			continue
		}
		if order(op, a[i], b[i]) == (op[0] == '<') {
			return -1
		}
		return 1
	}
	return cmp.Compare(len(a), len(b))
}

// contains is Python's item in v.
func contains(v, item Value) bool {
	switch c := v.(type) {
	case string, markup:
		s, _ := text(c)
		sub, ok := text(item)
		if !ok {
			mustDefined(item)
			throw("'in <string>' requires string as left operand, not %s", typeName(item))
		}
		return strings.Contains(s, sub)
	case *Dict:
		_, ok := c.lookup(item)
		return ok
	case *view:
		if c.kind == "keys" {
			_, ok := c.dict.lookup(item)
			return ok
		}
	}
	next, ok := iterate(v)
	if !ok {
		throw("argument of type '%s' is not iterable", typeName(v))
	}
	for x, ok := next(); ok; x, ok = next() {
		if equal(x, item) {
			return true
		}
	}
	return false
}
