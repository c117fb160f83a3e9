// Package safetensors reads and writes the checkpoint format of that name: a
// JSON header that names each tensor's type, shape and place, and the tensors'
// bytes, little endian and row-major.
//
// A [File] is mapped into memory and its tensors are slices of the mapping. The
// mapping is private and writable: writing through a tensor neither changes the
// file nor faults. Nothing unmaps it but Close, after which no tensor may be
// used unless it was kept ([Tensor.Keep]). A program that cuts the file off
// under a mapping makes those who read it fault, as with every mapped file;
// replacing it by rename, as [Write] does, harms nobody.
//
// A [Checkpoint] is a model's files taken as one, sharded or not.
//
// Files are checked whole when opened: whatever is in them, an error says what is
// wrong, and no slice reaches outside. Everything that the reference
// implementation refuses is refused here. So are a few things that it lets pass
// and no known program writes: a name that comes twice, a key that the format
// does not have, null for metadata, space before the header's object, sizes that
// overflow though another one is zero.
//
// [Write] streams tensors to a file that is there whole or not at all, and
// [WriteSharded] a model to as many as it needs.
package safetensors
