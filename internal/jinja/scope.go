package jinja

// A scope holds the names of one frame while a template is parsed. Names get their places by jinja2's rules
// (its module idtracking): what a name means in a frame is settled before any of it runs.
type scope struct {
	parent *scope
	slots  *slots
	refs   map[string]int  // places of the names that the frame has itself
	loads  map[int]load    // what a place holds when the frame is entered
	stores map[string]bool // names that the frame sets
}

// slots numbers the names of a frame; the branches of an if share them.
type slots struct{ numbers map[string]int }

// A load is what a place holds at first: a parameter or nothing, a variable of the context, or what an outer frame has.
type load struct {
	how   loading
	name  string
	outer ref
}

type loading int

const (
	loadNothing loading = iota
	loadContext
	loadOuter
)

// A ref is where a variable is: how many frames up, and which place there.
type ref struct{ up, slot int }

func newScope(parent *scope) *scope {
	return &scope{parent: parent, slots: &slots{map[string]int{}}, refs: map[string]int{}, loads: map[int]load{},
		stores: map[string]bool{}}
}

// find returns where a name is, from s or a frame around it.
func (s *scope) find(name string) (ref, bool) {
	for up := 0; s != nil; up, s = up+1, s.parent {
		if slot, ok := s.refs[name]; ok {
			return ref{up, slot}, true
		}
	}
	return ref{}, false
}

// outer is find from the frame around s, as seen from there.
func (s *scope) outer(name string) (ref, bool) {
	if s.parent == nil {
		return ref{}, false
	}
	return s.parent.find(name)
}

func (s *scope) define(name string, l load) int {
	slot, ok := s.slots.numbers[name]
	if !ok {
		slot = len(s.slots.numbers)
		s.slots.numbers[name] = slot
	}
	s.refs[name], s.loads[slot] = slot, l
	return slot
}

// read notes that the frame reads a name.
func (s *scope) read(name string) {
	if _, ok := s.find(name); !ok {
		s.define(name, load{how: loadContext, name: name})
	}
}

// store notes that the frame sets a name. Until then it has the value of the frame around it.
func (s *scope) store(name string) {
	s.stores[name] = true
	if _, ok := s.refs[name]; ok {
		return
	}
	if outer, ok := s.outer(name); ok {
		s.define(name, load{how: loadOuter, outer: outer})
		return
	}
	s.define(name, load{})
}

// parameter notes that whoever enters the frame sets a name.
func (s *scope) parameter(name string) int {
	s.stores[name] = true
	return s.define(name, load{})
}

// branch returns a copy of s for a branch of an if.
func (s *scope) branch() *scope {
	c := &scope{parent: s.parent, slots: s.slots, refs: map[string]int{}, loads: map[int]load{}, stores: map[string]bool{}}
	copyTo(c, s)
	return c
}

func copyTo(dst, src *scope) {
	for k, v := range src.refs {
		dst.refs[k] = v
	}
	for k, v := range src.loads {
		dst.loads[k] = v
	}
	for k := range src.stores {
		dst.stores[k] = true
	}
}

// merge takes up what the branches of an if have set. As not every branch need have run, such names begin with
// what they were.
func (s *scope) merge(branches ...*scope) {
	set := map[string]bool{}
	for _, b := range branches {
		for name := range b.stores {
			if !s.stores[name] {
				set[name] = true
			}
		}
	}
	for _, b := range branches {
		copyTo(s, b)
	}
	for name := range set {
		at, _ := s.find(name)
		if outer, ok := s.outer(name); ok {
			s.loads[at.slot] = load{how: loadOuter, outer: outer}
		} else {
			s.loads[at.slot] = load{how: loadContext, name: name}
		}
	}
}

// readAll notes the names that expressions read.
func (s *scope) readAll(list ...expr) {
	for _, e := range list {
		switch e := e.(type) {
		case nil:
		case *variable:
			s.read(e.id)
		default:
			e.each(func(sub expr) { s.readAll(sub) })
		}
	}
}

// bindAll gives the names in expressions their places.
func (s *scope) bindAll(list ...expr) {
	for _, e := range list {
		switch e := e.(type) {
		case nil:
		case *variable:
			e.at, _ = s.find(e.id)
		default:
			e.each(func(sub expr) { s.bindAll(sub) })
		}
	}
}

// storeTarget notes the names that an assignment sets; as parameters if the frame is entered with them.
func (s *scope) storeTarget(t expr, parameters bool) {
	switch t := t.(type) {
	case *variable:
		if parameters {
			s.parameter(t.id)
		} else {
			s.store(t.id)
		}
	case *attributeTarget:
		s.read(t.object.id)
	case *tupleExpr:
		for _, item := range t.items {
			s.storeTarget(item, parameters)
		}
	}
}

// body settles the names of the statements of a frame, for which s was made.
func (s *scope) body(list []stmt) {
	for _, st := range list {
		st.declare(s)
	}
	for _, st := range list {
		st.bind(s)
	}
}
