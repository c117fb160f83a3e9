package show

import (
	"fmt"
	"io"
	"strings"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// Escape sequences of terminals.
const (
	green = "\x1b[32m"
	faint = "\x1b[2m"
	cyan  = "\x1b[36m"
	plain = "\x1b[0m"
)

// Text writes a sample for a terminal: what is learned in green, or between ⟦ and
// ⟧ without color.
func Text(w io.Writer, t *tokenizer.Tokenizer, s data.Sample, color bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "── %s: %d tokens, %d learned\n", s.Source, len(s.Tokens), s.Learned())
	segments := Segments(t, s)
	for i, x := range segments {
		text := strings.ReplaceAll(x.Text, "\n", "↵\n")
		switch {
		case !color:
			if x.Learned && (i == 0 || !segments[i-1].Learned) {
				text = "⟦" + text
			}
			if x.Learned && (i+1 == len(segments) || !segments[i+1].Learned) {
				text += "⟧"
			}
			b.WriteString(text)
			continue
		case x.Learned:
			b.WriteString(green)
		default:
			b.WriteString(faint)
		}
		if x.Special {
			b.WriteString(cyan)
		}
		b.WriteString(text + plain)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}
