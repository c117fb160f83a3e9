package jinja

import (
	"slices"
	"sort"
	"strconv"
	"strings"
)

// path returns the function that looks up an attribute such as "a.b.0" of an item. What is undefined on the way
// becomes def, unless that is None.
func path(attribute, def Value) func(Value) Value {
	parts := pathParts(attribute)
	return func(v Value) Value {
		for _, part := range parts {
			v = getItem(v, part)
			if given(def) && isUndefined(v) {
				v = def
			}
		}
		return v
	}
}

func pathParts(attribute Value) []Value {
	s, ok := text(attribute)
	if !ok {
		if !given(attribute) {
			return nil
		}
		return []Value{attribute}
	}
	var parts []Value
	for _, part := range strings.Split(s, ".") {
		if n, err := strconv.ParseInt(part, 10, 64); err == nil && strings.Trim(part, "0123456789") == "" {
			parts = append(parts, n)
		} else {
			parts = append(parts, part)
		}
	}
	return parts
}

// foldKey lowers text, for comparing without case.
func foldKey(v Value) Value {
	if s, ok := text(v); ok {
		return lower(s)
	}
	return v
}

// key returns path, without case unless it is asked for.
func key(attribute, def, caseSensitive Value) func(Value) Value {
	get := path(attribute, def)
	if truth(or(caseSensitive, false)) {
		return get
	}
	return func(v Value) Value { return foldKey(get(v)) }
}

// sorted returns items in the order of their keys, equal ones in the order that they have.
func sorted(items []Value, key func(Value) Value, reverse bool) []Value {
	type keyed struct{ item, key Value }
	list := make([]keyed, len(items))
	for i, item := range items {
		list[i] = keyed{item, key(item)}
	}
	sort.SliceStable(list, func(i, j int) bool {
		if reverse {
			i, j = j, i
		}
		return order("<", list[i].key, list[j].key)
	})
	out := make([]Value, len(list))
	for i, k := range list {
		out[i] = k.item
	}
	return out
}

func sortFilter(a *args) Value {
	in := a.bind("sort", 1, "value", "reverse", "case_sensitive", "attribute")
	attributes := []Value{or(in[3], nil)}
	if s, ok := text(in[3]); ok {
		attributes = nil
		for _, part := range strings.Split(s, ",") {
			attributes = append(attributes, part)
		}
	}
	var keys []func(Value) Value
	for _, attribute := range attributes {
		keys = append(keys, key(attribute, nil, in[2]))
	}
	all := func(v Value) Value {
		k := list()
		for _, key := range keys {
			k.Items = append(k.Items, key(v))
		}
		return k
	}
	return list(sorted(drain(in[0]), all, truth(or(in[1], false)))...)
}

func dictSort(a *args) Value {
	in := a.bind("dictsort", 1, "value", "case_sensitive", "by", "reverse")
	d, ok := in[0].(*Dict)
	if !ok {
		mustDefined(in[0])
		throw("'%s' object has no attribute 'items'", typeName(in[0]))
	}
	at := map[string]int64{"key": 0, "value": 1}
	pos, ok := at[textOr(in[2], "key")]
	if !ok {
		throw(`you can only sort by either "key" or "value"`)
	}
	return list(sorted(drain(&view{d, "items"}), key(pos, nil, in[1]), truth(or(in[3], false)))...)
}

func unique(a *args) Value {
	in := a.bind("unique", 1, "value", "case_sensitive", "attribute")
	get, seen := key(in[2], nil, in[1]), map[any]bool{}
	return selected(in[0], func(v Value) (Value, bool) {
		h := hashable(get(v))
		if seen[h] {
			return nil, false
		}
		seen[h] = true
		return v, true
	})
}

