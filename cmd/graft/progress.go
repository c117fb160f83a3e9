package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-5afa5581/graft/train"
)

// A progress shows a run: one line that changes on a terminal, a line a step
// elsewhere.
type progress struct {
	w       io.Writer
	columns func() int // of the terminal; 0 for none
	shown   bool
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, columns: func() int { return 0 }}
	if f, ok := w.(*os.File); ok {
		p.columns = func() int { return columns(f) }
	}
	return p
}

// Observe shows an event.
func (p *progress) Observe(e train.Event) error {
	switch x := e.(type) {
	case train.Step:
		p.step(x)
	case train.Evaluation:
		p.line("held out after %d steps: loss %.4f  perplexity %.2f  accuracy %.3f", x.Step, x.Loss, x.Perplexity(), x.Accuracy)
	case train.Saved:
		if x.Err != nil {
			p.line("no snapshot after %d steps: %v", x.Step, x.Err)
		}
	case train.Stopped:
		p.line("stopped after %d steps: no evaluation has been better than the one after %d", x.Step, x.Best.Step)
	}
	return nil
}

func (p *progress) step(s train.Step) {
	if s.Alarm != train.NoAlarm {
		p.line("step %d: %s of the loss: %.4f, average %.4f", s.N, s.Alarm, s.Loss, s.Smoothed)
	}
	if width := p.columns(); width > 0 {
		fmt.Fprint(p.w, "\r\x1b[K", bar(s, width-1))
		p.shown = true
		return
	}
	p.line("step %d/%d  loss %.4f  accuracy %.3f  lr %.2e  norm %.3f  %.0f tok/s  %s  left %s",
		s.N, s.Of, s.Loss, s.Accuracy, s.LR, s.GradNorm, s.TokensPerSec, size(s.Memory), s.Left.Round(time.Second))
}

// bar returns what is known of a step in at most width columns: what matters
// least is left out first.
func bar(s train.Step, width int) string {
	parts := []struct {
		text string
		keep int // parts of this number and above matter less
	}{
		{fmt.Sprintf("%d/%d", s.N, s.Of), 0}, {fmt.Sprintf("loss %.4f", s.Smoothed), 1}, {fmt.Sprintf("lr %.1e", s.LR), 5},
		{fmt.Sprintf("norm %.2f", s.GradNorm), 4}, {fmt.Sprintf("%.0f tok/s", s.TokensPerSec), 3}, {size(s.Memory), 6},
		{s.Left.Round(time.Second).String() + " left", 2},
	}
	for least := len(parts); least >= 0; least-- {
		var shown []string
		for _, p := range parts {
			if p.keep < least {
				shown = append(shown, p.text)
			}
		}
		text := strings.Join(shown, "  ")
		room := width - utf8.RuneCountInString(text) - 1
		if room >= minBlocks || room >= -1 && least <= 3 {
			return blocks(s, min(24, room)) + text
		}
	}
	return ""
}

// minBlocks is how many columns tell how much of a run is done.
const minBlocks = 8

// blocks draws how much of the run is done.
func blocks(s train.Step, width int) string {
	if width < minBlocks {
		return ""
	}
	done := width * s.N / max(1, s.Of)
	return strings.Repeat("█", done) + strings.Repeat("░", width-done) + " "
}

// size writes bytes for people.
func size(n int64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}

// line writes a line of its own.
func (p *progress) line(format string, args ...any) {
	p.end()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// end leaves the line that changes for what comes next.
func (p *progress) end() {
	if p.shown {
		fmt.Fprintln(p.w)
		p.shown = false
	}
}
