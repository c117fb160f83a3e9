// Package cpu is the CPU device. Tensors of every kind hold float32.
//
// Every operation exists in plain Go: the executable specification, and what
// runs where there is nothing better. The inner loops of products, attention,
// norms, activations, losses and optimisers exist as assembly too, which the
// module in _asm writes, for
//
//	avx2        AVX2 with FMA and F16C
//	avx512      AVX-512 F, BW, DQ and VL
//	avx512bf16  the same with BF16: products in bfloat16
//	amx         the same with AMX-BF16: by the matrix unit, on Linux
//	neon        what every arm64 processor has
//
// and the best that the processor has is taken. GRAFT_CPU=generic or one of
// these names forces another, the build tag purego leaves the assembly out.
//
// Products are computed in float32, or with weights that are stored in bfloat16
// or quantised, where the processor can, in bfloat16 and summed in float32; with
// AVX-512 those of an adapter that rounding would slow down stay in float32. In
// float32 denormal numbers count; products in bfloat16 take those under 2^-126
// for zero, as operands and as sums. Infinities and NaN come out where plain Go
// has them, and nowhere else.
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
