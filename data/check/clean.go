package check

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"

	"github.com/seed-5afa5581/graft/data"
)

// Removable are the kinds that Clean removes if not told otherwise: rows that teach
// nothing, or nothing new.
var Removable = []Kind{Unreadable, NothingLearned, EmptyAnswer, Duplicate}

// A Removal is a row that Clean has left out.
type Removal struct {
	Source string `json:"source"` // file:line
	Kind   Kind   `json:"kind"`
	Why    string `json:"why"`
}

// Clean writes the rows that have no finding of some kinds, one JSON object a
// line with the columns that they came with, and returns how many were kept and
// which were not. Of duplicates the first stays. A file that cannot be read to its
// end is an error.
func Clean(w io.Writer, f *data.Files, r *data.Renderer, remove []Kind) (kept int, removed []Removal, err error) {
	c := New()
	var row Facts // the row at hand, which may have several records
	var why *Removal
	flush := func() error {
		switch {
		case row.Row.JSON == nil:
		case why != nil:
			removed = append(removed, *why)
		default:
			kept++
			return writeRow(w, row.Row.JSON)
		}
		return nil
	}
	for facts, err := range data.Map(f, r, func(i data.Item) Facts { return Look(i, r) }) {
		if err != nil {
			return kept, removed, err
		}
		if facts.Row.Place != row.Row.Place {
			if err := flush(); err != nil {
				return kept, removed, err
			}
			row, why = facts, nil
		}
		for _, x := range c.Add(facts) {
			if why == nil && slices.Contains(remove, x.Kind) {
				why = &Removal{x.Source, x.Kind, x.Text}
			}
		}
	}
	return kept, removed, flush()
}

// writeRow writes a row in one line.
func writeRow(w io.Writer, row []byte) error {
	var line bytes.Buffer
	if err := json.Compact(&line, row); err != nil {
		return err
	}
	line.WriteByte('\n')
	_, err := w.Write(line.Bytes())
	return err
}
