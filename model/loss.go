package model

import (
	"errors"
	"slices"

	"github.com/seed-5afa5581/graft/kernels"
)

// A Loss sums what was learned about labelled positions.
type Loss struct {
	Sum     float64 // -log p(label), in nats
	Entropy float64 // of the predicted distributions, in nats
	Labels  int     // how many there were
	Correct int     // how many were the most likely token
}

// Mean returns the loss of a label.
func (l Loss) Mean() float64 { return l.Sum / float64(l.Labels) }

// Accuracy returns the share of labels that were the most likely token.
func (l Loss) Accuracy() float64 { return float64(l.Correct) / float64(l.Labels) }

// headRows returns how many rows of logits are in memory at once: what 48 MiB hold,
// from a run of them to four. The head is packed, or dequantised, for each so many.
func (p *Pass) headRows() int {
	return min(max(foldRows, 12<<20/p.model.Config.Vocab), 4*foldRows)
}

// labels are the positions that predict a label: the one before each.
type labels struct {
	rows    kernels.Ints // [N] rows of the residual stream
	targets kernels.Ints // [N] tokens to predict
	of      rows         // what these rows are
}

// CountLabels returns how many labels of b carry a loss.
func (b Batch) CountLabels() (n int) {
	b.eachLabel(func(s, row int) { n++ })
	return n
}

// eachLabel calls do for each row of sequence s that predicts a label.
func (b Batch) eachLabel(do func(s, row int)) {
	if b.Labels == nil {
		return
	}
	b.each(func(s, from, to int) {
		for t := from + 1; t < to; t++ {
			if b.Labels[t] != IgnoreLabel {
				do(s, t-1)
			}
		}
	})
}

// layLabels lays out the labelled positions of b.
func (p *Pass) layLabels(b Batch) (l labels) {
	ints := func(value func(s, row int) int32) kernels.Ints {
		p.host = p.host[:0]
		b.eachLabel(func(s, row int) { p.host = append(p.host, value(s, row)) })
		return p.Arena.Ints(p.host)
	}
	l.rows = ints(func(s, row int) int32 { return int32(row) })
	l.targets = ints(func(s, row int) int32 { return b.Labels[row+1] })
	l.of.samples = ints(func(s, row int) int32 { return b.sample(s) })
	l.of.positions = ints(func(s, row int) int32 { return p.rows.positions.Host[row] })
	runs, first, n, last := p.host[:0], 0, 0, -1
	b.eachLabel(func(s, row int) {
		if s != last {
			runs = appendRuns(runs, first, n)
			first, last = n, s
		}
		n++
	})
	p.host = appendRuns(runs, first, n)
	l.of.folds = p.Arena.Ints(p.host)
	return l
}

// chunk returns the end of the chunk of labels that starts at from, and what
// its rows are: whole runs, so that a run's gradient is summed in one piece.
func (p *Pass) chunk(from int) (to int, of rows) {
	l, n := &p.labels, p.labels.rows.Len()
	folds := l.of.folds.Host
	lo := slices.Index(folds, int32(from))
	hi := lo + 1
	for hi < len(folds) && runEnd(folds, hi, n)-from <= p.headRows() {
		hi++
	}
	to = runEnd(folds, hi-1, n)
	p.host = p.host[:0]
	for _, f := range folds[lo:hi] {
		p.host = append(p.host, f-int32(from))
	}
	return to, rows{positions: l.of.positions.Slice(from, to), samples: l.of.samples.Slice(from, to), folds: p.Arena.Ints(p.host)}
}

// runEnd returns where run i ends.
func runEnd(folds []int32, i, n int) int {
	if i+1 < len(folds) {
		return int(folds[i+1])
	}
	return n
}

