package memory

import (
	"bytes"
	"os"
	"strconv"
)

// Resident returns the bytes of the process that are in memory now.
func Resident() int64 { return field("/proc/self/status", "VmRSS:") }

// Peak returns the most that Resident has been.
func Peak() int64 { return field("/proc/self/status", "VmHWM:") }

// Total returns the bytes that the process may have: those of the machine, or
// of the control group that limits it.
func Total() int64 {
	total := field("/proc/meminfo", "MemTotal:")
	if limit := limit(); limit > 0 {
		return min(total, limit)
	}
	return total
}

// Available returns the bytes that the process can still get without swapping.
func Available() int64 {
	free := field("/proc/meminfo", "MemAvailable:")
	if limit := limit(); limit > 0 {
		return max(0, min(free, limit-Resident()))
	}
	return free
}

// limit returns that of the control group, of version 2 or 1; 0 for none.
func limit() int64 {
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(file)
		if n, fault := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64); err == nil && fault == nil {
			return n
		}
	}
	return 0
}

// field returns the bytes that follow a name in a file of lines "name 12 kB".
func field(file, name string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	_, after, found := bytes.Cut(text, []byte(name))
	words := bytes.Fields(after)
	if !found || len(words) == 0 {
		return 0
	}
	kb, err := strconv.ParseInt(string(words[0]), 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}
