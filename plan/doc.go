// Package plan tells how much memory training will take before a weight is
// loaded, from a model's config.json alone.
//
// A [Job] says what is to be trained and how; [New] makes a [Plan] of it for a
// [Machine]: a table of bytes by component, and whether they fit. There are no
// formulas of layers in here that could fall behind the code: a plan runs one
// training step of the real model on a device that hands out no memory but
// counts what it is asked for, with the sizes that elements have on the device
// that is planned for. Only what a device takes beside that is estimated: a CPU's
// scratch memory, what a GPU's driver leaves idle, and the program itself.
//
// [Fit] chooses what a job leaves open: whether activations are kept or computed
// again, and how many tokens are in memory at once.
package plan
