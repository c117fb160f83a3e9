package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func strftimeNow(a *args) Value {
	return strftime(a.run.now(), textOr(a.bind("strftime_now", 1, "format")[0], ""))
}

// strftime is C's strftime in the C locale with glibc's flags, as Python's datetime without a time zone has it.
func strftime(t time.Time, format string) string {
	var b strings.Builder
	for {
		n := strings.IndexByte(format, '%')
		if n < 0 || n+1 == len(format) {
			b.WriteString(format)
			return b.String()
		}
		b.WriteString(format[:n])
		spec := format[n+1:]
		flags := len(spec) - len(strings.TrimLeft(spec, "-_0^#"))
		width, rest := leadingInt(spec[flags:])
		mustBeSmall(width, 0)
		if rest == "" {
			b.WriteString(format[n:])
			return b.String()
		}
		if s, ok := timeField(t, rest[0], spec[:flags], width); ok {
			b.WriteString(s)
		} else {
			b.WriteString(format[n : len(format)-len(rest)+1])
		}
		format = rest[1:]
	}
}

// composites are the conversions that stand for others.
var composites = map[byte]string{'c': "%a %b %e %H:%M:%S %Y", 'D': "%m/%d/%y", 'x': "%m/%d/%y", 'F': "%Y-%m-%d", 'R': "%H:%M",
	'r': "%I:%M:%S %p", 'T': "%H:%M:%S", 'X': "%H:%M:%S", 'h': "%b"}

// timeField writes one conversion; false if there is no such one.
func timeField(t time.Time, verb byte, flags string, width int) (string, bool) {
	if c, ok := composites[verb]; ok {
		return padField(strftime(t, c), flags, ' ', width), true
	}
	if n, digits, fill, ok := timeNumber(t, verb); ok {
		return padField(strconv.Itoa(n), flags, fill, max(width, digits)), true
	}
	s, ok := timeText(t, verb)
	if strings.Contains(flags, "^") {
		s = strings.ToUpper(s)
	}
	if strings.Contains(flags, "#") {
		s = swapTimeCase(s, verb)
	}
	return padField(s, flags, ' ', width), ok
}

func swapTimeCase(s string, verb byte) string {
	if verb == 'p' {
		return strings.ToLower(s)
	}
	return strings.ToUpper(s)
}

// timeText is a conversion to text.
func timeText(t time.Time, verb byte) (string, bool) {
	switch verb {
	case 'A':
		return t.Weekday().String(), true
	case 'a':
		return t.Weekday().String()[:3], true
	case 'B':
		return t.Month().String(), true
	case 'b':
		return t.Month().String()[:3], true
	case 'p':
		return t.Format("PM"), true
	case 'P':
		return t.Format("pm"), true
	case 'f':
		return fmt.Sprintf("%06d", t.Nanosecond()/1000), true
	case 'n':
		return "\n", true
	case 't':
		return "\t", true
	case '%':
		return "%", true
	case 'z', 'Z':
		return "", true
	}
	return "", false
}

// timeNumber is a conversion to a number, with its least number of digits and what they are filled up with.
func timeNumber(t time.Time, verb byte) (n, digits int, fill byte, ok bool) {
	hour := (t.Hour()+11)%12 + 1
	isoYear, isoWeek := t.ISOWeek()
	weekday := int(t.Weekday())
	switch verb {
	case 'Y':
		return t.Year(), 1, '0', true
	case 'C':
		return t.Year() / 100, 2, '0', true
	case 'y':
		return t.Year() % 100, 2, '0', true
	case 'm':
		return int(t.Month()), 2, '0', true
	case 'd':
		return t.Day(), 2, '0', true
	case 'e':
		return t.Day(), 2, ' ', true
	case 'H':
		return t.Hour(), 2, '0', true
	case 'k':
		return t.Hour(), 2, ' ', true
	case 'I':
		return hour, 2, '0', true
	case 'l':
		return hour, 2, ' ', true
	case 'M':
		return t.Minute(), 2, '0', true
	case 'S':
		return t.Second(), 2, '0', true
	case 'j':
		return t.YearDay(), 3, '0', true
	case 'u':
		return (weekday+6)%7 + 1, 1, '0', true
	case 'w':
		return weekday, 1, '0', true
	case 'U':
		return (t.YearDay() + 6 - weekday) / 7, 2, '0', true
	case 'W':
		return (t.YearDay() + 6 - (weekday+6)%7) / 7, 2, '0', true
	case 'V':
		return isoWeek, 2, '0', true
	case 'G':
		return isoYear, 1, '0', true
	case 'g':
		return isoYear % 100, 2, '0', true
	case 's':
		return int(t.Unix()), 1, '0', true
	}
	return 0, 0, 0, false
}

// padField fills s up to the width; the last of the flags "-_0" tells with what.
func padField(s, flags string, fill byte, width int) string {
	switch i := strings.LastIndexAny(flags, "-_0"); {
	case i < 0:
	case flags[i] == '-':
		return s
	case flags[i] == '_':
		fill = ' '
	default:
		fill = '0'
	}
	return repeat(string(fill), int64(width-len(s))) + s
}
