package watch

import (
	"html/template"

	"github.com/seed-5afa5581/graft/train"
)

// A figure is a chart on a page.
type figure struct {
	Title  string
	Legend []key
	SVG    template.HTML
}

// A key names a line of a figure.
type key struct{ Class, Name string }

func (c chart) figure() figure {
	f := figure{Title: c.title, SVG: c.svg()}
	for _, l := range c.lines {
		if l.name != "" && len(l.x) > 0 {
			f.Legend = append(f.Legend, key{l.class, l.name})
		}
	}
	return f
}

// Sizes of charts, in the units of their numbers: those of a page that shows one
// wide chart, or two beside each other.
const (
	wide, tall   = 1010.0, 320.0
	narrow, flat = 490.0, 150.0
)

// loss returns the chart of the losses.
func (v view) loss() figure {
	raw, smoothed := v.curve(func(s train.Step) float64 { return s.Loss }), v.curve(func(s train.Step) float64 { return s.Smoothed })
	raw.class, raw.name, smoothed.class, smoothed.name = "raw", "each step", "main", "smoothed"
	held := line{class: "held", name: "held-out", dots: true}
	for _, e := range v.Evaluations {
		held.x, held.y = append(held.x, float64(e.Step)), append(held.y, e.Loss)
	}
	held.dots = len(held.x) <= 60
	return chart{title: "Loss, nats a label", lines: []line{raw, smoothed, held}, width: wide, height: tall}.figure()
}

// rest returns the charts of everything else.
func (v view) rest() []figure {
	one := func(title string, format func(float64) string, zero bool, value func(s train.Step) float64) figure {
		l := v.curve(value)
		l.class = "main"
		return chart{title: title, lines: []line{l}, format: format, width: narrow, height: flat, zero: zero}.figure()
	}
	list := []figure{
		one("Learning rate", nil, true, func(s train.Step) float64 { return s.LR }),
		one("Gradient norm, before clipping", nil, true, func(s train.Step) float64 { return s.GradNorm }),
		one("Tokens a second", whole, true, func(s train.Step) float64 { return s.TokensPerSec }),
	}
	if v.Last.Memory > 0 {
		list = append(list, one("Resident memory", bytes, true, func(s train.Step) float64 { return float64(s.Memory) }))
	}
	return list
}

func (v view) curve(value func(train.Step) float64) (l line) {
	for _, p := range v.Points {
		l.x, l.y = append(l.x, float64(p.N)), append(l.y, value(p))
	}
	return l
}
