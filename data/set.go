package data

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// A Set is the samples of one or several files, those beyond 16 million tokens on
// disk. It is safe for concurrent use.
type Set struct {
	Config Config // with its defaults filled in: what makes the same samples again
	Left   []Left // records that give no sample
	Cut    []Left // records that were cut, and what of them

	store  store
	hash   string
	failed atomic.Pointer[error]
}

// Left is a record that gives no sample, or was cut.
type Left struct {
	Source string `json:"source"` // file:line
	Why    string `json:"why"`
}

// Len returns the number of samples.
func (s *Set) Len() int { return len(s.store.index) }

// Sample returns sample i, empty if it lies on disk and cannot be read; Err
// then tells why.
func (s *Set) Sample(i int) Sample {
	x, err := s.store.sample(i)
	if err != nil {
		s.failed.CompareAndSwap(nil, &err)
		return Sample{Source: x.Source}
	}
	return x
}

// size returns the number of tokens of sample i, and its weight.
func (s *Set) size(i int) (tokens int32, weight float64) {
	return s.store.index[i].n, s.store.index[i].weight
}

// Err returns the first error of Sample.
func (s *Set) Err() error {
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Tokens returns the number of tokens of all samples.
func (s *Set) Tokens() int { return int(s.store.total) }

// Hash returns a hash of what is learned; see the function Hash.
func (s *Set) Hash() string { return s.hash }

// Close gives back what lies on disk.
func (s *Set) Close() error { return s.store.close() }

// Open reads the records of a path, as Find takes it, and tokenizes them.
func Open(path string, t *tokenizer.Tokenizer, c Config) (*Set, error) {
	return OpenAll([]string{path}, t, c)
}

// OpenAll is Open for several paths. The error names up to ten faulty records.
func OpenAll(paths []string, t *tokenizer.Tokenizer, c Config) (*Set, error) {
	files, err := Find(paths, c.Options)
	if err != nil {
		return nil, err
	}
	return files.Set(t, c)
}

// Parse is Open for the content of a file; name says what it is.
func Parse(name string, text []byte, t *tokenizer.Tokenizer, c Config) (*Set, error) {
	files, err := memory(name, text, c.Options)
	if err != nil {
		return nil, err
	}
	return files.Set(t, c)
}

// maxFaults is how many faulty records are named before reading gives up.
const maxFaults = 10

// Set reads and tokenizes the files.
func (f *Files) Set(t *tokenizer.Tokenizer, c Config) (*Set, error) {
	r, err := NewRenderer(t, c)
	if err != nil {
		return nil, err
	}
	for _, list := range [][]float64{c.Weights, c.Mix} {
		if len(list) > 0 && len(list) != f.paths {
			return nil, fmt.Errorf("data: %d weights for %d paths: must be as many", len(list), f.paths)
		}
	}
	s := &Set{Config: r.config, store: store{limit: inMemory}}
	if err := s.fill(f, r); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.warn()
	return s, nil
}

// fill adds the samples of all files.
func (s *Set) fill(f *Files, r *Renderer) error {
	var faults []error
	ends := make([]int, f.paths) // of each path's samples
	for item, err := range f.Read(r) {
		if err == nil {
			err = item.Err
		}
		if err != nil {
			if faults = append(faults, err); len(faults) == maxFaults {
				break
			}
			continue
		}
		if err := s.add(item); err != nil {
			return err
		}
		ends[item.Path] = s.Len()
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if s.Len() == 0 {
		return s.empty()
	}
	s.weigh(ends)
	return s.seal()
}

func (s *Set) add(item Item) error {
	source := item.Record.Place.String()
	if item.Left != "" {
		s.Left = append(s.Left, Left{source, item.Left})
	}
	if item.Cut != "" {
		s.Cut = append(s.Cut, Left{source, item.Cut})
	}
	for _, x := range item.Samples {
		if err := s.store.add(x); err != nil {
			return err
		}
	}
	return nil
}

// empty is the error of a set without samples.
func (s *Set) empty() error {
	if len(s.Left) == 0 {
		return errors.New("data: there are no records")
	}
	return fmt.Errorf("data: none of %d records can be learned from; the first, %s: %s", len(s.Left), s.Left[0].Source, s.Left[0].Why)
}

// weigh multiplies the weights of the samples by those of their paths, which end at
// some numbers.
func (s *Set) weigh(ends []int) {
	weights := s.Config.Weights
	if len(s.Config.Mix) > 0 {
		weights = mixed(s.Config.Mix, ends)
	}
	from := 0
	for path, w := range weights {
		for i := from; i < ends[path]; i++ {
			s.store.index[i].weight *= w
		}
		from = max(from, ends[path])
	}
}

// mixed returns the weights that give the paths their shares: the one with
// the most samples for its share has 1, the others more.
func mixed(shares []float64, ends []int) []float64 {
	weights, least, from := make([]float64, len(shares)), 0.0, 0
	for i, end := range ends {
		if n := end - from; n > 0 {
			weights[i] = shares[i] / float64(n)
			if least == 0 || weights[i] < least {
				least = weights[i]
			}
		}
		from = max(from, end)
	}
	for i := range weights {
		weights[i] /= least
	}
	return weights
}

// seal writes what waits, and hashes all.
func (s *Set) seal() error {
	if err := s.store.flush(); err != nil {
		return err
	}
	s.hash = Hash(s)
	return s.Err()
}

// warn tells how many records were left out or cut.
func (s *Set) warn() {
	for _, list := range [][]Left{s.Left, s.Cut} {
		if len(list) > 0 {
			slog.Warn("data: records are left out or cut", "records", len(list), "of", s.Len()+len(s.Left), "first", list[0].Source, "why", list[0].Why)
		}
	}
}
