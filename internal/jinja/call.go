package jinja

// A function is what can be called, save macros and loops.
type function struct {
	name string
	call func(a *args) Value
}

// args are the arguments of a call.
type args struct {
	items []Value
	named []keyword
	run   *run
}

type keyword struct {
	name  string
	value Value
}

// absent stands for an argument that was not given.
type absent struct{}

// bind puts the arguments in the order of params, of which the first required must be given; absent stands for the
// others that are not.
func (a *args) bind(function string, required int, params ...string) []Value {
	if len(a.items) > len(params) {
		throw("%s takes at most %d arguments (%d given)", function, len(params), len(a.items))
	}
	out := make([]Value, len(params))
	for i := range out {
		out[i] = absent{}
	}
	copy(out, a.items)
	for _, k := range a.named {
		i := indexOf(params, k.name)
		if i < 0 {
			throw("%s got an unexpected keyword argument '%s'", function, k.name)
		}
		if i < len(a.items) {
			throw("%s got multiple values for argument '%s'", function, k.name)
		}
		out[i] = k.value
	}
	for i := range required {
		if out[i] == (absent{}) {
			throw("%s needs the argument '%s'", function, params[i])
		}
	}
	return out
}

// positional returns the arguments of a function that takes no keywords and between least and most arguments; absent
// stands for those that are not given.
func (a *args) positional(function string, least, most int) []Value {
	if len(a.named) > 0 {
		throw("%s takes no keyword arguments", function)
	}
	if len(a.items) < least || len(a.items) > most {
		throw("%s takes from %d to %d arguments (%d given)", function, least, most, len(a.items))
	}
	out := append([]Value(nil), a.items...)
	for len(out) < most {
		out = append(out, absent{})
	}
	return out
}

func indexOf(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return -1
}

// given tells whether v was given and is not None.
func given(v Value) bool { return v != nil && v != absent{} }

// or returns v, or def if v is absent.
func or(v, def Value) Value {
	if v == (absent{}) {
		return def
	}
	return v
}

// textOr returns v, which must be text, or def if v is absent.
func textOr(v Value, def string) string {
	s, ok := text(or(v, def))
	if !ok {
		mustDefined(v)
		throw("must be str, not %s", typeName(v))
	}
	return s
}

// intOr returns v, which must be an integer, or def if v is absent.
func intOr(v Value, def int) int { return mustInt(or(v, int64(def))) }

// call calls f.
func (r *run) call(f Value, a *args) Value {
	a.run = r
	r.enter()
	defer r.leave()
	switch f := f.(type) {
	case *function:
		return f.call(a)
	case *macro:
		return f.invoke(a)
	case *loop:
		return f.recurse(a)
	}
	mustDefined(f)
	throw("'%s' object is not callable", typeName(f))
	return nil
}

// isCallable tells whether f can be called.
func isCallable(f Value) bool {
	switch f.(type) {
	case *function, *macro, *loop, *undefined: // which fails when it is called
		return true
	}
	return false
}
