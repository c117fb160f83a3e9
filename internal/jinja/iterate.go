package jinja

// iterate returns what gives v's items one by one; false if Python cannot iterate over v.
func iterate(v Value) (next func() (Value, bool), ok bool) {
	switch v := v.(type) {
	case *List:
		return overItems(v.Items), true
	case *Tuple:
		return overItems(v.Items), true
	case *Dict:
		return (&view{v, "keys"}).iterate(), true
	case *view:
		return v.iterate(), true
	case *numbers:
		return v.iterate(), true
	case *generator:
		return v.next, true
	case *undefined:
		return overItems(nil), true
	case string:
		return overRunes(v, func(s string) Value { return s }), true
	case markup:
		return overRunes(string(v), func(s string) Value { return markup(s) }), true
	case byteText:
		i := -1
		return func() (Value, bool) {
			if i++; i >= len(v) {
				return nil, false
			}
			return int64(v[i]), true
		}, true
	}
	return nil, false
}

// items is iterate for what must be iterable.
func items(v Value) func() (Value, bool) {
	next, ok := iterate(v)
	if !ok {
		throw("'%s' object is not iterable", typeName(v))
	}
	return next
}

// drain returns all of v's items.
func drain(v Value) []Value {
	if l, ok := v.(*List); ok {
		return l.Items
	}
	var out []Value
	next := items(v)
	for item, ok := next(); ok; item, ok = next() {
		out = append(out, item)
	}
	return out
}

func overItems(items []Value) func() (Value, bool) {
	i := 0
	return func() (Value, bool) {
		if i == len(items) {
			return nil, false
		}
		i++
		return items[i-1], true
	}
}

func overRunes(s string, wrap func(string) Value) func() (Value, bool) {
	return func() (Value, bool) {
		for i := range s {
			if i > 0 {
				head := s[:i]
				s = s[i:]
				return wrap(head), true
			}
		}
		if s == "" {
			return nil, false
		}
		last := s
		s = ""
		return wrap(last), true
	}
}

func (v *view) iterate() func() (Value, bool) {
	i := 0
	return func() (Value, bool) {
		if i == v.dict.Len() {
			return nil, false
		}
		e := v.dict.entries[i]
		i++
		switch v.kind {
		case "keys":
			return e.key, true
		case "values":
			return e.value, true
		}
		return tuple(e.key, e.value), true
	}
}

func (n *numbers) iterate() func() (Value, bool) {
	i, count := int64(0), n.len()
	return func() (Value, bool) {
		if i == count {
			return nil, false
		}
		i++
		return n.start + (i-1)*n.step, true
	}
}

// lazy returns a generator.
func lazy(next func() (Value, bool)) *generator { return &generator{next, "generator"} }

// deferred is the generator that start begins when its first item is asked for.
func deferred(start func() func() (Value, bool)) *generator {
	var next func() (Value, bool)
	return lazy(func() (Value, bool) {
		if next == nil {
			next = start()
		}
		return next()
	})
}

// mapped is the generator of f of each of v's items. Nothing happens before the first is asked for.
func mapped(v Value, f func(Value) Value) *generator {
	return selected(v, func(item Value) (Value, bool) { return f(item), true })
}

// selected is the generator of those of v's items, changed, that f keeps.
func selected(v Value, f func(Value) (Value, bool)) *generator {
	return deferred(func() func() (Value, bool) {
		next := items(v)
		return func() (Value, bool) {
			for item, ok := next(); ok; item, ok = next() {
				if out, keep := f(item); keep {
					return out, true
				}
			}
			return nil, false
		}
	})
}
