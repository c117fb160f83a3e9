package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model/safetensors"
)

// The files of a snapshot's directory.
const (
	manifestFile  = "snapshot.json"
	optimizerFile = "optimizer.safetensors"
	weightsFile   = "weights.safetensors" // unless Snapshots.Weights says otherwise
)

// A manifest is what snapshot.json holds beside its own hash.
type manifest struct {
	Format  int                 `json:"format"` // snapshotFormat
	Time    time.Time           `json:"time"`
	State   state               `json:"state"`
	Total   int                 `json:"total_steps"`
	Config  Config              `json:"config"`
	Origin  Origin              `json:"origin"`
	Weights string              `json:"weights"` // file of what trains
	Files   map[string]Checksum `json:"files"`
}

// snapshotFormat is the version of a snapshot's layout.
const snapshotFormat = 1

// A Checksum is that of a file.
type Checksum struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// sealed is the content of snapshot.json: a manifest and the hash of its compact form.
type sealed struct {
	Manifest json.RawMessage `json:"manifest"`
	SHA256   string          `json:"sha256"`
}

func (m manifest) seal() ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	text, err = json.MarshalIndent(sealed{text, hexSum(text)}, "", " ")
	return append(text, '\n'), err
}

// unseal reads the content of a snapshot.json.
func unseal(text []byte) (m manifest, err error) {
	var s sealed
	if err := json.Unmarshal(text, &s); err != nil {
		return m, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, s.Manifest); err != nil {
		return m, err
	}
	if hexSum(compact.Bytes()) != s.SHA256 {
		return m, errors.New("its content is not what was written")
	}
	if err := json.Unmarshal(s.Manifest, &m); err != nil {
		return m, err
	}
	if m.Format != snapshotFormat {
		return m, fmt.Errorf("format %d: this version of graft reads %d", m.Format, snapshotFormat)
	}
	return m, nil
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// A writer writes a snapshot's files into a directory and notes their checksums.
type writer struct {
	disk disk
	dir  string
	sums map[string]Checksum
}

// file writes a file and syncs it.
func (w *writer) file(name string, write func(io.Writer) error) (err error) {
	f, err := w.disk.Create(filepath.Join(w.dir, name))
	if err != nil {
		return err
	}
	sum := &summer{w: f, hash: sha256.New()}
	if err = write(sum); err == nil {
		err = f.Sync()
	}
	w.sums[name] = Checksum{sum.size, hex.EncodeToString(sum.hash.Sum(nil))}
	return errors.Join(err, f.Close())
}

// A summer hashes and counts what goes through it.
type summer struct {
	w    io.Writer
	hash hash.Hash
	size int64
}

func (s *summer) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.hash.Write(b[:n])
	s.size += int64(n)
	return n, err
}

// write writes a snapshot of r into the directory w.dir.
func (r *Run) write(w *writer, weights string, beside map[string][]byte) error {
	origin, err := r.Origin()
	if err != nil {
		return err
	}
	tensors, err := r.memory()
	if err != nil {
		return err
	}
	for name, content := range beside {
		if err := w.file(name, func(f io.Writer) error { _, err := f.Write(content); return err }); err != nil {
			return err
		}
	}
	for name, entries := range map[string][]safetensors.Entry{weights: r.weights(), optimizerFile: tensors} {
		if err := w.file(name, func(f io.Writer) error { return safetensors.WriteTo(f, nil, entries) }); err != nil {
			return err
		}
	}
	text, err := manifest{
		Format: snapshotFormat, Time: time.Now().UTC(), State: r.state, Total: r.Total, Config: r.Config, Origin: origin, Weights: weights, Files: w.sums,
	}.seal()
	if err != nil {
		return err
	}
	return w.file(manifestFile, func(f io.Writer) error { _, err := f.Write(text); return err })
}

// weights are the parameters.
func (r *Run) weights() (list []safetensors.Entry) {
	for _, p := range r.grads.params {
		list = append(list, entry(r.model.Device, p.Name, p.Value))
	}
	return list
}

// gradientPrefix is put before the name of a parameter to name its gradient.
const gradientPrefix = "gradient."

