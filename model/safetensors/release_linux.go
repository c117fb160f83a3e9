package safetensors

import (
	"os"
	"syscall"
	"unsafe"
)

// releasePages gives back the pages that lie wholly in b.
func releasePages(b []byte) {
	page := uintptr(os.Getpagesize())
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	skip := int(-begin & (page - 1))
	if n := (len(b) - skip) &^ int(page-1); n > 0 {
		_ = syscall.Madvise(b[skip:skip+n], syscall.MADV_DONTNEED) // a hint: nothing depends on it
	}
}
