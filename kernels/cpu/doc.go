// Package cpu is the CPU device, in plain Go: the executable specification of
// package kernels' operations. Tensors of every kind hold float32.
//
// An operation is cut into tasks by its shapes alone and the tasks are shared
// among workers; a task owns its part of the result and sums in index order, so
// that the number of workers changes no bit. Products that feed a sum are
// rounded first, float32(a*b)+c, because a compiler may fuse them otherwise.
//
// The device is registered as "cpu"; "cpu:N" uses N workers instead of one for
// each processor that the Go scheduler uses.
package cpu
