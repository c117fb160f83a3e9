package plan

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Write writes the plan as a table for people.
func (p Plan) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, x := range p.Parts {
		if x.Bytes > 0 {
			fmt.Fprintf(t, "  %s\t%10s\n", x.Name, Bytes(x.Bytes))
		}
	}
	fmt.Fprintf(t, "  in all\t%10s\n", Bytes(p.Total()))
	if p.HostBytes > 0 {
		fmt.Fprintf(t, "  embedding, on the host\t%10s\n", Bytes(p.HostBytes))
	}
	if p.Machine.Free > 0 {
		fmt.Fprintf(t, "  free on %s\t%10s\n", p.Machine.Name, Bytes(p.Machine.Free))
	}
	return t.Flush()
}

// Bytes writes a number of bytes for people, in powers of 1000.
func Bytes(n int64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if v := float64(n) / u.size; v >= 1 {
			return fmt.Sprintf("%.4g %s", v, u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
