//go:build linux || darwin

package safetensors

import (
	"os"
	"syscall"
)

// mapFile maps a file's first size bytes. Without MAP_NORESERVE Linux would
// refuse files larger than its memory, as if all their pages were to be written.
func mapFile(f *os.File, size int) ([]byte, error) {
	b, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	return b, os.NewSyscallError("mmap", err)
}

func unmapFile(b []byte) error { return os.NewSyscallError("munmap", syscall.Munmap(b)) }
