// Package driver makes programs that import gorgonia.org/cu start on machines
// without an NVIDIA driver, under the build tag cuda; without the tag it is empty.
//
// cu is linked against the driver's library, so that a program built with it
// does not even start where the library is missing. Here every function of the
// driver that cu names is defined as a trampoline which looks for the library
// when it is first called: libcuda.so.1, nvcuda.dll, or what the environment
// variable GRAFT_CUDA_DRIVER names. cu's own -lcuda finds an empty archive.
//
// What cu has no binding for is here too: function attributes, pinned memory,
// graphs whose nodes change.
package driver
