package watch

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// A line is one curve of a chart.
type line struct {
	class string // of its style: raw, main or held
	name  string // in the legend; none if empty
	x, y  []float64
	dots  bool // whether to mark its points
}

// A chart is lines over a common axis of steps.
type chart struct {
	title         string
	lines         []line
	format        func(float64) string // of the values on the axis; plain numbers if nil
	width, height float64
	zero          bool // whether the axis begins at 0
}

// Room around the frame of a chart, for the numbers.
const (
	gapLeft   = 52.0
	gapRight  = 14.0
	gapTop    = 10.0
	gapBottom = 24.0
)

// svg draws the chart. Its colours come from the classes of the page around it.
func (c chart) svg() template.HTML {
	xs, ys := c.bounds()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="%s" viewBox="0 0 %g %g" role="img" aria-label="%s">`, c.class(), c.width, c.height, template.HTMLEscapeString(c.title))
	f := frame{x: xs, y: ys, width: c.width - gapLeft - gapRight, height: c.height - gapTop - gapBottom}
	if f.y.empty() {
		fmt.Fprintf(&b, `<text class="none" x="%g" y="%g">no step yet</text></svg>`, c.width/2, c.height/2)
		return template.HTML(b.String())
	}
	c.axes(&b, f)
	for _, l := range c.lines {
		l.draw(&b, f)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// class tells the page whether the chart is wide.
func (c chart) class() string {
	if c.width > narrow {
		return "wide"
	}
	return "narrow"
}

// A span is a range of numbers.
type span struct{ from, to float64 }

func (s span) empty() bool { return !(s.from <= s.to) }

func (s *span) take(v float64) {
	if drawable(v) {
		s.from, s.to = min(s.from, v), max(s.to, v)
	}
}

// bounds returns the ranges that the axes show.
func (c chart) bounds() (x, y span) {
	x, y = span{math.Inf(1), math.Inf(-1)}, span{math.Inf(1), math.Inf(-1)}
	for _, l := range c.lines {
		for i := range l.x {
			x.take(l.x[i])
			y.take(l.y[i])
		}
	}
	if c.zero && !y.empty() {
		y.take(0)
	}
	pad := 0.04 * (y.to - y.from)
	if pad == 0 {
		pad = max(1e-9, 0.1*math.Abs(y.to))
	}
	y.to += pad
	if !c.zero || y.from != 0 {
		y.from -= pad
	}
	if x.from == x.to {
		x.to++
	}
	return x, y
}

// A frame places values in a drawing.
type frame struct {
	x, y          span
	width, height float64
}

func (f frame) at(x, y float64) (px, py float64) {
	return gapLeft + f.width*(x-f.x.from)/(f.x.to-f.x.from), gapTop + f.height*(f.y.to-y)/(f.y.to-f.y.from)
}

// axes draws grid lines and their numbers.
func (c chart) axes(b *strings.Builder, f frame) {
	ys, size := ticks(f.y, max(2, int(f.height/36)))
	format := c.format
	if format == nil {
		format = plain(size)
	}
	for _, y := range ys {
		_, py := f.at(f.x.from, y)
		fmt.Fprintf(b, `<path class="grid" d="M%.1f %.1fH%.1f"/><text class="y" x="%.1f" y="%.1f">%s</text>`,
			gapLeft, py, c.width-gapRight, gapLeft-8, py+4, template.HTMLEscapeString(format(y)))
	}
	xs, _ := ticks(f.x, int(f.width/90))
	for _, x := range xs {
		if x != math.Trunc(x) {
			continue
		}
		px, _ := f.at(x, f.y.from)
		fmt.Fprintf(b, `<text class="x" x="%.1f" y="%.1f">%s</text>`, px, c.height-6, whole(x))
	}
}

// ticks returns about n round numbers in a span, and their distance.
func ticks(s span, n int) (list []float64, size float64) {
	raw := (s.to - s.from) / float64(n)
	size = math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if size*m >= raw {
			size *= m
			break
		}
	}
	for i := math.Ceil(s.from / size); i*size <= s.to; i++ {
		list = append(list, i*size)
	}
	return list, size
}

// draw adds the line, broken where a value is not finite.
func (l line) draw(b *strings.Builder, f frame) {
	var path strings.Builder
	move := true
	for i := range l.x {
		if !drawable(l.y[i]) {
			move = true
			continue
		}
		px, py := f.at(l.x[i], l.y[i])
		path.WriteString(map[bool]string{true: "M", false: "L"}[move])
		path.WriteString(strconv.FormatFloat(px, 'f', 1, 64) + " " + strconv.FormatFloat(py, 'f', 1, 64))
		move = false
	}
	fmt.Fprintf(b, `<path class="%s" d="%s"/>`, l.class, path.String())
	if !l.dots && len(l.x) > 1 {
		return
	}
	for i := range l.x {
		if drawable(l.y[i]) {
			px, py := f.at(l.x[i], l.y[i])
			fmt.Fprintf(b, `<circle class="%s" cx="%.1f" cy="%.1f" r="3"/>`, l.class, px, py)
		}
	}
}

func drawable(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// plain formats numbers that lie size apart with as many digits as that takes.
func plain(size float64) func(float64) string {
	if size < 1e-3 {
		return short
	}
	digits := max(0, int(math.Ceil(-math.Log10(size)-1e-9)))
	return func(v float64) string {
		if digits == 0 || v == 0 {
			return whole(v)
		}
		return strconv.FormatFloat(v, 'f', digits, 64)
	}
}

// whole writes large numbers with three digits.
func whole(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0" // and not -0
	case a >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 3, 64) + "M"
	case a >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 3, 64) + "k"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// short writes small numbers with three digits.
func short(v float64) string {
	if v != 0 && (math.Abs(v) < 1e-3 || math.Abs(v) >= 1e5) {
		digits, power, _ := strings.Cut(strconv.FormatFloat(v, 'e', 2, 64), "e")
		n, _ := strconv.Atoi(power)
		return strings.TrimRight(strings.TrimRight(digits, "0"), ".") + "e" + strconv.Itoa(n)
	}
	return strconv.FormatFloat(math.Round(v*1e4)/1e4, 'f', -1, 64)
}

// bytes writes a size in memory.
func bytes(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, " GB"}, {1e6, " MB"}, {1e3, " kB"}} {
		if math.Abs(v) >= u.size {
			return strconv.FormatFloat(v/u.size, 'g', 3, 64) + u.name
		}
	}
	return whole(v) + " B"
}
