package jinja

import (
	"math"
	"math/big"
	"strconv"
)

// A Dict is a dictionary; it keeps the order in which keys came first. The zero value is empty.
type Dict struct {
	entries []entry
	index   map[any]int
}

type entry struct{ key, value Value }

// NewDict returns a dictionary of the given size to come.
func NewDict(size int) *Dict {
	return &Dict{entries: make([]entry, 0, size), index: make(map[any]int, size)}
}

// Len returns the number of entries.
func (d *Dict) Len() int { return len(d.entries) }

// Get returns the value of a key that is text.
func (d *Dict) Get(key string) (Value, bool) { return d.lookup(key) }

// Set gives a key that is text a value. Only those who make a dictionary may call it.
func (d *Dict) Set(key string, v Value) { d.put(key, v) }

// All calls yield with every entry in order.
func (d *Dict) All(yield func(key, value Value) bool) {
	for _, e := range d.entries {
		if !yield(e.key, e.value) {
			return
		}
	}
}

// Without returns a copy that lacks the entries for which drop is true.
func (d *Dict) Without(drop func(key, value Value) bool) *Dict {
	out := NewDict(d.Len())
	for k, v := range d.All {
		if !drop(k, v) {
			out.put(k, v)
		}
	}
	return out
}

// Clone returns a copy that can be changed without changing d.
func (d *Dict) Clone() *Dict { return d.Without(func(_, _ Value) bool { return false }) }

func (d *Dict) lookup(key Value) (Value, bool) {
	i, ok := d.index[hashable(key)]
	if !ok {
		return nil, false
	}
	return d.entries[i].value, true
}

func (d *Dict) put(key, v Value) {
	h := hashable(key)
	if i, ok := d.index[h]; ok {
		d.entries[i].value = v
		return
	}
	if d.index == nil {
		d.index = map[any]int{}
	}
	d.index[h] = len(d.entries)
	d.entries = append(d.entries, entry{key, v})
}

// A tupleHash stands for a tuple, a bigHash for an integer beyond int64.
type (
	tupleHash string
	bigHash   string
)

// hashable returns something comparable that is the same for equal keys. It stops on lists and dictionaries.
func hashable(v Value) any { return hashAt(v, 0) }

// hashAt is hashable for what is held by depth levels.
func hashAt(v Value, depth int) any {
	checkNesting(depth)
	switch v := v.(type) {
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<62 {
			return int64(v)
		}
	case *big.Int:
		return bigHash(v.String())
	case markup:
		return string(v)
	case *undefined:
		return undefined{}
	case *Tuple:
		s := ""
		for _, item := range v.Items {
			part := tupleKey(hashAt(item, depth+1))
			s += strconv.Itoa(len(part)) + ":" + part
		}
		return tupleHash(s)
	case *List, *Dict, *view, slice:
		throw("unhashable type: '%s'", typeName(v))
	}
	return v
}

// tupleKey writes what hashable returned so that different things differ.
func tupleKey(h any) string {
	switch h := h.(type) {
	case string:
		return "s" + h
	case tupleHash:
		return "t" + string(h)
	case int64:
		return "i" + strconv.FormatInt(h, 10)
	case float64:
		return "f" + formatFloat(h)
	case bigHash:
		return "b" + string(h)
	case nil:
		return "n"
	case undefined:
		return "u"
	}
	throw("unhashable type in a tuple: '%s'", typeName(h))
	return ""
}
