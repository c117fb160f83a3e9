package data

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed-5afa5581/graft/data/shape"
)

// Train says which of a chat's tokens carry a loss.
type Train uint8

const (
	Answers    Train = iota // every answer of the assistant, save those that the record masks
	LastAnswer              // the last of them
	Everything              // every token
)

var trainNames = []string{"answers", "last-answer", "everything"}

// String returns the name.
func (t Train) String() string { return nameOf(trainNames, t) }

// MarshalText returns the name.
func (t Train) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads answers, last-answer or everything.
func (t *Train) UnmarshalText(name []byte) error { return parseName(t, trainNames, "train on", name) }

// Overflow says what becomes of a chat that is longer than MaxLen. A text is
// always cut into several samples.
type Overflow uint8

const (
	Drop      Overflow = iota // it is left out, and reported
	Refuse                    // it is an error
	CutPrompt                 // the user's longest message loses its head; dropped if that is not enough
	CutAnswer                 // the end is cut off, with what would teach the model to stop there
)

var overflowNames = []string{"drop", "refuse", "cut-prompt", "cut-answer"}

// String returns the name.
func (o Overflow) String() string { return nameOf(overflowNames, o) }

// MarshalText returns the name.
func (o Overflow) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads drop, refuse, cut-prompt or cut-answer.
func (o *Overflow) UnmarshalText(name []byte) error {
	return parseName(o, overflowNames, "overflow", name)
}

func nameOf[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprint(uint8(v))
}

func parseName[T ~uint8](v *T, names []string, what string, name []byte) error {
	for i, n := range names {
		if n == string(name) {
			*v = T(i)
			return nil
		}
	}
	return fmt.Errorf("data: %s %q: graft knows %q", what, name, names)
}

// Config says how records become samples. The zero value serves.
type Config struct {
	shape.Options // what the columns mean; where zero, a dataset_info.json beside a file is asked

	// Template names the chat template: one of the model's files or a built-in one, a file
	// that ends in .jinja, or "none". If "" it is the model's own where there is
	// one; other models read prompts and answers as they stand.
	Template string `json:"template,omitempty"`
	// Variables are what else the template reads, such as enable_thinking.
	Variables map[string]any `json:"variables,omitempty"`
	// Date is the day that templates write, as 2006-01-02; today's if "".
	Date string `json:"date,omitempty"`
	// System is the system message of chats that have none.
	System string `json:"system,omitempty"`
	// Train says what is learned of a chat; its answers if 0.
	Train Train `json:"train_on"`
	// MaxLen is the longest sample in tokens; 2048 if 0.
	MaxLen int `json:"max_len"`
	// Overflow is what becomes of longer ones.
	Overflow Overflow `json:"overflow"`
	// Weights are how often an epoch takes the samples of each path, beside what
	// their rows say; nil for once.
	Weights []float64 `json:"weights,omitempty"`
	// Mix is the ratio in which an epoch takes samples from the paths, such as 3 to
	// 1, instead of Weights: the path that is largest for its share is taken
	// once, the others more often.
	Mix []float64 `json:"mix,omitempty"`
	// Workers is how many goroutines tokenize; all processors if 0. It changes
	// nothing but the speed.
	Workers int `json:"-"`
}

const dateFormat = "2006-01-02"

func (c Config) withDefaults() Config {
	if c.MaxLen == 0 {
		c.MaxLen = 2048
	}
	if c.Date == "" {
		c.Date = time.Now().Format(dateFormat)
	}
	return c
}

// Validate reports every value that means nothing.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("data: "+format, args...))
		}
	}
	must(c.MaxLen >= 2, "samples of at most %d tokens: must be at least 2", c.MaxLen)
	must(int(c.Train) < len(trainNames), "train on %d: unknown", c.Train)
	must(int(c.Overflow) < len(overflowNames), "overflow %d: unknown", c.Overflow)
	must(len(c.Weights) == 0 || len(c.Mix) == 0, "weights and a mix exclude each other")
	for _, w := range append(c.Weights, c.Mix...) {
		must(w > 0 && w < maxWeight, "weight %v of a path: must be positive and below %d", w, maxWeight)
	}
	_, err := time.Parse(dateFormat, c.Date)
	must(err == nil, "date %q: must be as 2006-01-02", c.Date)
	_, err = shape.NewReader(c.Options)
	return errors.Join(append(faults, err)...)
}

// clock is what templates take for now: noon of the day, whatever the zone.
func (c Config) clock() func() time.Time {
	day, err := time.ParseInLocation(dateFormat, c.Date, time.Local)
	if err != nil {
		day = time.Now() // Validate has refused it
	}
	return func() time.Time { return day.Add(12 * time.Hour) }
}
