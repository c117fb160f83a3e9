package watch

import (
	"log/slog"

	"github.com/seed-5afa5581/graft/train"
)

// Log returns an observer that logs events: steps at level debug, those whose
// loss goes astray as warnings, everything else as information.
func Log(l *slog.Logger) train.Observer { return logger{l} }

type logger struct{ *slog.Logger }

func (l logger) Observe(e train.Event) error {
	switch e := e.(type) {
	case train.Step:
		if e.Alarm != train.NoAlarm {
			l.Warn("loss goes astray", "alarm", e.Alarm, "step", e.N, "loss", e.Loss, "smoothed", e.Smoothed)
		}
		l.Debug("step", "step", e.N, "of", e.Of, "loss", e.Loss, "lr", e.LR, "grad_norm", e.GradNorm, "tokens_per_sec", e.TokensPerSec)
	case train.Evaluation:
		l.Info("evaluation", "step", e.Step, "loss", e.Loss, "accuracy", e.Accuracy)
	case train.Saved:
		if e.Err != nil {
			l.Warn("not saved", "step", e.Step, "error", e.Err)
			return nil
		}
		l.Info("saved", "step", e.Step, "path", e.Path, "best", e.Best)
	case train.Stopped:
		l.Info("stopped", "step", e.Step, "best", e.Best.Step, "loss", e.Best.Loss)
	}
	return nil
}
