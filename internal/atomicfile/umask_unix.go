//go:build unix

package atomicfile

import (
	"os"
	"syscall"
)

// umask is read once, at start: reading it sets it for a moment.
var umask = func() os.FileMode {
	m := syscall.Umask(0)
	syscall.Umask(m)
	return os.FileMode(m)
}()
