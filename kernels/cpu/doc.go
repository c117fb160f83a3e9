// Package cpu is the CPU device. Tensors of every kind hold float32.
//
// Every operation exists in plain Go: the executable specification, and what
// runs where there is nothing better. On processors with AVX-512 the inner loops
// are assembly that the module in _asm writes; with AVX512-BF16, products with
// weights that are stored in bfloat16 are computed in it and summed in float32.
// GRAFT_CPU=generic, avx512 or avx512bf16 forces one, the build tag purego
// leaves the assembly out.
//
// An operation is cut into tasks and the tasks are shared among workers; a task
// owns its part of the result, and the order in which an element is summed
// depends on the shapes alone, so that the number of workers changes no bit.
// Instruction sets differ in that order, and so in the last bits. In plain Go,
// products that feed a sum are rounded first, float32(a*b)+c, because a
// compiler may fuse them otherwise.
//
// The device is registered as "cpu"; "cpu:N" uses N workers instead of one for
// each processor that the Go scheduler uses, "cpu:float32" computes every
// product in float32.
package cpu

//go:generate sh -c "cd _asm && go run ."
