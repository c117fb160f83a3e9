package jinja

import (
	"math/big"
	"strings"
)

// A Value is one of Python's: nil for None, bool, int64, *big.Int (only where int64 does not hold it), float64, string,
// *List, *Tuple or *Dict, or one that only templates make.
type Value = any

// A List is a list.
type List struct{ Items []Value }

// A Tuple is a tuple. Its items may have names, too.
type Tuple struct {
	Items []Value
	names []string
}

// An undefined is what a missing name or attribute gives: empty text, false, an empty sequence, and an error for
// anything else.
type undefined struct{ message string }

// Other values that templates make.
type (
	markup    string // text that needs no escaping
	byteText  string // bytes
	namespace struct{ attrs *Dict }
	numbers   struct{ start, stop, step int64 } // a range
	view      struct {
		dict *Dict
		kind string // keys, values or items
	}
	generator struct {
		next func() (Value, bool)
		kind string
	}
	slice struct{ start, stop, step Value } // a subscript with colons
)

func list(items ...Value) *List   { return &List{Items: items} }
func tuple(items ...Value) *Tuple { return &Tuple{Items: items} }

// typeName is Python's name of v's type.
func typeName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case markup:
		return "Markup"
	case byteText:
		return "bytes"
	case *List:
		return "list"
	case *Tuple:
		return "tuple"
	case *Dict:
		return "dict"
	case *undefined:
		return "Undefined"
	case *numbers:
		return "range"
	case *view:
		return "dict_" + v.kind
	case *generator:
		return v.kind
	case *namespace:
		return "Namespace"
	case *macro:
		return "Macro"
	case *loop:
		return "LoopContext"
	case slice:
		return "slice"
	}
	return "function"
}

// truth is Python's bool(v).
func truth(v Value) bool {
	switch v := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case *big.Int, *generator, *namespace, *macro, *function, *cycler:
		return true
	}
	if n, ok := length(v); ok {
		return n > 0
	}
	return true
}

// length is Python's len(v); false for what has none.
func length(v Value) (int, bool) {
	switch v := v.(type) {
	case string:
		return runes(v), true
	case markup:
		return runes(string(v)), true
	case byteText:
		return len(v), true
	case *List:
		return len(v.Items), true
	case *Tuple:
		return len(v.Items), true
	case *Dict:
		return v.Len(), true
	case *view:
		return v.dict.Len(), true
	case *numbers:
		return int(v.len()), true
	case *undefined:
		return 0, true
	case *loop:
		return v.length(), true
	}
	return 0, false
}

// len returns how many numbers there are.
func (n *numbers) len() int64 {
	switch {
	case n.step > 0 && n.start < n.stop:
		return int64((uint64(n.stop-n.start)-1)/uint64(n.step)) + 1
	case n.step < 0 && n.start > n.stop:
		return int64((uint64(n.start-n.stop)-1)/-uint64(n.step)) + 1
	}
	return 0
}

// text returns v if it is text.
func text(v Value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	}
	return "", false
}

// mustDefined stops if v is undefined.
func mustDefined(v Value) {
	if u, ok := v.(*undefined); ok {
		throw("%s", u.message)
	}
}

// missingName is what a name without a value gives.
func missingName(name string) *undefined { return &undefined{repr(name) + " is undefined"} }

// missingItem is what v gives for an attribute or a key that it lacks.
func missingItem(v, key Value) *undefined {
	who := typeName(v) + " object"
	if v == nil {
		who = "None"
	}
	if name, ok := text(key); ok {
		return &undefined{repr(who) + " has no attribute " + repr(name)}
	}
	return &undefined{who + " has no element " + repr(key)}
}

// maxText limits the text that a template can make, in bytes.
const maxText = 256 << 20

// checkText stops if n bytes of text are too many.
func checkText(n int) {
	if n > maxText {
		throw("text of more than %d bytes", maxText)
	}
}

// maxNesting limits how deeply lists and dictionaries may hold each other where something walks through them.
const maxNesting = 1000

func checkNesting(depth int) {
	if depth > maxNesting {
		throw("values nest more than %d levels deep", maxNesting)
	}
}

// runes returns the number of code points of s.
func runes(s string) int {
	n := 0
	for range s {
		n++
	}
	return n
}

// repeat returns s n times.
func repeat(s string, n int64) string {
	if n <= 0 || s == "" {
		return ""
	}
	if n > int64(maxText/len(s)) {
		checkText(maxText + 1)
	}
	return strings.Repeat(s, int(n))
}
