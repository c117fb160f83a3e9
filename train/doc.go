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
// One level below, an [AdamW] steps the parameters whose gradients
// model.Pass.LossGrad has summed.
//
// The gradient of a step is that of the loss of all its labels divided by
// their number, whatever the number of batches that memory splits it into.
package train