// extreme makes min or max.
func extreme(op string) func(a *args) Value {
	return func(a *args) Value {
		in := a.bind("min or max", 1, "value", "case_sensitive", "attribute")
		get := key(in[2], nil, in[1])
		items := drain(in[0])
		if len(items) == 0 {
			return &undefined{"no aggregated item, sequence was empty"}
		}
		best := items[0]
		bestKey := get(best)
		for _, item := range items[1:] {
			if k := get(item); order(op, k, bestKey) {
				best, bestKey = item, k
			}
		}
		return best
	}
}

func groupBy(a *args) Value {
	in := a.bind("groupby", 2, "value", "attribute", "default", "case_sensitive")
	def := or(in[2], nil)
	get, written := key(in[1], def, in[3]), path(in[1], def)
	out := list()
	var last Value
	for i, item := range sorted(drain(in[0]), get, false) {
		k := get(item)
		if i == 0 || !equal(k, last) {
			out.Items = append(out.Items, &Tuple{[]Value{written(item), list()}, []string{"grouper", "list"}})
		}
		last = k
		group := out.Items[len(out.Items)-1].(*Tuple).Items[1].(*List)
		group.Items = append(group.Items, item)
	}
	return out
}

func joinFilter(a *args) Value {
	in := a.bind("join", 1, "value", "d", "attribute")
	get, separator := path(in[2], nil), str(or(in[1], ""))
	var b strings.Builder
	next := items(in[0])
	for i := 0; ; i++ {
		item, ok := next()
		if !ok {
			return b.String()
		}
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(str(get(item)))
		checkText(b.Len())
	}
}

func sum(a *args) Value {
	in := a.bind("sum", 1, "iterable", "attribute", "start")
	total := or(in[2], int64(0))
	if _, ok := text(total); ok {
		throw("sum() can't sum strings")
	}
	get := path(in[1], nil)
	for _, item := range drain(in[0]) {
		total = binary("+", total, get(item))
	}
	return total
}

func first(a *args) Value {
	if v, ok := items(a.bind("first", 1, "seq")[0])(); ok {
		return v
	}
	return &undefined{"no first item, sequence was empty"}
}

func last(a *args) Value {
	next := backwards(a.bind("last", 1, "seq")[0])
	if next == nil {
		throw("'%s' object is not reversible", typeName(a.items[0]))
	}
	if v, ok := next(); ok {
		return v
	}
	return &undefined{"no last item, sequence was empty"}
}

// backwards returns what gives v's items from the last on, or nil if Python cannot reverse v.
func backwards(v Value) func() (Value, bool) {
	switch v.(type) {
	case *List, *Tuple, *Dict, *view, *numbers, string, markup, byteText, *undefined:
		all := slices.Clone(drain(v))
		slices.Reverse(all)
		return overItems(all)
	}
	return nil
}

func reverse(a *args) Value {
	v := a.bind("reverse", 1, "value")[0]
	if s, ok := text(v); ok {
		r := []rune(s)
		slices.Reverse(r)
		return likeText(v, string(r))
	}
	mustIterate(v)
	if next := backwards(v); next != nil {
		return &generator{next, typeName(v) + "_reverseiterator"}
	}
	all := slices.Clone(drain(v))
	slices.Reverse(all)
	return list(all...)
}

func mustIterate(v Value) {
	if _, ok := iterate(v); !ok {
		throw("argument must be iterable")
	}
}

func listFilter(a *args) Value {
	return list(slices.Clone(drain(a.bind("list", 1, "value")[0]))...)
}

func itemsFilter(a *args) Value {
	v := a.bind("items", 1, "value")[0]
	d, ok := v.(*Dict)
	if !ok && !isUndefined(v) {
		return lazy(func() (Value, bool) { throw("can only get item pairs from a mapping"); return nil, false })
	}
	if !ok {
		d = NewDict(0)
	}
	return lazy((&view{d, "items"}).iterate())
}

func attr(a *args) Value {
	in := a.bind("attr", 2, "obj", "name")
	mustDefined(in[0])
	if v, ok := attribute(in[0], textOr(in[1], "")); ok {
		return v
	}
	return missingItem(in[0], in[1])
}

