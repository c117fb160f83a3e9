// Package train is the optimisation loop: a [Run] is an iterator over its
// steps, and the caller owns the loop.
//
//	run, err := train.New(m, set, train.Config{})
//	for step, err := range run.Steps(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(step.N, step.Loss)
//	}
//
// [Run.Events] is the same loop with care: evaluations on samples held out, an
// end when they stop getting better, and [Snapshots], from which [Run.Resume]
// goes on to the same bytes. [Run.Provenance] tells where the result comes from.
//
// A step that the end of a context cuts keeps what it has summed, so that the
// next call of Steps, or a snapshot, goes on with the rest of it.
//
// One level below, model.Pass.LossGrad sums the gradients of what trains,
// [Gradients] measures them and an [Optimizer] moves the parameters.
//
// The gradient of a step is that of the loss of all its labels divided by
// their number, whatever the number of batches that memory splits it into.
package train
