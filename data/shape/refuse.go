package shape

import (
	"fmt"
	"slices"
	"strings"
)

// refuse is the error of a row without a shape: its columns, and how to make
// the nearest shape of them.
func (r *Reader) refuse(c columns) error {
	best, score := r.shapes[0], -1.0
	for _, s := range r.shapes {
		if n := s.nearness(c); n > score {
			best, score = s, n
		}
	}
	advice := "rename columns with a field map, such as prompt=COLUMN and completion=COLUMN"
	if fields := best.fill(c); score > 0 && fields != "" {
		advice = "say " + fields
	}
	return fmt.Errorf("columns %s: no shape that graft knows; the nearest is %s (%s): %s", c, best.name, best, advice)
}

// String tells what a shape needs.
func (s shape) String() string {
	var parts []string
	for _, names := range s.need {
		parts = append(parts, strings.Join(names, " or "))
	}
	return strings.Join(parts, ", and ")
}

// nearness is the share of needs that some column fills, by its name or by one
// like it.
func (s shape) nearness(c columns) float64 {
	n := 0.0
	for _, names := range s.need {
		if slices.ContainsFunc(names, c.has) {
			n++
		} else if _, column := alike(names, c); column != "" {
			n += 0.5
		}
	}
	return n / float64(len(s.need))
}

// fill writes the fields that would give the columns this shape.
func (s shape) fill(c columns) string {
	var fields []string
	for _, names := range s.need {
		if slices.ContainsFunc(names, c.has) {
			continue
		}
		name, column := alike(names, c)
		if column == "" {
			name, column = names[0], "COLUMN"
		}
		fields = append(fields, "--field "+name+"="+column)
	}
	return strings.Join(fields, " ")
}

// alike finds a column that is named nearly as a need is.
func alike(names []string, c columns) (name, column string) {
	for _, name := range names {
		for _, column := range c.names() {
			low := strings.ToLower(column)
			if len(name) > 3 && (strings.Contains(low, name) || distance(low, name) <= 2) {
				return name, column
			}
		}
	}
	return "", ""
}

// distance counts the letters to insert, delete or change between two names
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
