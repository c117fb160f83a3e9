// Package watch shows a training run: as lines of JSON, to TensorBoard, to
// Prometheus, on a live page, and as a report to send to a colleague.
//
//	history := watch.NewHistory()
//	board, err := watch.NewTensorBoard("runs/first")
//	...
//	for event, err := range run.Events(ctx, train.Care{}) {
//		...
//		errors.Join(history.Observe(event), board.Observe(event))
//	}
//	err = watch.Report{Title: "First run", History: history}.WriteFile("report.html")
//
// Whatever shows events is a train.Observer: [JSONLines], [TensorBoard], [Log]
// for a slog.Logger, and [History], which a [Server] and a [Report] draw. Nothing
// here reaches out: a Server listens on this machine alone unless it is told
// otherwise, its page and reports load nothing, and nobody is told of a run.
//
// A run's length does not matter: a History keeps a bounded number of points,
// evenly thinned. JSONLines and TensorBoard files hold every step.
package watch
