package check

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Print writes the report for people: the files, what is in them, then findings
// from the worst kind down, with so many examples of each.
func (r *Report) Print(w io.Writer, examples int) error {
	var b strings.Builder
	r.printFiles(&b)
	r.printCounts(&b)
	for _, k := range r.worstFirst() {
		r.printKind(&b, k, examples)
	}
	if len(r.Counts) == 0 {
		b.WriteString("no findings\n")
	}
	for _, l := range r.Limits {
		fmt.Fprintf(&b, "(%s)\n", l)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Summary writes a line for each kind of at least a severity: how many there are,
// and the first.
func (r *Report) Summary(w io.Writer, least Severity) error {
	for _, k := range r.worstFirst() {
		i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Kind == k })
		if kinds[k].severity < least || i < 0 {
			continue
		}
		f := r.Findings[i]
		if _, err := fmt.Fprintf(w, "%s: %s (%d): %s: %s\n", f.Severity, k, r.Counts[k], f.Source, f.Text); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) printFiles(b *strings.Builder) {
	for _, f := range r.Files {
		fmt.Fprintf(b, "%s: %s", f.Path, f.Format)
		for _, more := range []string{f.Compression, f.Encoding} {
			if more != "" && more != "UTF-8" {
				b.WriteString(", " + more)
			}
		}
		b.WriteByte('\n')
	}
	for _, p := range r.Passed {
		fmt.Fprintf(b, "%s: passed over: %s\n", p.Path, p.Why)
	}
}

func (r *Report) printCounts(b *strings.Builder) {
	fmt.Fprintf(b, "records   %d: %s", r.Records, shares(r.Shapes, "without a shape"))
	if r.Left > 0 {
		fmt.Fprintf(b, "; %d left out", r.Left)
	}
	if r.Eval > 0 {
		fmt.Fprintf(b, "; %d for evaluation", r.Eval)
	}
	b.WriteByte('\n')
	if len(r.Scripts) > 0 {
		fmt.Fprintf(b, "scripts   %s\n", shares(r.Scripts, ""))
	}
	if r.Samples == 0 {
		return
	}
	fmt.Fprintf(b, "samples   %d of %d tokens, %d of them learned (%.0f %%)\n", r.Samples, r.Tokens, r.Learned, 100*float64(r.Learned)/float64(r.Tokens))
	fmt.Fprintf(b, "lengths   half up to %d, 95 %% up to %d, longest %d\n", r.Lengths.Quantile(0.5), r.Lengths.Quantile(0.95), r.Lengths.Max)
	r.Lengths.print(b)
}

// print draws a bar for each bin.
func (h *Histogram) print(b *strings.Builder) {
	const width = 40
	most := slices.Max(h.Bins)
	for i, n := range h.Bins {
		if n > 0 {
			fmt.Fprintf(b, "%15s %s %d\n", fmt.Sprintf("%d-%d", (1<<i)/2, 1<<i-1), strings.Repeat("#", max(1, n*width/most)), n)
		}
	}
}

// shares lists counts, the largest first; none names the empty key.
func shares(counts map[string]int, none string) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if d := counts[b] - counts[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for i, n := range names {
		word := n
		if n == "" {
			word = none
		}
		names[i] = fmt.Sprintf("%s %d", word, counts[n])
	}
	return strings.Join(names, ", ")
}

// worstFirst lists the kinds that were found.
func (r *Report) worstFirst() []Kind {
	return slices.SortedFunc(maps.Keys(r.Counts), func(a, b Kind) int {
		if d := int(kinds[b].severity) - int(kinds[a].severity); d != 0 {
			return d
		}
		return strings.Compare(string(a), string(b))
	})
}

func (r *Report) printKind(b *strings.Builder, k Kind, examples int) {
	fmt.Fprintf(b, "\n%s: %s (%d): %s\n", kinds[k].severity, k, r.Counts[k], kinds[k].remedy)
	shown := 0
	for _, f := range r.Findings {
		if f.Kind != k || shown == examples {
			continue
		}
		shown++
		fmt.Fprintf(b, "  %s: %s\n", f.Source, f.Text)
	}
	if more := r.Counts[k] - shown; more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
}
