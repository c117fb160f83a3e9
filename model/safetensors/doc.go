// Package safetensors reads and writes the checkpoint format of that name: a
// JSON header that names each tensor's type, shape and place, and the tensors'
// bytes, little endian and row-major.
//
// A [File] is mapped into memory and its tensors are slices of the mapping. The
// mapping is private and writable: writing through a tensor changes neither the
// file nor faults. A [Checkpoint] is a model's files taken as one, sharded or
// not. Files are checked whole when opened, as strictly as the reference
// implementation does: whatever is in them, an error says what is wrong, and
// no slice reaches outside.
//
// [Write] streams tensors to a file that is there whole or not at all.
package safetensors
