package watch

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/seed-5afa5581/graft/train"
)

// JSONLines writes each event as one line of JSON: what it is ("step",
// "evaluation", "saved", "stopped" or "sample"), when, and its values.
type JSONLines struct {
	w   io.Writer
	now func() time.Time
}

// NewJSONLines returns a JSONLines that writes to w.
func NewJSONLines(w io.Writer) *JSONLines { return &JSONLines{w: w, now: time.Now} }

// Observe writes a line.
func (j *JSONLines) Observe(e train.Event) error {
	switch e := e.(type) {
	case train.Step:
		return j.write("step", fields(e))
	case train.Evaluation:
		return j.write("evaluation", e)
	case train.Saved:
		if e.Err == nil {
			return j.write("saved", savedLine{e.Step, e.Path, e.Best})
		}
		return j.write("not saved", faultLine{e.Step, e.Err.Error()})
	case train.Stopped:
		return j.write("stopped", stoppedLine{e.Step, e.Best})
	}
	return nil
}

// AddSample writes a line.
func (j *JSONLines) AddSample(s Sample) error {
	return j.write("sample", sampleLine{s.Step, s.Prompt, s.Text})
}

// A stepLine is a train.Step on a line: losses in nats, memory in bytes, left in
// seconds.
type stepLine struct {
	Step         int         `json:"step"`
	Of           int         `json:"of"`
	Epoch        float64     `json:"epoch"`
	Loss         float64     `json:"loss"`
	Smoothed     float64     `json:"smoothed"`
	Alarm        train.Alarm `json:"alarm,omitempty"`
	Accuracy     float64     `json:"accuracy"`
	Entropy      float64     `json:"entropy"`
	LR           float64     `json:"lr"`
	GradNorm     float64     `json:"grad_norm"`
	Tokens       int         `json:"tokens"`
	Labels       int         `json:"labels"`
	TokensPerSec float64     `json:"tokens_per_sec"`
	Memory       int64       `json:"memory,omitempty"`
	Left         float64     `json:"left"`
}

func (l stepLine) event() train.Step {
	return train.Step{
		N: l.Step, Of: l.Of, Epoch: l.Epoch, Loss: l.Loss, Smoothed: l.Smoothed, Alarm: l.Alarm, Accuracy: l.Accuracy, Entropy: l.Entropy,
		LR: l.LR, GradNorm: l.GradNorm, Tokens: l.Tokens, Labels: l.Labels, TokensPerSec: l.TokensPerSec, Memory: l.Memory,
		Left: time.Duration(l.Left * float64(time.Second)),
	}
}

func fields(s train.Step) stepLine {
	return stepLine{
		s.N, s.Of, s.Epoch, s.Loss, s.Smoothed, s.Alarm, s.Accuracy, s.Entropy, s.LR, s.GradNorm,
		s.Tokens, s.Labels, s.TokensPerSec, s.Memory, s.Left.Seconds(),
	}
}

type savedLine struct {
	Step int    `json:"step"`
	Path string `json:"path"`
	Best bool   `json:"best"`
}

type faultLine struct {
	Step  int    `json:"step"`
	Error string `json:"error"`
}

type stoppedLine struct {
	Step int              `json:"step"`
	Best train.Evaluation `json:"best"`
}

type sampleLine struct {
	Step   int    `json:"step"`
	Prompt string `json:"prompt"`
	Text   string `json:"text"`
}

// write writes the event's name and time, then its fields.
func (j *JSONLines) write(event string, v any) error {
	head, err := json.Marshal(struct {
		Event string `json:"event"`
		Time  string `json:"time"`
	}{event, j.now().UTC().Format(time.RFC3339Nano)})
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("watch: %s: %w", event, err)
	}
	line := append(append(head[:len(head)-1], ','), body[1:]...)
	if _, err := j.w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("watch: metrics: %w", err)
	}
	return nil
}
