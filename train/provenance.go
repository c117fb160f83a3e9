package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/seed-5afa5581/graft/internal/atomicfile"
	"github.com/seed-5afa5581/graft/internal/memory"
)

// ProvenanceFile is the name of the file that a Provenance is written to.
const ProvenanceFile = "provenance.json"

// A Provenance says where the files of a directory come from: enough to check
// them, and to make them again.
type Provenance struct {
	Version  string           `json:"graft"` // of graft: module version, and revision where known
	Go       string           `json:"go"`
	Machine  Machine          `json:"machine"`
	Finished time.Time        `json:"finished"`
	Seconds  float64          `json:"seconds"` // that the last process of the run took
	Inputs   map[string]Input `json:"inputs"`  // base, data and others
	Command  Command          `json:"command"`
	Origin   Origin           `json:"origin"`
	Config   Config           `json:"config"`
	Results  Results          `json:"results"`
	// Files are those beside this one that the run has made.
	Files map[string]Checksum `json:"files"`
}

// An Input is what a run has read: where it lay, and the SHA-256 of it.
type Input struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256,omitempty"`
}

// A Command is how the run was started: flags of graft train, and where.
type Command struct {
	Directory string            `json:"directory,omitempty"`
	Flags     map[string]string `json:"flags,omitempty"`
}

// A Machine is what a run ran on.
type Machine struct {
	System  string `json:"system"` // such as linux/amd64
	Device  string `json:"device"`
	Workers int    `json:"workers"`
	Memory  int64  `json:"memory"` // bytes; 0 where the system does not tell
}

// Results are what a run came to.
type Results struct {
	Steps       int         `json:"steps"`
	Total       int         `json:"total_steps"`
	Samples     int         `json:"samples"`
	Loss        float64     `json:"loss"` // moving average of the last steps
	Evaluations Evaluations `json:"evaluations,omitempty"`
	Stopped     bool        `json:"stopped_early,omitempty"`
}

// Provenance describes a run that has ended.
func (r *Run) Provenance(took time.Duration) (Provenance, error) {
	origin, err := r.Origin()
	if err != nil {
		return Provenance{}, err
	}
	info, x := r.model.Device.Info(), r.state
	return Provenance{
		Version: version(), Go: runtime.Version(), Finished: time.Now().UTC().Truncate(time.Second), Seconds: took.Seconds(),
		Machine: Machine{System: runtime.GOOS + "/" + runtime.GOARCH, Device: info.Detail, Workers: info.Workers, Memory: memory.Total()},
		Origin:  origin, Config: r.Config,
		Results: Results{Steps: x.Step, Total: r.Total, Samples: x.Seen, Loss: x.Trend.Mean, Evaluations: x.Evaluations, Stopped: x.Stopped},
	}, nil
}

// Write adds the checksums of the files of dir with the given names and writes
// the description beside them.
func (p Provenance) Write(dir string, files []string) error {
	p.Files = map[string]Checksum{}
	for _, name := range files {
		sum, err := Sum(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("train: provenance: %w", err)
		}
		p.Files[name] = sum
	}
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("train: provenance: %w", err)
	}
	if err := atomicfile.Bytes(filepath.Join(dir, ProvenanceFile), append(text, '\n')); err != nil {
		return fmt.Errorf("train: provenance: %w", err)
	}
	return nil
}

// ReadProvenance reads the description in a directory.
func ReadProvenance(dir string) (p Provenance, err error) {
	path := filepath.Join(dir, ProvenanceFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return p, fmt.Errorf("train: provenance: %w", err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("train: provenance: %s: %w", path, err)
	}
	if len(p.Files) == 0 {
		return p, fmt.Errorf("train: provenance: %s names no file", path)
	}
	for name := range p.Files {
		if name != filepath.Base(name) || !filepath.IsLocal(name) {
			return p, fmt.Errorf("train: provenance: %s: %q is no file name in the same directory", path, name)
		}
	}
	return p, nil
}

// Check compares the files of dir with their checksums and reports every one
// that is not as it was.
func (p Provenance) Check(dir string) error {
	var faults []error
	for name, want := range p.Files {
		if err := want.check(filepath.Join(dir, name)); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// version returns that of graft in this program.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	const module = "github.com/seed-5afa5581/graft"
	v := info.Main.Version
	for _, d := range info.Deps {
		if d.Path == module {
			return d.Version
		}
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if rev := settings["vcs.revision"]; rev != "" && !strings.Contains(v, rev[:min(12, len(rev))]) {
		v += " " + rev
	}
	if settings["vcs.modified"] == "true" && !strings.Contains(v, "dirty") {
		v += " modified"
	}
	return v
}
