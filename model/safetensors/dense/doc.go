// Package dense gives the tensors of safetensors files to programs that compute
// with gorgonia.org/tensor, and takes theirs for saving.
//
// [Of] makes a *tensor.Dense of a tensor without copying it: what the Dense
// shows is the file, read when it is looked at. The mapping is private, so that
// writing through the Dense changes the memory and not the file. The types
// are those that Go has: F64, F32, C64 and the integers. F16 and BF16, which
// have no arithmetic there, convert into a Dense of float32 by [Float32].
//
// A Dense of [Of] may be used for as long as the program runs. Its slices, its
// transposes and what a graph makes of it share its memory, without a tie to it
// that the garbage collector could follow. So Of keeps the mapping for good
// ([safetensors.Tensor.Keep]): Close of the file closes everything but that, and
// a file that is forgotten unclosed does no harm either. A program that opens
// files without end should have them in Go's memory instead, by os.ReadFile and
// [safetensors.Parse], or copy what it needs by Float32.
//
// [Entry] makes an entry for [safetensors.Write] of a Dense.
//
// Package tensor v0.9.24 has two traps: MatMul of columns that were sliced out of
// a matrix computes with the wrong elements unless they are Materialized first,
// and T changes the tensor that it is called on, so that transposing a shared one
// takes a ShallowClone.
//
// This is the one package of graft that brings gorgonia into a program.
package dense