// LossGrad adds the loss of a batch to sum and its gradient to the gradients of
// what trains. The gradient is that of Σ loss / labels, labels being the
// number of labels of the whole optimiser step, so that a step may be split
// into batches as memory asks.
func (p *Pass) LossGrad(b Batch, labels int, sum *Loss) (err error) {
	defer outOfMemory(&err)
	lowest := p.model.lowest()
	if lowest == len(p.model.Blocks)+1 {
		return errors.New("model: nothing to train: attach an adapter or unfreeze weights first")
	}
	if err := p.begin(b); err != nil {
		return err
	}
	p.train = true
	defer func() { p.train = false }()
	x := p.forward(lowest)
	if p.labels.rows.Len() == 0 {
		return p.dev.Sync()
	}
	dx := kernels.Tensor{}
	if lowest < len(p.model.Blocks) {
		dx = p.Arena.Float32(x.Rows, x.Cols)
	}
	p.head(x, dx, labels, sum)
	if !dx.None() {
		p.backward(dx, lowest)
	}
	return p.dev.Sync()
}

// Loss adds the loss of a batch to sum, without gradients and dropout.
func (p *Pass) Loss(b Batch, sum *Loss) (err error) {
	defer outOfMemory(&err)
	if err := p.begin(b); err != nil {
		return err
	}
	x := p.forward(len(p.model.Blocks))
	if p.labels.rows.Len() > 0 {
		p.head(x, kernels.Tensor{}, 0, sum)
	}
	return p.dev.Sync()
}

// head adds the loss of the labelled rows of the residual stream x [T, C] to sum
// and, when the pass trains, computes gradients: the head's own, and in dx,
// unless it is none, that of x.
func (p *Pass) head(x, dx kernels.Tensor, labels int, sum *Loss) {
	n, all := p.labels.rows.Len(), p.rows
	stats := p.Arena.Float32(n, 3)
	if !dx.None() {
		p.dev.Fill(dx, 0)
	}
	for from := 0; from < n; {
		mark := p.Arena.Mark()
		to, of := p.chunk(from)
		p.rows = of
		p.headChunk(stats.Slice(from, to), dx, x, p.labels.rows.Slice(from, to), p.labels.targets.Slice(from, to), labels)
		p.Arena.Release(mark)
		from = to
	}
	p.rows = all
	sum.add(p, stats)
}

// headChunk computes the logits, the loss and the gradient of some rows of x.
func (p *Pass) headChunk(stats, dx, x kernels.Tensor, rows, targets kernels.Ints, labels int) {
	n, head, norm := rows.Len(), &p.model.Head, &p.model.Norm
	logits, weights := p.Arena.Float32(n, head.Out()), p.Arena.Float32(n, 1)
	xl, h := p.Arena.Float32(n, x.Cols), p.Arena.Activation(n, x.Cols)
	p.dev.TakeRows(xl, x, rows)
	saved := norm.Forward(p, h, xl)
	head.Forward(p, logits, h, false)
	if labels > 0 {
		p.dev.Fill(weights, 1/float32(labels))
	} else {
		p.dev.Fill(weights, 0)
	}
	p.dev.CrossEntropy(stats, logits, weights, targets, p.Objective)
	if !p.train {
		return
	}
	dh := kernels.Tensor{}
	if !dx.None() || norm.trains() {
		dh = p.Arena.Float32(n, x.Cols)
	}
	head.Backward(p, dh, logits, h, false)
	if dh.None() {
		return
	}
	dxl := p.Arena.Like(xl)
	norm.Backward(p, dxl, dh, saved, p.rows.folds, false)
	if !dx.None() {
		p.dev.PutRows(dx, dxl, rows)
	}
}

// add adds rows of stats [N, 3] one by one, so that splitting a step into
// batches changes no bit of the sum.
func (l *Loss) add(p *Pass, stats kernels.Tensor) {
	p.stats = slices.Grow(p.stats[:0], stats.Len())[:stats.Len()]
	rows := p.stats
	p.dev.Read(rows, stats)
	for i := 0; i < len(rows); i += 3 {
		l.Sum += float64(rows[i])
		l.Entropy += float64(rows[i+1])
		l.Correct += int(rows[i+2])
		l.Labels++
	}
}
