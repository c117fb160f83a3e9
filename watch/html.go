package watch

import (
	"embed"
	"fmt"
	"html/template"
	"time"

	"github.com/seed-5afa5581/graft/train"
)

//go:embed parts.html page.html report.html
var files embed.FS

var pages = template.Must(template.ParseFS(files, "*.html"))

// A Fact is a line of a table.
type Fact struct{ Name, Value string }

// A Table is some facts under a title.
type Table struct {
	Title string
	Rows  []Fact
}

// A drawing is what the live page and the report have in common.
type drawing struct {
	Title  string
	Tiles  []Fact
	Loss   figure
	Rest   []figure
	Tables []Table
}

func (v view) drawing(title string, tiles []Fact, tables []Table) drawing {
	return drawing{Title: title, Tiles: tiles, Loss: v.loss(), Rest: v.rest(), Tables: tables}
}

// best returns the evaluation with the lowest loss.
func (v view) best() (best train.Evaluation, ok bool) {
	for i, e := range v.Evaluations {
		if i == 0 || e.Loss < best.Loss {
			best = e
		}
	}
	return best, len(v.Evaluations) > 0
}

// heldOut returns the loss of an evaluation, with its perplexity in the name.
func heldOut(name string, e train.Evaluation) Fact {
	return Fact{fmt.Sprintf("%s, perplexity %.3g", name, e.Perplexity()), short4(e.Loss)}
}

func short4(v float64) string { return fmt.Sprintf("%.4f", v) }

// clock writes a duration as 2:05:00, 3:04 or 41 s.
func clock(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d >= time.Hour:
		return fmt.Sprintf("%d:%02d:%02d", d/time.Hour, d%time.Hour/time.Minute, d%time.Minute/time.Second)
	case d >= time.Minute:
		return fmt.Sprintf("%d:%02d", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}
