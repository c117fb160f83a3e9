package watch

import (
	"fmt"
	"io"

	"github.com/seed-5afa5581/graft/internal/atomicfile"
)

// A Report is a run on one page that loads nothing: curves, samples and tables.
type Report struct {
	Title, Subtitle string
	History         *History
	Comparisons     []Comparison
	Tables          []Table // configuration, data, hashes, versions
	Footer          string
}

// A Comparison is what the model made of a prompt before and after training.
type Comparison struct {
	Prompt, Before, After string
	Reference             string // what the data has; may be empty
}

// Write writes the report as HTML.
func (r Report) Write(w io.Writer) error {
	v := r.History.view()
	page := struct {
		drawing
		Subtitle, Footer string
		Comparisons      []Comparison
	}{v.drawing(r.Title, v.summary(), r.Tables), r.Subtitle, r.Footer, r.Comparisons}
	if err := pages.ExecuteTemplate(w, "report.html", page); err != nil {
		return fmt.Errorf("watch: report: %w", err)
	}
	return nil
}

// WriteFile writes the report to a file, whole or not at all.
func (r Report) WriteFile(path string) error { return atomicfile.Write(path, r.Write) }

// summary returns the numbers at the top of a report.
func (v view) summary() []Fact {
	var list []Fact
	if n := len(v.Points); n > 0 {
		list = append(list, Fact{"loss at first", short4(v.Points[0].Loss)}, Fact{"loss at last, smoothed", short4(v.Last.Smoothed)})
	}
	if best, ok := v.best(); ok {
		list = append(list, heldOut("best held-out loss", best))
	}
	return append(list, Fact{"steps", whole(float64(v.Last.N))}, Fact{"tokens", whole(float64(v.Tokens))}, Fact{"time in steps", clock(v.Spent)})
}
