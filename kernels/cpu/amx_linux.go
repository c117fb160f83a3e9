//go:build amd64 && !purego

package cpu

import (
	"sync"

	"golang.org/x/sys/unix"
)

// allowAMX asks Linux for the state of the matrix unit, which a process may not
// touch before, and reports whether it was granted.
var allowAMX = sync.OnceValue(func() bool {
	const requestPermission, tileData = 0x1023, 18 // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
	_, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, requestPermission, tileData, 0)
	return errno == 0
})
