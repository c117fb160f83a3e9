//go:build unix

package atomicfile

import (
	"os"
	"syscall"
)

// Umask is read once, at start: reading it sets it for a moment.
var Umask = func() os.FileMode {
	m := syscall.Umask(0)
	syscall.Umask(m)
	return os.FileMode(m)
}()
