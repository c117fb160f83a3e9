// Package cuda executes the operations of package kernels on an NVIDIA GPU,
// with kernels of its own. Without the build tag cuda it only says where a GPU's
// memory goes, which plans need.
//
// Building with the tag needs a C compiler and no CUDA toolkit: the header of the
// driver is in the folder include, the kernels are embedded as PTX, which the
// driver compiles for the GPU that is there. One setting tells cgo where the
// header is, here or in the module cache of a program that imports graft:
//
//	CGO_CFLAGS=-I$(go list -m -f '{{.Dir}}' github.com/seed-5afa5581/graft)/kernels/cuda/include go build -tags cuda
//
// Such a program starts on machines without a GPU as well: Open then says "no
// CUDA driver", and kernels.Open("") falls back to the CPU.
//
// # Numbers
//
// Activations are bfloat16. Operands of products are rounded to bfloat16 and
// summed in float32 by the tensor cores; everything else, softmax, norms, the
// loss and the optimiser, is float32. Sums have a fixed order and no atomics are
// used: the same operands give the same bits, and a row of a result depends
// on its own inputs alone.
//
// # Threads and faults
//
// One locked OS thread, to which the GPU's context is bound, does all that
// concerns the driver, in the order in which it was asked for. Operations are
// queued and return at once. Launches are collected, up to 64, until something
// is read, written or waited for; a sequence of them that was asked for before is
// started as a CUDA graph. What goes wrong then is kept and returned by Sync; with
// "blocking" in the device's name, as in "cuda:0,blocking", there are no graphs
// and each kernel is waited for, so that the error names the one that failed.
//
// # Sources
//
// The kernels are in src, one header with all that they need of a GPU and a file
// for each kind of operation. ptx has what they compile to. _emulator runs the
// same sources, or that PTX, on a CPU behind a library that looks like the
// driver, with every access to memory checked.
package cuda
