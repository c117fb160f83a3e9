package jinja

// A kind is the kind of a token.
type kind int

const (
	endOfSource kind = iota
	data             // text between tags
	outputBegin      // {{
	outputEnd        // }}
	blockBegin       // {%
	blockEnd         // %}
	nameToken
	stringToken
	numberToken
	operator
)

// A token is a piece of the source.
type token struct {
	kind  kind
	text  string // the name, the operator, the decoded string or the text
	value Value  // of a number
	line  int
}

// is tells whether t is the operator or the keyword s.
func (t token) is(s string) bool {
	return (t.kind == operator || t.kind == nameToken) && t.text == s
}

// String describes t for an error.
func (t token) String() string {
	switch t.kind {
	case endOfSource:
		return "end of template"
	case data:
		return "text"
	case outputBegin:
		return "{{"
	case outputEnd:
		return "}}"
	case blockBegin:
		return "{%"
	case blockEnd:
		return "%}"
	case numberToken:
		return str(t.value)
	case stringToken:
		return repr(t.text)
	}
	return t.text
}
