package shape

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/data/rows"
)

// Options say what columns mean where their names do not. The zero value
// recognises every shape by itself.
type Options struct {
	// Shape is the name of the only shape to accept; "" for any.
	Shape string `json:"shape,omitempty"`
	// Fields maps the names that shapes know, such as "question" or "messages", to
	// the columns of the file. A path with dots leads into objects and lists:
	// "meta.turns.0.text".
	Fields map[string]string `json:"fields,omitempty"`
	// Tags name the keys and the roles of messages.
	Tags Tags `json:"tags,omitzero"`
}

// Tags are the names that messages use beside the usual ones, which are role or
// from, content or value, user or human, and so on.
type Tags struct {
	Role     string `json:"role,omitempty"`    // the key of the role
	Content  string `json:"content,omitempty"` // the key of what is said
	User     string `json:"user,omitempty"`    // the role of who asks
	Answerer string `json:"assistant,omitempty"`
	System   string `json:"system,omitempty"`
	Result   string `json:"observation,omitempty"` // the role of what a tool gave
	Call     string `json:"function,omitempty"`    // the role of an assistant that calls a tool
}

// A Reader makes records of rows. It is safe for concurrent use.
type Reader struct {
	options Options
	shapes  []shape
}

// NewReader checks the options.
func NewReader(o Options) (*Reader, error) {
	r := &Reader{options: o, shapes: shapes()}
	var faults []error
	if o.Shape != "" {
		i := slices.IndexFunc(r.shapes, func(s shape) bool { return s.name == o.Shape })
		if i < 0 {
			faults = append(faults, fmt.Errorf("data: there is no shape %q, only %s", o.Shape, strings.Join(Names(), ", ")))
		} else {
			r.shapes = r.shapes[i : i+1]
		}
	}
	known := knownColumns()
	for name := range o.Fields {
		if !slices.Contains(known, name) {
			faults = append(faults, fmt.Errorf("data: field %s: no shape has that column; they have %s", name, strings.Join(known, ", ")))
		}
	}
	return r, errors.Join(faults...)
}

// Read returns the records of a row: one, unless the shape has several in a row.
// The error names the place, the columns found and the nearest shape.
func (r *Reader) Read(row rows.Row) ([]Record, error) {
	fields, err := row.Fields()
	if err != nil {
		return nil, err
	}
	records, err := r.read(newColumns(fields))
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", row.Place, err)
	}
	for i := range records {
		records[i].Place = row.Place
	}
	return records, nil
}

func (r *Reader) read(c columns) ([]Record, error) {
	if err := c.rename(r.options.Fields); err != nil {
		return nil, err
	}
	s := r.find(c)
	if s == nil {
		return nil, r.refuse(c)
	}
	records, err := s.read(match{r, s, c})
	if err != nil {
		return nil, fmt.Errorf("%w (read as %s)", err, s.name)
	}
	weight, err := c.weight()
	for i := range records {
		records[i].Shape, records[i].Weight = s.name, weight
		if records[i].Messages != nil {
			records[i].leaveEmpty()
		}
	}
	return records, err
}

// find returns the first shape whose columns are there. Those that are null
// count if nothing else is found: an answer may be missing in one row.
func (r *Reader) find(c columns) *shape {
	for _, has := range []func(string) bool{c.has, c.named} {
		for i := range r.shapes {
			if r.shapes[i].fits(c, has) {
				return &r.shapes[i]
			}
		}
	}
	return nil
}

// weight reads the column weight.
func (c columns) weight() (float64, error) {
	w := 1.0
	if c.has("weight") && json.Unmarshal(c["weight"], &w) != nil {
		return 0, fmt.Errorf("column weight is not a number but %s", kind(c["weight"]))
	}
	if w <= 0 {
		return 0, fmt.Errorf("column weight is %v: must be positive; leave the row out instead", w)
	}
	return w, nil
}
