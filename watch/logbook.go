package watch

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/seed-5afa5581/graft/internal/atomicfile"
	"github.com/seed-5afa5581/graft/train"
)

// A Logbook is a file of JSONLines that one run has, however often it is
// resumed.
type Logbook struct {
	*JSONLines
	file *os.File
}

// OpenLogbook begins a file, or goes on with it after a number of steps done:
// what it says of later ones, which the run takes again, is dropped. The steps,
// evaluations and samples that stay are told to history.
func OpenLogbook(path string, done int, history *History) (*Logbook, error) {
	kept, err := readLines(path, done)
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		for _, l := range kept {
			if _, err := w.Write(append(l.text, '\n')); err != nil {
				return err
			}
			if err := l.tell(history); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	return &Logbook{NewJSONLines(f), f}, nil
}

// Close closes the file.
func (l *Logbook) Close() error { return l.file.Close() }

// A bookLine is a line of a logbook.
type bookLine struct {
	event string
	text  []byte
}

// readLines returns the lines of a file about the first steps done. Lines that
// are not whole, as the last one of a run that was killed may be, are dropped.
func readLines(path string, done int) (list []bookLine, err error) {
	if done == 0 {
		return nil, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var head struct {
			Event string
			Step  int
		}
		if json.Unmarshal(lines.Bytes(), &head) == nil && head.Step <= done {
			list = append(list, bookLine{head.Event, append([]byte(nil), lines.Bytes()...)})
		}
	}
	return list, lines.Err()
}

// tell tells history what the line says.
func (l bookLine) tell(history *History) error {
	switch l.event {
	case "step":
		var s stepLine
		if err := json.Unmarshal(l.text, &s); err != nil {
			return err
		}
		return history.Observe(s.event())
	case "evaluation":
		var e train.Evaluation
		if err := json.Unmarshal(l.text, &e); err != nil {
			return err
		}
		return history.Observe(e)
	case "sample":
		var s sampleLine
		if err := json.Unmarshal(l.text, &s); err != nil {
			return err
		}
		return history.AddSample(Sample(s))
	}
	return nil
}
