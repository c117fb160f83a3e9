package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/data/check"
	"github.com/seed-5afa5581/graft/data/shape"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/tokenizer"
	"github.com/seed-5afa5581/graft/train"
)

// records is the flags of graft train about what it learns from.
type records struct {
	dataset
	noCheck bool
}

func (r *records) flags(f *flag.FlagSet) {
	r.dataset.flags(f)
	f.Var((*ratio)(&r.Mix), "mix", "`RATIO` in which an epoch takes samples from the paths of --data, such as 3,1")
	f.Var((*ratio)(&r.Weights), "weights", "how often an epoch takes the samples of each path, such as 1,0.5")
	f.BoolVar(&r.noCheck, "no-check", false, "train whatever graft data check would say")
}

// evaluation is how records for evaluation become samples: all once.
func (r *records) evaluation() data.Config {
	c := r.Config
	c.Mix, c.Weights = nil, nil
	return c
}

// sumOf returns the checksum of what lies at paths with commas between: that
// of the file, or of the checksums of several.
func sumOf(list string) (string, error) {
	found, err := data.Find(strings.Split(list, ","), shape.Options{})
	if err != nil {
		return "", err
	}
	all, last := sha256.New(), ""
	for _, f := range found.List {
		sum, err := train.Sum(f.File.Path)
		if err != nil {
			return "", err
		}
		last = sum.SHA256
		fmt.Fprintln(all, last)
	}
	if len(found.List) == 1 {
		return last, nil
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

// ratio is a flag of numbers with commas between.
type ratio []float64

// Set takes all numbers at once.
func (r *ratio) Set(text string) error {
	*r = nil
	for word := range strings.SplitSeq(text, ",") {
		x, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return fmt.Errorf("%q is no number", word)
		}
		*r = append(*r, x)
	}
	return nil
}

// String writes the numbers as Set takes them.
func (r *ratio) String() string {
	var words []string
	for _, x := range *r {
		words = append(words, strconv.FormatFloat(x, 'g', -1, 64))
	}
	return strings.Join(words, ",")
}

// examined reads what is to be learned, after it has been checked: an error
// that the check finds ends the run before it begins.
func (t *training) examined(s streams, m *model.Model) (*data.Set, error) {
	t.fit(m)
	k := m.Tokenizer
	files, err := data.Find(t.data, t.records.Options)
	if err != nil {
		return nil, err
	}
	if !t.records.noCheck && !t.resume {
		if err := t.examine(s, files, k); err != nil {
			return nil, err
		}
	}
	return files.Set(k, t.records.Config)
}

// fit makes samples no longer than the model's positions, unless a length was
// asked for.
func (t *training) fit(m *model.Model) {
	if limit := m.Config.MaxPositions; limit < t.records.MaxLen && !t.given("max-len") {
		t.records.MaxLen = limit
	}
}

// given tells whether a flag was.
func (t *training) given(name string) (yes bool) {
	t.flagSet.Visit(func(f *flag.Flag) { yes = yes || f.Name == name })
	return yes
}

// examine checks the records, and keeps what the report of the run says of them.
func (t *training) examine(s streams, files *data.Files, k *tokenizer.Tokenizer) error {
	report, err := t.lookThrough(files, k)
	if err != nil {
		return err
	}
	if err := report.Summary(s.err, check.Warning); err != nil {
		return err
	}
	if verdict(report, false) != nil {
		return errors.New("the data has errors, which graft data check --model explains; --no-check trains nevertheless")
	}
	found := dataReport(report)
	t.found = &found
	return nil
}

// lookThrough checks what is to be learned together with what is held out.
func (t *training) lookThrough(files *data.Files, k *tokenizer.Tokenizer) (*check.Report, error) {
	renderer, err := data.NewRenderer(k, t.records.Config)
	if err != nil {
		return nil, err
	}
	var eval *data.Files
	if t.heldOut != "" {
		if eval, err = data.Find([]string{t.heldOut}, t.records.Options); err != nil {
			return nil, err
		}
	}
	return check.Files(files, eval, renderer), nil
}
