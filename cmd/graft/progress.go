package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/seed-5afa5581/graft/train"
)

// A progress shows a run: one line that changes on a terminal, a line a step
// elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	loss     float64 // smoothed
	shown    bool
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

func (p *progress) show(s train.Step) {
	if !p.terminal {
		fmt.Fprintf(p.w, "step %d/%d  loss %.4f  accuracy %.3f  lr %.2e  norm %.3f  %.0f tok/s  left %s\n",
			s.N, s.Of, s.Loss, s.Accuracy, s.LR, s.GradNorm, s.TokensPerSec, s.Left.Round(time.Second))
		return
	}
	if !p.shown {
		p.loss = s.Loss
	}
	p.loss += (s.Loss - p.loss) * 0.1
	const width = 24
	done := width * s.N / s.Of
	fmt.Fprintf(p.w, "\r\x1b[K%s%s %d/%d  loss %.4f  norm %.2f  %.0f tok/s  %s left",
		strings.Repeat("█", done), strings.Repeat("░", width-done), s.N, s.Of, p.loss, s.GradNorm, s.TokensPerSec, s.Left.Round(time.Second))
	p.shown = true
}

// end leaves the line for what comes next.
func (p *progress) end() {
	if p.shown {
		fmt.Fprintln(p.w)
		p.shown = false
	}
}
