package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
)

var mergeCommand = command{
	name: "merge", arguments: "--model DIR --adapter DIR --out DIR [flags]", summary: "write the base with an adapter merged into it",
	details: "Adds an adapter to the weights of its base, in float32 and rounded once, and writes the\n" +
		"result as a checkpoint of its own. An adapter that was trained on a 4-bit base can go\n" +
		"four ways; --text measures how far each is from the adapter on the base it was trained on:\n\n" +
		"  dense     into the dense checkpoint (--model), as plain LoRA does\n" +
		"  training  into the values that the 4-bit base stands for: what training saw, dense\n" +
		"  dense4    the dense way, then quantised: small\n" +
		"  4bit      the training way, quantised again: for adapters trained with --merge-aware;\n" +
		"            what others have learned is mostly smaller than the steps of 4 bits, and lost\n\n" +
		"For one that was trained on an int8 base the last two are dense8 and 8bit.",
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		m := &merging{}
		m.source.flags(f, "`DIR` of the adapter")
		f.StringVar(&m.out, "out", "", "`DIR` for the merged model")
		f.StringVar(&m.into, "into", "", "`WAY` to merge: dense, training, dense4 or 4bit, dense8 or 8bit (dense for a dense base, else training)")
		f.StringVar(&m.text, "text", "", "`FILE` of text to measure the ways on, before anything is written")
		return m.run
	},
}

// merging is the flags of graft merge.
type merging struct {
	source
	out, into, text string
}

// The ways to merge, by what is written: what quantises has two names, of either
// number of bits.
const (
	intoDense    = "dense"
	intoTraining = "training"
	intoDense4   = "dense4"
	intoDense8   = "dense8"
	into4bit     = "4bit"
	into8bit     = "8bit"
)

// startsDense reports whether a way starts from the dense base.
func startsDense(way string) bool { return way == intoDense || way == intoDense4 || way == intoDense8 }

// endsQuantized reports whether what a way writes is quantised.
func endsQuantized(way string) bool { return way != intoDense && way != intoTraining }

func (m *merging) run(_ context.Context, s streams, args []string) error {
	if err := noArguments(args); err != nil {
		return err
	}
	if m.adapter == "" || m.out == "" {
		return usagef("--adapter and --out are needed")
	}
	ways, err := m.ways()
	if err != nil {
		return err
	}
	if m.text != "" {
		if err := m.measure(s, ways); err != nil {
			return err
		}
	}
	if err := m.write(); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: merged, %s\n", m.out, m.into)
	return nil
}

// ways lists those that are open to this base, and settles which one to go.
func (m *merging) ways() ([]string, error) {
	o, err := m.open()
	if err != nil {
		return nil, err
	}
	defer o.close()
	ways, preferred := []string{intoDense}, intoDense
	if f := o.model.Blocks[0].Attention.Q.W.Format; f.Quantized() {
		again, denseAgain := into4bit, intoDense4
		if f == kernels.Int8 {
			again, denseAgain = into8bit, intoDense8
		}
		ways, preferred = []string{intoTraining, again}, intoTraining
		if m.quantize != "" {
			ways = []string{intoDense, intoTraining, denseAgain, again} // --model is the dense checkpoint
		}
	}
	if m.into == "" {
		m.into = preferred
	}
	for _, w := range ways {
		if w == m.into {
			return ways, nil
		}
	}
	return nil, usagef("--into %s: this base can be merged %s", m.into, strings.Join(ways, ", "))
}

// write writes the merged model: a dense one tensor by tensor, a quantised one
// from memory.
func (m *merging) write() error {
	if endsQuantized(m.into) {
		o, err := m.merged(m.into)
		if err != nil {
			return err
		}
		return errors.Join(o.model.Save(m.out), o.close())
	}
	o, err := m.base(m.into)
	if err != nil {
		return err
	}
	return errors.Join(o.adapter.SaveMerged(m.out), o.close())
}

// base opens the base that a way starts from, with the adapter.
func (m *merging) base(way string) (opened, error) {
	from := m.source
	if startsDense(way) {
		from.quantize = ""
	}
	return from.open()
}

// merged opens the base anew and merges the adapter into it, in memory.
func (m *merging) merged(way string) (opened, error) {
	o, err := m.base(way)
	if err != nil {
		return o, err
	}
	merge := o.adapter.Merge
	if way == intoTraining {
		merge = o.adapter.MergeDense
	}
	if err = merge(); err == nil && startsDense(way) && endsQuantized(way) {
		err = m.requantize(o.model)
	}
	if err != nil {
		return o, errors.Join(err, o.close())
	}
	return o, nil
}

// requantize quantises a merged model as --quantize says.
func (m *merging) requantize(merged *model.Model) error {
	options, err := m.options()
	if err != nil {
		return err
	}
	return merged.Quantize(*options.Quantize)
}

// measure prints, for each way, how far its logits are from those of the
// adapter on the base that is not merged.
func (m *merging) measure(s streams, ways []string) error {
	text, err := os.ReadFile(m.text)
	if err != nil {
		return err
	}
	o, err := m.open()
	if err != nil {
		return err
	}
	want, vocab, err := logits(o, string(text)), o.model.Config.Vocab, error(nil)
	if err := errors.Join(want.err, o.close()); err != nil {
		return err
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "way\tlogits off by, mean\tlargest\tsame next token\tloss\t(adapter on its base: %.4f)\n", want.loss)
	for _, way := range ways {
		o, err = m.merged(way)
		if err != nil {
			return err
		}
		got := logits(o, string(text))
		if err := errors.Join(got.err, o.close()); err != nil {
			return err
		}
		mean, largest, same := deviation(got.values, want.values, vocab)
		fmt.Fprintf(table, "%s\t%.4f\t%.3f\t%.1f %%\t%.4f\t\n", way, mean, largest, 100*same, got.loss)
	}
	return table.Flush()
}

// A reading is what a model makes of a text.
type reading struct {
	values []float32
	loss   float64
	err    error
}

// maxText is how many tokens of a text are measured.
const maxText = 512

func logits(o opened, text string) (r reading) {
	if o.model.Tokenizer == nil {
		return reading{err: errors.New("--text needs a tokenizer.json beside the model")}
	}
	ids := o.model.Tokenizer.Encode(text)
	ids = ids[:min(len(ids), maxText, o.model.Config.MaxPositions)]
	if len(ids) < 2 {
		return reading{err: errors.New("--text: too short to measure anything")}
	}
	o.model.Device = o.model.Device.For(kernels.F32) // so that only the weights differ
	p := o.model.NewPass()
	defer p.Close()
	b := model.Batch{Tokens: ids, Labels: ids, Starts: []int32{0}}
	var loss model.Loss
	if r.err = p.Loss(b, &loss); r.err != nil {
		return r
	}
	r.loss = loss.Mean()
	r.values, r.err = p.Logits(b)
	return r
}

// deviation compares logits [T, vocab].
func deviation(got, want []float32, vocab int) (mean, largest, same float64) {
	rows := len(want) / vocab
	for t := range rows {
		g, w := got[t*vocab:(t+1)*vocab], want[t*vocab:(t+1)*vocab]
		best, wanted := 0, 0
		for i := range w {
			d := math.Abs(float64(g[i]) - float64(w[i]))
			mean += d / float64(len(want))
			largest = max(largest, d)
			if g[i] > g[best] {
				best = i
			}
			if w[i] > w[wanted] {
				wanted = i
			}
		}
		if best == wanted {
			same += 1 / float64(rows)
		}
	}
	return mean, largest, same
}
