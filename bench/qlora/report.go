package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/seed-5afa5581/graft/quant"
)

// An experiment is one run and what came of it. The losses are means over the
// labels of the held-out records, in nats.
type experiment struct {
	name       string
	base       *quant.Config // nil for the base as stored
	aware      float64       // share of merge-aware steps
	rate       float64       // peak learning rate; train's own if 0
	curve      []float64     // loss of each step
	adapted    float64       // the adapter on its base
	training   float64       // merged into the values of the quantised base
	again      float64       // the same, quantised again
	dense      float64       // merged into the dense base
	denseAgain float64       // the same, quantised
}

// quantized returns how the merged model is quantised: as the base, or in NF4.
func (e *experiment) quantized() *quant.Config {
	if e.base == nil {
		return nf4
	}
	return e.base
}

func (e *experiment) row() string {
	return fmt.Sprintf("| %s | %.4f | %.4f | %.4f | %.4f | %.4f | %.4f |", e.name, e.lately(50), e.adapted, e.training, e.again, e.dense, e.denseAgain)
}

// lately returns the mean loss of the last n steps.
func (e *experiment) lately(n int) (mean float64) {
	last := e.curve[max(0, len(e.curve)-n):]
	for _, l := range last {
		mean += l / float64(len(last))
	}
	return mean
}

func table() string {
	var b strings.Builder
	b.WriteString("| run | training, last 50 steps | adapter on its base | merged, training | merged, quantised again | merged, dense | merged dense, then quantised |\n|---|---|---|---|---|---|---|\n")
	for _, e := range runs {
		fmt.Fprintln(&b, e.row())
	}
	return b.String()
}

func writeCSV(path string) error {
	var b strings.Builder
	b.WriteString("step")
	for _, e := range runs {
		fmt.Fprintf(&b, ",%q", e.name)
	}
	b.WriteByte('\n')
	for i := range runs[0].curve {
		fmt.Fprint(&b, i+1)
		for _, e := range runs {
			b.WriteByte(',')
			if i < len(e.curve) {
				fmt.Fprintf(&b, "%.4f", e.curve[i])
			}
		}
		b.WriteByte('\n')
	}
	return os.WriteFile(path, []byte(b.String()), 0o666)
}

// The chart's size and margins, in SVG's units, and the steps that a point of a
// curve is the mean of.
const (
	width, height        = 720, 360
	left, right          = 50, 12
	top, bottom          = 14, 34
	smoothed             = 10
	plotWidth, plotDepth = width - left - right, height - top - bottom
)

// writeSVG draws the first two experiments, means of ten steps a point.
func writeSVG(path string) error {
	shown := runs[:min(2, len(runs))]
	low, high := bounds(shown)
	y := func(loss float64) float64 { return top + plotDepth*(high-loss)/(high-low) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	for tick := low; tick < high+0.01; tick += 0.1 {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.1f</text>`+"\n", left, y(tick), width-right, left-6, y(tick)+4, tick)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">loss of steps 1 to %d, the mean of ten a point</text>`+"\n", left+plotWidth/2, height-10, len(shown[0].curve))
	for i, e := range shown {
		colour := []string{"#1f6fb4", "#d1495b"}[i]
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>`+"\n", colour, points(e.means(), y))
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="%s">%s</text>`+"\n", width-right-8, top+18+18*i, colour, e.name)
	}
	b.WriteString("</svg>\n")
	return os.WriteFile(path, []byte(b.String()), 0o666)
}

// means returns the mean loss of each ten steps.
func (e *experiment) means() (m []float64) {
	for i := 0; i+smoothed <= len(e.curve); i += smoothed {
		sum := 0.
		for _, l := range e.curve[i : i+smoothed] {
			sum += l
		}
		m = append(m, sum/smoothed)
	}
	return m
}

// bounds returns tenths around every point of the curves.
func bounds(shown []*experiment) (low, high float64) {
	lowest, highest := 1000, 0
	for _, e := range shown {
		for _, l := range e.means() {
			lowest, highest = min(lowest, int(l*10)), max(highest, int(l*10)+1)
		}
	}
	return float64(lowest) / 10, float64(highest) / 10
}

func points(means []float64, y func(float64) float64) string {
	var b strings.Builder
	for i, l := range means {
		fmt.Fprintf(&b, "%.1f,%.1f ", left+plotWidth*(float64(i)+0.5)/float64(len(means)), y(l))
	}
	return strings.TrimSpace(b.String())
}
