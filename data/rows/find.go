package rows

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Finding is the files that paths lead to, and those passed over with the
// reason.
type Finding struct {
	Files  []*File
	Passed []Passed
}

// Passed is a file of a folder that is not read.
type Passed struct{ Path, Why string }

// Find returns the files at some paths: files, folders with all below them, and
// patterns as in path/filepath.Match. In a folder, files without records
// (licences, what describes the data set) are passed over, and if some files are
// named train those of the other splits as well. A path that leads to
// nothing is an error.
func Find(paths ...string) (*Finding, error) {
	found := &Finding{}
	var faults []error
	if len(paths) == 0 {
		faults = append(faults, errors.New("data: no file given"))
	}
	for _, path := range paths {
		if err := found.add(path); err != nil {
			faults = append(faults, err)
		}
	}
	return found, errors.Join(faults...)
}

func (found *Finding) add(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return found.folder(path)
	case err == nil:
		f, err := NewFile(path)
		if err == nil {
			found.Files = append(found.Files, f)
		}
		return err
	case strings.ContainsAny(path, "*?["):
		return found.pattern(path)
	}
	return fmt.Errorf("data: %w", err)
}

func (found *Finding) pattern(path string) error {
	matches, err := filepath.Glob(path)
	if err != nil {
		return fmt.Errorf("data: %s: %w", path, err)
	}
	if len(matches) == 0 {
		return fmt.Errorf("data: %s: no file matches", path)
	}
	var faults []error
	for _, m := range matches {
		if err := found.add(m); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// folder adds the files below a folder, in the order of their names.
func (found *Finding) folder(root string) error {
	var files []*File
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != root && strings.HasPrefix(e.Name(), ".") {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if e.IsDir() {
			return nil
		}
		f, err := NewFile(path)
		switch {
		case err != nil:
			found.Passed = append(found.Passed, Passed{path, "not a file of records"})
		case describes(f):
			found.Passed = append(found.Passed, Passed{path, "describes the data"})
		default:
			files = append(files, f)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	files = found.trainOnly(files)
	if len(files) == 0 {
		return fmt.Errorf("data: %s: no file of records in the folder: graft reads %s", root, known)
	}
	found.Files = append(found.Files, files...)
	return nil
}

// trainOnly keeps the files of the split train, if there are splits.
func (found *Finding) trainOnly(files []*File) (kept []*File) {
	if !slices.ContainsFunc(files, func(f *File) bool { return split(f.Path) == "train" }) {
		return files
	}
	for _, f := range files {
		if s := split(f.Path); s != "" && s != "train" {
			found.Passed = append(found.Passed, Passed{f.Path, "the split " + s + ": give its path to read it"})
			continue
		}
		kept = append(kept, f)
	}
	return kept
}

// split returns the split that a file's name begins with, or "".
func split(path string) string {
	word := strings.FieldsFunc(strings.ToLower(filepath.Base(path)), func(r rune) bool { return r == '.' || r == '-' || r == '_' })
	if len(word) == 0 {
		return ""
	}
	switch word[0] {
	case "train", "training":
		return "train"
	case "valid", "validation", "validate", "val", "dev", "eval", "test":
		return word[0]
	}
	return ""
}

// about are the beginnings of names of documents that are about data, and
// described the names of other files that are.
var (
	about     = []string{"license", "licence", "readme", "source", "upstream_license", "changelog", "notice", "citation"}
	described = []string{"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json", "metadata.json", "package.json"}
)

// describes tells whether a file is about the data and has none itself.
func describes(f *File) bool {
	name := strings.ToLower(filepath.Base(f.Path))
	if f.Format != Document {
		return slices.Contains(described, name)
	}
	return slices.ContainsFunc(about, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
