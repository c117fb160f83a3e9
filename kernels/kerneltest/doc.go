// Package kerneltest is the suite that every device of package kernels must
// pass, and a second device on which everything above kernels must work.
//
// [Run] computes every operation at ragged sizes and compares it with a
// reference: float64, naive loops, written from the comments of
// [kernels.Device] and from nothing else. The reference's gradients are
// themselves compared with central differences in this package's tests.
// [RunWorkers] does the same for several numbers of workers and wants the same
// bits from all of them.
//
// # What a case looks for
//
// Every operand lies at an odd offset between guard elements. What an
// operation writes (=) holds NaN before the call, so that an element left out
// fails; around inputs there is NaN too, so that an element read too much
// fails; inputs and guards must come out as they went in. Rows of keys and
// values that belong to no sequence are NaN and must not matter.
//
// # How close is close
//
// A tolerance is a bound on the rounding that a sound device does, never a
// number that happened to pass: see [bound]. Where package kernels promises
// bits (a row alone and among others, packed sequences, folds, gathers, dropout
// masks) bits are compared.
//
// # The opaque device
//
// [NewOpaque] makes of any device one whose memory Go cannot address, whose
// activations are bfloat16 and which reads an Ints only from what WriteInts
// copied. Code that runs on it does not lean on how a CPU does things.
package kerneltest