func mapFilter(a *args) Value {
	v, rest := a.items[0], &args{items: a.items[1:], named: a.named, run: a.run}
	return deferred(func() func() (Value, bool) {
		if !truth(v) {
			return overItems(nil)
		}
		return mapped(v, rest.mapping()).next
	})
}

// mapping returns what map's arguments ask for: a filter, or the attribute of an item.
func (a *args) mapping() func(Value) Value {
	if len(a.items) > 0 {
		return func(item Value) Value { return filterNamed(str(a.items[0]))(a.shifted(item)) }
	}
	in := a.bind("map", 1, "attribute", "default")
	return path(in[0], or(in[1], nil))
}

// shifted returns the arguments with item in place of the name in front.
func (a *args) shifted(item Value) *args {
	return &args{items: append([]Value{item}, a.items[1:]...), named: a.named, run: a.run}
}

// selectFilter makes select, reject, selectattr or rejectattr.
func selectFilter(name string, ofAttribute, keep bool) func(a *args) Value {
	return func(a *args) Value {
		v, rest := a.items[0], &args{items: a.items[1:], named: a.named, run: a.run}
		return deferred(func() func() (Value, bool) {
			if !truth(v) {
				return overItems(nil)
			}
			holds := rest.condition(name, ofAttribute)
			return selected(v, func(item Value) (Value, bool) { return item, holds(item) == keep }).next
		})
	}
}

// condition returns what select's arguments ask for: a test, or truth, of an item or its attribute.
func (a *args) condition(name string, ofAttribute bool) func(Value) bool {
	get, rest := path(nil, nil), &args{items: a.items, named: a.named, run: a.run}
	if ofAttribute {
		if len(a.items) == 0 {
			throw("%s: missing parameter for attribute name", name)
		}
		get, rest.items = path(a.items[0], nil), a.items[1:]
	}
	if len(rest.items) == 0 {
		return func(item Value) bool { return truth(get(item)) }
	}
	return func(item Value) bool { return truth(testNamed(str(rest.items[0]))(rest.shifted(get(item)))) }
}

func batch(a *args) Value {
	in := a.bind("batch", 2, "value", "linecount", "fill_with")
	return deferred(func() func() (Value, bool) { return batches(items(in[0]), in[1], in[2]) })
}

// batches gives lists of size items; the last is filled up.
func batches(next func() (Value, bool), size, fill Value) func() (Value, bool) {
	done := false
	full := func(n int) bool { return n > 0 && equal(int64(n), size) }
	return func() (Value, bool) {
		line := list()
		for !done && !full(len(line.Items)) {
			item, ok := next()
			if done = !ok; ok {
				line.Items = append(line.Items, item)
			}
		}
		if n := len(line.Items); given(fill) && n > 0 {
			for range mustInt(size) - n {
				line.Items = append(line.Items, fill)
				checkText(16 * len(line.Items))
			}
		}
		return line, len(line.Items) > 0
	}
}

func sliceFilter(a *args) Value {
	in := a.bind("slice", 2, "value", "slices", "fill_with")
	return deferred(func() func() (Value, bool) { return slicesOf(drain(in[0]), mustInt(in[1]), in[2]) })
}

// slicesOf gives n lists of about the same size; the shorter ones are filled up.
func slicesOf(all []Value, n int, fill Value) func() (Value, bool) {
	if n == 0 {
		throw("integer division or modulo by zero")
	}
	i, offset := 0, 0
	size, extra := len(all)/max(n, 1), len(all)%max(n, 1)
	return func() (Value, bool) {
		if i >= n {
			return nil, false
		}
		start := offset + i*size
		if i < extra {
			offset++
		}
		part := list(slices.Clone(all[start : offset+(i+1)*size])...)
		if given(fill) && i >= extra {
			part.Items = append(part.Items, fill)
		}
		i++
		return part, true
	}
}
