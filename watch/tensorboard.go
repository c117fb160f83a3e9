package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-5afa5581/graft/train"
)

// A TensorBoard writes an event file that TensorBoard reads: a TFRecord file of
// tensorflow.Event messages (tensorflow/core/util/event.proto), of which it
// uses scalars and texts.
type TensorBoard struct {
	file  *os.File
	now   func() time.Time
	begun bool
}

// NewTensorBoard makes an event file in dir, which TensorBoard calls a run. A
// resumed run makes another one there, whose steps stand for those that the
// first file has as well.
func NewTensorBoard(dir string) (*TensorBoard, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("watch: TensorBoard: %w", err)
	}
	t := &TensorBoard{now: time.Now}
	now := t.now() // TensorBoard reads the files of a run in the order of their names
	name := fmt.Sprintf("events.out.tfevents.%010d.%09d.graft", now.Unix(), now.Nanosecond())
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("watch: TensorBoard: %w", err)
	}
	t.file = f
	return t, t.write(message{}.text(eventVersion, "brain.Event:2"))
}

// Observe writes the scalars of a step or an evaluation.
func (t *TensorBoard) Observe(e train.Event) error {
	switch e := e.(type) {
	case train.Step:
		return t.scalars(e.N, []scalar{
			{"train/loss", e.Loss}, {"train/loss_smoothed", e.Smoothed}, {"train/accuracy", e.Accuracy}, {"train/entropy", e.Entropy},
			{"train/learning_rate", e.LR}, {"train/grad_norm", e.GradNorm}, {"train/epoch", e.Epoch},
			{"system/tokens_per_sec", e.TokensPerSec}, {"system/memory_bytes", float64(e.Memory)},
		})
	case train.Evaluation:
		return t.scalars(e.Step, []scalar{
			{"evaluation/loss", e.Loss}, {"evaluation/perplexity", e.Perplexity()}, {"evaluation/accuracy", e.Accuracy},
		})
	}
	return nil
}

// AddSample writes a sample as a text.
func (t *TensorBoard) AddSample(s Sample) error {
	text := "**" + s.Prompt + "**\n\n" + s.Text
	tensor := message{}.number(tensorType, tensorString).bytes(tensorShape, nil).text(tensorValue, text)
	plugin := message{}.bytes(metadataPlugin, message{}.text(pluginName, "text")).number(metadataClass, classTensor)
	value := message{}.text(valueTag, "sample/text").bytes(valueMetadata, plugin).bytes(valueTensor, tensor)
	return t.event(s.Step, message{}.bytes(summaryValue, value))
}

// Close completes the file.
func (t *TensorBoard) Close() error {
	if err := t.file.Close(); err != nil {
		return fmt.Errorf("watch: TensorBoard: %w", err)
	}
	return nil
}

type scalar struct {
	tag   string
	value float64
}

func (t *TensorBoard) scalars(step int, list []scalar) error {
	var summary message
	for _, s := range list {
		summary = summary.bytes(summaryValue, message{}.text(valueTag, s.tag).single(valueSimple, float32(s.value)))
	}
	return t.event(step, summary)
}

// event writes a summary. Before the first one it tells TensorBoard that what
// earlier files of a run say about later steps does not count.
func (t *TensorBoard) event(step int, summary message) error {
	if !t.begun {
		t.begun = true
		if err := t.write(message{}.number(eventStep, step).bytes(eventSession, message{}.number(sessionStatus, sessionStart))); err != nil {
			return err
		}
	}
	return t.write(message{}.number(eventStep, step).bytes(eventSummary, summary))
}

// write appends an event, with the time. Nothing is held back: a run that is
// killed has told all that its snapshots know.
func (t *TensorBoard) write(event message) error {
	stamped := append(message{}.double(eventTime, float64(t.now().UnixNano())/1e9), event...)
	if _, err := t.file.Write(record(stamped)); err != nil {
		return fmt.Errorf("watch: TensorBoard: %w", err)
	}
	return nil
}
