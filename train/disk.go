package train

import (
	"io"
	"os"

	"github.com/seed-5afa5581/graft/internal/atomicfile"
)

// A disk is what snapshots need of a file system to be written; tests have one
// that fails.
type disk interface {
	MkdirTemp(dir, pattern string) (string, error)
	Create(name string) (file, error)
	Rename(from, to string) error
	RemoveAll(name string) error
	SyncDir(name string) error
}

// A file is written, synced and closed.
type file interface {
	io.WriteCloser
	Sync() error
}

// realDisk is that of the operating system.
type realDisk struct{}

func (realDisk) MkdirTemp(dir, pattern string) (string, error) {
	name, err := os.MkdirTemp(dir, pattern)
	if err != nil {
		return "", err
	}
	return name, os.Chmod(name, 0o777&^atomicfile.Umask)
}

func (realDisk) Create(name string) (file, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
}

func (realDisk) Rename(from, to string) error { return os.Rename(from, to) }
func (realDisk) RemoveAll(name string) error  { return os.RemoveAll(name) }
func (realDisk) SyncDir(name string) error    { return atomicfile.SyncDir(name) }