// memory is the optimiser's state and, within a step, the gradients so far.
func (r *Run) memory() (list []safetensors.Entry, err error) {
	states, err := r.opt.State()
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		if s.Tensor.None() {
			list = append(list, safetensors.Entry{Name: s.Name, DType: safetensors.U8, Shape: []int{len(s.Bytes)}, Write: func(w io.Writer) error {
				_, err := w.Write(s.Bytes)
				return err
			}})
			continue
		}
		list = append(list, entry(r.model.Device, s.Name, s.Tensor))
	}
	if r.state.Accumulated > 0 {
		for _, p := range r.grads.params {
			list = append(list, entry(r.model.Device, gradientPrefix+p.Name, p.Grad))
		}
	}
	return list, nil
}

// entry writes a Float32 tensor, some rows at a time.
func entry(dev kernels.Device, name string, t kernels.Tensor) safetensors.Entry {
	return safetensors.Entry{Name: name, DType: safetensors.F32, Shape: []int{t.Rows, t.Cols}, Write: func(w io.Writer) error {
		return eachRows(t, func(rows kernels.Tensor, host []float32) error {
			dev.Read(host, rows)
			if err := dev.Sync(); err != nil {
				return err
			}
			return safetensors.WriteFloats(w, safetensors.F32, host)
		})
	}}
}

// hostElements is how many elements of a tensor are on the host at once.
const hostElements = 1 << 20

// eachRows calls do with some rows of t after the other, and room for them on
// the host.
func eachRows(t kernels.Tensor, do func(rows kernels.Tensor, host []float32) error) error {
	n := min(t.Rows, max(1, hostElements/max(1, t.Cols)))
	host := make([]float32, n*t.Cols)
	for at := 0; at < t.Rows; at += n {
		rows := t.Slice(at, min(t.Rows, at+n))
		if err := do(rows, host[:rows.Len()]); err != nil {
			return err
		}
	}
	return nil
}

// A Snapshot is a run at one moment, on disk. Its files were whole when it was
// opened.
type Snapshot struct {
	Path     string
	manifest manifest
}

// Step returns how many whole steps it holds.
func (s *Snapshot) Step() int { return s.manifest.State.Step }

// OpenSnapshot opens the snapshot in a directory. It reads all of it, and
// reports what is not as it was written.
func OpenSnapshot(dir string) (*Snapshot, error) {
	s := &Snapshot{Path: dir}
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, fmt.Errorf("train: snapshot: %w", err)
	}
	if s.manifest, err = unseal(text); err != nil {
		return nil, fmt.Errorf("train: snapshot: %s: %w", filepath.Join(dir, manifestFile), err)
	}
	if err := s.manifest.checkFiles(); err != nil {
		return nil, fmt.Errorf("train: snapshot: %s: %w", filepath.Join(dir, manifestFile), err)
	}
	for name, want := range s.manifest.Files {
		if err := want.check(filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("train: snapshot: %w", err)
		}
	}
	return s, nil
}

// checkFiles makes sure that the files to be read are listed, and lie in the
// same directory.
func (m *manifest) checkFiles() error {
	for _, name := range []string{m.Weights, optimizerFile} {
		if _, ok := m.Files[name]; !ok {
			return fmt.Errorf("no checksum of %q", name)
		}
	}
	for name := range m.Files {
		if name != filepath.Base(name) || !filepath.IsLocal(name) {
			return fmt.Errorf("%q is no file name in the same directory", name)
		}
	}
	return nil
}

// check compares a file with its checksum.
func (c Checksum) check(path string) error {
	sum, err := Sum(path)
	switch {
	case err != nil:
		return err
	case sum.Size != c.Size:
		return fmt.Errorf("%s: %d bytes of %d", path, sum.Size, c.Size)
	case sum != c:
		return fmt.Errorf("%s: its content is not what was written", path)
	}
	return nil
}

// Sum reads a file and returns its checksum.
func Sum(path string) (Checksum, error) {
	f, err := os.Open(path)
	if err != nil {
		return Checksum{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, f, make([]byte, 1<<20))
	return Checksum{n, hex.EncodeToString(h.Sum(nil))}, err
}
