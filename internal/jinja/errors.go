package jinja

import (
	"errors"
	"fmt"
)

// A Raised is the error of a template that calls raise_exception.
type Raised struct {
	Message string // the template's own words
	Line    int
}

func (e *Raised) Error() string {
	return fmt.Sprintf("jinja: line %d: the template raised: %s", e.Line, e.Message)
}

// A failure is what the lexer, the parser and the walk panic with; Parse and Render return its error. The methods of
// nodes would otherwise be mostly checks of errors.
type failure struct{ err error }

// A fault is an error whose line is not known yet.
type fault struct{ err error }

// throw stops with an error of the line that is running.
func throw(format string, args ...any) { panic(fault{fmt.Errorf(format, args...)}) }

// throwAt stops with an error of a given line.
func throwAt(line int, format string, args ...any) {
	panic(failure{fmt.Errorf("jinja: line %d: %w", line, fmt.Errorf(format, args...))})
}

// locate gives the fault that is under way a line. Statements defer it.
func locate(line int) {
	switch r := recover().(type) {
	case nil:
	case fault:
		if raised := new(Raised); errors.As(r.err, &raised) {
			raised.Line = line
			panic(failure{raised})
		}
		throwAt(line, "%w", r.err)
	default:
		panic(r)
	}
}

// catch turns a failure into an error. Parse and Render defer it.
func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case failure:
		*err = r.err
	case fault:
		*err = fmt.Errorf("jinja: %w", r.err)
	default:
		panic(r)
	}
}
