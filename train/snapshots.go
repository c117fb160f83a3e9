package train

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Snapshots is a directory of a run's snapshots. A snapshot is a directory of
// its own that appears whole or not at all: it is written under another name,
// synced and renamed. Nothing is taken away before it is there.
type Snapshots struct {
	Dir  string
	Keep int // of the last ones; 2 if 0. The best one is kept besides.
	// Weights is the file of what trains, and Beside are files to write with it,
	// by name: adapter_model.safetensors and PEFT's configuration make each
	// snapshot an adapter. weights.safetensors if empty.
	Weights string
	Beside  map[string][]byte

	disk disk // realDisk if nil
}

const (
	snapshotPrefix = "step-"
	partialPrefix  = ".partial-"
)

// name returns that of the snapshot of a state; names sort by progress.
func (x state) name() string {
	name := fmt.Sprintf("%s%08d", snapshotPrefix, x.Step)
	if x.Accumulated > 0 {
		name += fmt.Sprintf("-sample-%06d", x.Accumulated)
	}
	return name
}

func (s *Snapshots) on() disk {
	if s.disk == nil {
		return realDisk{}
	}
	return s.disk
}

// Save writes a snapshot of where the run is, and then takes away those that
// are not to be kept. After an error the snapshots are those from before.
func (s *Snapshots) Save(r *Run) (Saved, error) {
	if r.err != nil {
		return Saved{}, fmt.Errorf("train: no snapshot of a run that has failed: %w", r.err)
	}
	saved := Saved{Step: r.state.Step, Path: filepath.Join(s.Dir, r.state.name()), Best: r.state.Evaluations.bestAt(r.state.Step)}
	if x, err := OpenSnapshot(saved.Path); err != nil || !r.holds(x) {
		if err := s.write(r, saved.Path); err != nil {
			return Saved{}, fmt.Errorf("train: snapshot: %w", err)
		}
	}
	if err := s.prune(r); err != nil {
		slog.Warn("train: old snapshots stay", "error", err)
	}
	return saved, nil
}

// holds reports whether a snapshot is of where the run is now.
func (r *Run) holds(x *Snapshot) bool {
	origin, err := r.Origin()
	return err == nil && x.manifest.mismatch(origin, r.Config, r.free()) == nil && reflect.DeepEqual(x.manifest.State, r.state)
}

func (s *Snapshots) write(r *Run, path string) (err error) {
	if err := os.MkdirAll(s.Dir, 0o777); err != nil {
		return err
	}
	weights := s.Weights
	if weights == "" {
		weights = weightsFile
	}
	d := s.on()
	dir, err := d.MkdirTemp(s.Dir, partialPrefix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.RemoveAll(dir))
		}
	}()
	if err := r.write(&writer{d, dir, map[string]Checksum{}}, weights, s.Beside); err != nil {
		return err
	}
	if err := d.SyncDir(dir); err != nil {
		return err
	}
	if err := d.RemoveAll(path); err != nil { // one that was torn or edited
		return err
	}
	if err := d.Rename(dir, path); err != nil {
		return err
	}
	return d.SyncDir(s.Dir)
}

// prune takes away what is neither the best nor among the last to be kept, and
// what writes that were killed have left.
func (s *Snapshots) prune(r *Run) error {
	names, partial, err := s.list()
	if err != nil {
		return err
	}
	keep := s.Keep
	if keep <= 0 {
		keep = 2
	}
	best, now := state{Step: r.state.Evaluations.best().Step}.name(), r.state.name()
	var faults []error
	last := slices.Index(names, now)
	for i, name := range names {
		later := i > last // of a run that was resumed from an earlier one
		if name != best && (later || i <= last-keep) {
			partial = append(partial, name)
		}
	}
	for _, name := range partial {
		faults = append(faults, s.on().RemoveAll(filepath.Join(s.Dir, name)))
	}
	return errors.Join(faults...)
}

// list returns the names of the snapshots in the order of their progress, and
// of those that were never finished.
func (s *Snapshots) list() (names, partial []string, err error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), snapshotPrefix):
			names = append(names, e.Name())
		case strings.HasPrefix(e.Name(), partialPrefix):
			partial = append(partial, e.Name())
		}
	}
	return names, partial, nil
}

// Newest opens the snapshot with the most progress that is whole, and tells what
// is wrong with those after it. Without any it returns an error that is
// fs.ErrNotExist.
func (s *Snapshots) Newest() (_ *Snapshot, faults []error, err error) {
	names, _, err := s.list()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("train: snapshots: %w", err)
	}
	for _, name := range slices.Backward(names) {
		x, err := OpenSnapshot(filepath.Join(s.Dir, name))
		if err == nil {
			return x, faults, nil
		}
		faults = append(faults, err)
	}
	return nil, faults, fmt.Errorf("train: no whole snapshot in %s: %w", s.Dir, fs.ErrNotExist)
}

// Best opens the snapshot whose evaluation was the best of the run.
func (s *Snapshots) Best(r *Run) (*Snapshot, error) {
	if len(r.state.Evaluations) == 0 {
		return nil, errors.New("train: the run has no evaluation to choose the best snapshot by")
	}
	return OpenSnapshot(filepath.Join(s.Dir, state{Step: r.state.Evaluations.best().Step}.name()))
}
