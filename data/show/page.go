package show

import (
	_ "embed"
	"html/template"
	"io"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

// A Page is samples on a page of HTML that needs nothing else.
type Page struct {
	Title   string
	Samples []View
}

// A View is a sample on a page.
type View struct {
	Source          string
	Tokens, Learned int
	Segments        []Segment
}

// Add puts a sample on the page.
func (p *Page) Add(t *tokenizer.Tokenizer, s data.Sample) {
	p.Samples = append(p.Samples, View{s.Source, len(s.Tokens), s.Learned(), Segments(t, s)})
}

// Write writes the page.
func (p *Page) Write(w io.Writer) error { return page.Execute(w, p) }
