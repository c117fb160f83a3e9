package watch

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		from, to float64
		n        int
		want     string
	}{
		{0, 10, 5, "[0 2 4 6 8 10]"}, {0.13, 0.91, 4, "[0.2 0.4 0.6 0.8]"}, {1, 400, 8, "[50 100 150 200 250 300 350 400]"},
		{-3, 3, 3, "[-2 0 2]"}, {0, 2e-4, 4, "[0 5e-05 0.0001 0.00015 0.0002]"},
	} {
		got, _ := ticks(span{c.from, c.to}, c.n)
		for i := range got {
			got[i], _ = strconv.ParseFloat(fmt.Sprintf("%.12g", got[i]), 64)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("ticks from %v to %v: %v, want %s", c.from, c.to, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for want, got := range map[string]string{
		"1234": whole(1234), "2.50": plain(0.05)(2.5), "40": plain(20)(40), "0": plain(0.5)(math.Copysign(0, -1)), "0.3": plain(0.1)(0.3), "1e-4": plain(5e-5)(1e-4), "12.5k": whole(12500), "3M": whole(3e6), "1.5": short(1.5), "2e-4": short(2e-4), "0.333": short(0.333),
		"1.07 GB": bytes(1 << 30), "12 B": bytes(12), "3.5 MB": bytes(3.5e6), "-2.5e-5": short(-2.5e-5),
		"2:05:00": clock(125 * time.Minute), "3:04": clock(184 * time.Second), "41 s": clock(41 * time.Second),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Charts are well-formed and stay within their frame, whatever the values.
func TestChart(t *testing.T) {
	for name, y := range map[string][]float64{
		"falling": {3, 2, 1}, "flat": {2, 2, 2}, "zero": {0, 0, 0}, "one": {1}, "none": nil, "gaps": {1, math.NaN(), 2, math.Inf(1), 3},
		"all gaps": {math.NaN(), math.NaN()}, "negative": {-1, -2}, "huge": {1e300, -1e300}, "tiny": {1e-300, 2e-300},
	} {
		for _, zero := range []bool{false, true} {
			l := line{class: "main", y: y, dots: true}
			for i := range y {
				l.x = append(l.x, float64(10*i))
			}
			svg := string(chart{title: "a <chart>", lines: []line{l}, format: short, width: narrow, height: flat, zero: zero}.svg())
			for d := xml.NewDecoder(strings.NewReader(svg)); ; {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("%s: %v in %s", name, err, svg)
				}
			}
			for _, p := range regexp.MustCompile(`(?:[ML]|cx=")([^" ]+)(?: |" cy=")([^"MLH]+)`).FindAllStringSubmatch(svg, -1) {
				px, err1 := strconv.ParseFloat(p[1], 64)
				py, err2 := strconv.ParseFloat(p[2], 64)
				if err1 != nil || err2 != nil || px < 0 || px > narrow || py < 0 || py > flat {
					t.Errorf("%s: point %s", name, p[0])
				}
			}
			if n := len(regexp.MustCompile(`class="(grid|none)"`).FindAllString(svg, -1)); n == 0 || n > 12 {
				t.Errorf("%s: %d grid lines", name, n)
			}
		}
	}
}
