package data

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"github.com/seed-5afa5581/graft/data/rows"
	"github.com/seed-5afa5581/graft/data/shape"
)

// A File is a file of records with what its columns mean.
type File struct {
	*rows.File
	of int // the number of the path that led to it

	reader *shape.Reader
}

// Files are the files that paths lead to, and those passed over with the
// reason.
type Files struct {
	List   []File
	Passed []rows.Passed

	paths int
}

// Find returns the files at some paths: files, folders, patterns as in
// path/filepath.Match, and LLaMA-Factory's dataset_info.json for the files that it
// names and that are there. Options of a dataset_info.json beside a file hold
// for it, unless o says something itself.
func Find(paths []string, o shape.Options) (*Files, error) {
	f := &Files{paths: len(paths)}
	var faults []error
	if len(paths) == 0 {
		faults = append(faults, errors.New("data: no file given"))
	}
	for i, path := range paths {
		faults = append(faults, f.add(i, path, o))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Files) add(path int, name string, o shape.Options) error {
	if filepath.Base(name) == shape.InfoName {
		return f.described(path, name, o)
	}
	found, err := rows.Find(name)
	if err != nil {
		return err
	}
	f.Passed = append(f.Passed, found.Passed...)
	for _, file := range found.Files {
		if err := f.append(path, file, o); err != nil {
			return err
		}
	}
	return nil
}

// append adds a file, with the options that its description has for it.
func (f *Files) append(path int, file *rows.File, o shape.Options) error {
	if reflect.ValueOf(o).IsZero() {
		of, err := shape.Of(file.Path)
		if err != nil {
			return err
		}
		o = of
	}
	r, err := shape.NewReader(o)
	if err != nil {
		return err
	}
	f.List = append(f.List, File{file, path, r})
	return nil
}

// described adds the files that a dataset_info.json names.
func (f *Files) described(path int, name string, o shape.Options) error {
	info, err := shape.ReadInfo(name)
	if err != nil {
		return err
	}
	n := len(f.List)
	for _, e := range info.Entries {
		local := filepath.Join(filepath.Dir(name), filepath.FromSlash(e.File))
		if e.File == "" {
			continue
		}
		if _, err := os.Stat(local); err != nil {
			f.Passed = append(f.Passed, rows.Passed{Path: local, Why: "named by " + name + " and not there"})
			continue
		}
		file, err := rows.NewFile(local)
		if err != nil {
			return err
		}
		if err := f.append(path, file, o); err != nil {
			return err
		}
	}
	if len(f.List) == n {
		return fmt.Errorf("data: %s: none of its data sets is a file beside it: fetch one first", name)
	}
	return nil
}

// memory is Find for a content.
func memory(name string, content []byte, o shape.Options) (*Files, error) {
	file, err := rows.Memory(name, content)
	if err != nil {
		return nil, err
	}
	r, err := shape.NewReader(o)
	if err != nil {
		return nil, err
	}
	return &Files{List: []File{{file, 0, r}}, paths: 1}, nil
}
