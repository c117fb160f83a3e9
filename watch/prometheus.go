package watch

import (
	"fmt"
	"io"
)

// A metric is one line of Prometheus' text format.
type metric struct {
	name, kind, help string
	value            float64
}

// prometheus writes the last step and evaluation in Prometheus' text format,
// version 0.0.4.
func (v view) prometheus(w io.Writer) {
	s := v.Last
	list := []metric{
		{"graft_step", "gauge", "Optimiser steps done.", float64(s.N)},
		{"graft_steps", "gauge", "Optimiser steps of the whole run.", float64(s.Of)},
		{"graft_epoch", "gauge", "Passes through the data.", s.Epoch},
		{"graft_tokens_total", "counter", "Tokens trained on since the process started.", float64(v.Tokens)},
		{"graft_alarms_total", "counter", "Steps whose loss went astray.", float64(v.Alarms)},
		{"graft_loss", "gauge", "Loss of the last step in nats a label.", s.Loss},
		{"graft_loss_smoothed", "gauge", "Moving average of the loss.", s.Smoothed},
		{"graft_accuracy", "gauge", "Share of the last step's labels that were the most likely token.", s.Accuracy},
		{"graft_learning_rate", "gauge", "Learning rate of the last step.", s.LR},
		{"graft_gradient_norm", "gauge", "Norm of the last step's gradient before clipping.", s.GradNorm},
		{"graft_tokens_per_second", "gauge", "Speed of the last step.", s.TokensPerSec},
		{"graft_resident_memory_bytes", "gauge", "Memory of the process.", float64(s.Memory)},
		{"graft_left_seconds", "gauge", "Time to the end of the run at the pace so far.", s.Left.Seconds()},
	}
	if n := len(v.Evaluations); n > 0 {
		list = append(list, metric{"graft_evaluation_loss", "gauge", "Loss of the last evaluation in nats a label.", v.Evaluations[n-1].Loss})
	}
	for _, m := range list {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n%s %v\n", m.name, m.help, m.name, m.kind, m.name, m.value)
	}
}
