//go:build cuda

package driver

// #cgo LDFLAGS: -L${SRCDIR}/stub -Wl,--as-needed
// #cgo linux LDFLAGS: -ldl
// #include <cuda.h>
// int driver_start(void);
// int driver_loaded(void);
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// Start loads the driver and initialises it, once. It must succeed before
// anything of package cu is called.
func Start() error {
	code := C.CUresult(C.driver_start())
	if C.driver_loaded() == 0 {
		return errors.New("no CUDA driver")
	}
	return fault(code)
}

// fault turns a result of the driver into an error in its words.
func fault(code C.CUresult) error {
	if code == C.CUDA_SUCCESS {
		return nil
	}
	var name, text *C.char
	if C.cuGetErrorName(code, &name) != C.CUDA_SUCCESS || C.cuGetErrorString(code, &text) != C.CUDA_SUCCESS {
		return fmt.Errorf("CUDA error %d", int(code))
	}
	return fmt.Errorf("%s (%s)", C.GoString(text), C.GoString(name))
}

// AllowShared lets a kernel be launched with that many bytes of dynamic shared
// memory, which the driver limits to 48 KiB otherwise.
func AllowShared(f cu.Function, bytes int) error {
	return fault(C.cuFuncSetAttribute(handle(f), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes)))
}

// handle returns the driver's handle in f, its only field.
func handle(f cu.Function) C.CUfunction { return *(*C.CUfunction)(unsafe.Pointer(&f)) }

// AllocPinned returns memory of the host that the GPU copies from and to at full
// speed, to be given back with FreePinned.
func AllocPinned(bytes int) ([]byte, error) {
	var p unsafe.Pointer
	if err := fault(C.cuMemHostAlloc(&p, C.size_t(bytes), 0)); err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), bytes), nil
}

// FreePinned gives back what AllocPinned returned.
func FreePinned(b []byte) error {
	return fault(C.cuMemFreeHost(unsafe.Pointer(unsafe.SliceData(b))))
}
