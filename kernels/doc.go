// Package kernels says what hardware must be able to do to train and run a
// transformer: a closed list of coarse operations, each with its gradient.
//
// A [Device] owns memory and executes operations. A [Tensor] is a dense
// row-major matrix in that memory, a [Matrix] a weight in one of several
// storage formats, an [Ints] a short vector of int32 that both the host and
// the device can read. An [Arena] hands out the short-lived tensors of one run
// through a model.
//
// Nobody above this package names a data type or touches memory. A tensor is
// either an [Activation], kept in whatever the device computes with (float32
// on a CPU, bfloat16 on a GPU), or [Float32], for what must not be rounded:
// the residual stream, statistics, the loss, parameters and their gradients.
// Only Read and Write cross to the host. A weight's format is a property of the
// Matrix; every operation that takes one takes all formats.
//
// # Conventions
//
// Operations write their first argument and return nothing. T counts tokens,
// N rows of any kind, C features; shapes are written [rows, columns].
// Gradients of activations are written (=) unless an argument acc asks for +=,
// gradients of parameters are always added to (+=). A shape that does not fit
// is the caller's bug and panics with a constant message, in this package and
// nowhere else ([Checked]); a fault of the device surfaces from Sync.
//
// # Order of summation
//
// Results do not depend on how many workers share an operation. A row of a
// result depends on its own inputs alone, never on how many other rows there
// are, and the gradient of a parameter is a left fold over the runs of tokens
// that the caller names (folds): so that samples packed into one batch give,
// bit for bit, what they give one by one.
//
// Devices register themselves in init ([Register]) and are opened by name
// ([Open]); this package imports none of them.
package kernels
