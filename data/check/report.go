package check

import (
	"math/bits"

	"github.com/seed-5afa5581/graft/data"
)

// A Report is what a checker found.
type Report struct {
	Files    []File         `json:"files"`
	Passed   []Passed       `json:"passed_over,omitempty"`
	Records  int            `json:"records"`
	Left     int            `json:"left_out"`         // of them, without a sample
	Eval     int            `json:"eval,omitempty"`   // records of the eval set
	Shapes   map[string]int `json:"shapes"`           // records by shape
	Scripts  map[string]int `json:"scripts"`          // records by the script that most of their letters have
	Samples  int            `json:"samples"`          // 0 without a tokenizer, as all that follows
	Tokens   int            `json:"tokens"`           //
	Learned  int            `json:"learned"`          // tokens that carry a loss
	Lengths  Histogram      `json:"lengths"`          // samples by their length in tokens
	Counts   map[Kind]int   `json:"counts"`           // findings by kind
	Findings []Finding      `json:"findings"`         // up to 100 of each kind
	Limits   []string       `json:"limits,omitempty"` // what was not looked for
}

// File is a file that was read.
type File struct {
	Path        string `json:"path"`
	Format      string `json:"format"`
	Compression string `json:"compression,omitempty"`
	Encoding    string `json:"encoding,omitempty"`
}

// Passed is a file that was passed over.
type Passed struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

func (r *Report) files(f *data.Files) {
	for _, x := range f.List {
		r.Files = append(r.Files, File{x.Path, string(x.Format), x.Compression, x.Encoding})
	}
	for _, p := range f.Passed {
		r.Passed = append(r.Passed, Passed(p))
	}
}

// Worst returns the highest severity of the findings, and whether there are any.
func (r *Report) Worst() (worst Severity, any bool) {
	for k := range r.Counts {
		worst, any = max(worst, kinds[k].severity), true
	}
	return worst, any
}

// A Histogram counts lengths by powers of two: bin i has those from 2^(i-1) to
// below 2^i.
type Histogram struct {
	Bins []int `json:"bins"`
	Max  int   `json:"max"`
}

func (h *Histogram) add(n int) {
	i := bits.Len(uint(n))
	for len(h.Bins) <= i {
		h.Bins = append(h.Bins, 0)
	}
	h.Bins[i]++
	h.Max = max(h.Max, n)
}

// Quantile returns an upper bound of the length that a share of the samples does not
// exceed.
func (h *Histogram) Quantile(share float64) int {
	total := 0
	for _, n := range h.Bins {
		total += n
	}
	sum := 0
	for i, n := range h.Bins {
		if sum += n; float64(sum) >= share*float64(total) && sum > 0 {
			return min(1<<i-1, h.Max)
		}
	}
	return h.Max
}
