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

// Observe shows an event.
func (p *progress) Observe(e train.Event) error {
	switch x := e.(type) {
	case train.Step:
		p.show(x)
	case train.Evaluation:
		p.end()
		fmt.Fprintf(p.w, "held out after %d steps: loss %.4f  perplexity %.2f  accuracy %.3f\n", x.Step, x.Loss, x.Perplexity(), x.Accuracy)
	case train.Saved:
		if x.Err != nil {
			p.end()
			fmt.Fprintf(p.w, "no snapshot after %d steps: %v\n", x.Step, x.Err)
		}
	case train.Stopped:
		p.end()
		fmt.Fprintf(p.w, "stopped after %d steps: no evaluation has been better than the one after %d\n", x.Step, x.Best.Step)
	}
	return nil
}

func (p *progress) show(s train.Step) {
	if s.Alarm != train.NoAlarm {
		p.end()
		fmt.Fprintf(p.w, "step %d: %s of the loss: %.4f, average %.4f\n", s.N, s.Alarm, s.Loss, s.Smoothed)
	}
	if !p.terminal {
		fmt.Fprintf(p.w, "step %d/%d  loss %.4f  accuracy %.3f  lr %.2e  norm %.3f  %.0f tok/s  left %s\n",
			s.N, s.Of, s.Loss, s.Accuracy, s.LR, s.GradNorm, s.TokensPerSec, s.Left.Round(time.Second))
		return
	}
	const width = 24
	done := width * s.N / s.Of
	fmt.Fprintf(p.w, "\r\x1b[K%s%s %d/%d  loss %.4f  norm %.2f  %.0f tok/s  %s left",
		strings.Repeat("█", done), strings.Repeat("░", width-done), s.N, s.Of, s.Smoothed, s.GradNorm, s.TokensPerSec, s.Left.Round(time.Second))
	p.shown = true
}

// end leaves the line for what comes next.
func (p *progress) end() {
	if p.shown {
		fmt.Fprintln(p.w)
		p.shown = false
	}
}
