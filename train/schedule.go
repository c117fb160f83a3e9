package train

import (
	"fmt"
	"math"
	"strings"
)

// A Schedule says how the learning rate goes after warmup. Each is that of
// transformers' get_scheduler.
type Schedule uint8

const (
	Cosine         Schedule = iota // half a cosine down to 0
	Linear                         // a line down to 0
	Constant                       // no change
	CosineRestarts                 // Config.Cycles such halves, each from the peak
	WSD                            // no change, then half a cosine down to 0 over the last Config.Decay of the steps
	InverseSqrt                    // 1/√step, in units of the warmup
)

var scheduleNames = []string{"cosine", "linear", "constant", "cosine-restarts", "wsd", "inverse-sqrt"}

// String returns the schedule's name.
func (s Schedule) String() string { return nameOf(scheduleNames, int(s)) }

// MarshalText returns the schedule's name.
func (s Schedule) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a schedule's name.
func (s *Schedule) UnmarshalText(name []byte) error {
	i, err := numberOf(scheduleNames, string(name), "schedule")
	*s = Schedule(i)
	return err
}

// nameOf returns name i, or a number where there is none.
func nameOf(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprint(i)
}

// numberOf returns where a name is in a list of names of what.
func numberOf(names []string, name, what string) (int, error) {
	for i, n := range names {
		if n == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("train: %s %q: graft knows %s", what, name, strings.Join(names, ", "))
}

// untimed is the warmup that InverseSqrt counts in when there is none.
const untimed = 10_000

// rate returns the learning rate of step n of total, counted from 0. Warmup
// begins above 0: its first step is taken where transformers' is not.
func (c Config) rate(n, total int) float64 {
	warm := int(c.Warmup * float64(total))
	if n < warm {
		return c.LR * float64(n+1) / float64(warm)
	}
	return c.LR * c.share(n-warm, total-warm, warm)
}

// share returns the rate of step n of total after warm steps of warmup, as a
// share of the peak.
func (c Config) share(n, total, warm int) float64 {
	done := float64(n) / float64(max(1, total))
	switch c.Schedule {
	case Constant:
		return 1
	case Linear:
		return 1 - done
	case CosineRestarts:
		_, done = math.Modf(done * float64(c.Cycles))
	case WSD:
		fall := int(c.Decay * float64(warm+total))
		done = max(0, float64(n-total+fall)/float64(max(1, fall)))
	case InverseSqrt:
		if warm == 0 {
			warm = untimed
		}
		return math.Sqrt(float64(warm) / float64(n+warm))
	}
	return (1 + math.Cos(math.Pi*done)) / 2
}
