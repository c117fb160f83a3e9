package check

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/data/shape"
)

// faulty has a row of each removable kind, and one that is a note only.
func faulty() string {
	return strings.Join(append(clean(),
		clean()[2],
		`{"question":"x"}`,
		`{"question":"What is empty?","answer":""}`,
		`{"instruction":"Twice","instances":[{"input":"a","output":"One answer to it."},{"input":"b","output":"Another answer to that."}]}`,
		strings.Replace(clean()[4], "What should", "So what should", 1),
	), "\n")
}

func TestCleanRows(t *testing.T) {
	for _, c := range []struct {
		remove []Kind
		want   string // lines that go, and why
	}{
		{Removable, "25 duplicate, 26 unreadable, 27 nothing-learned"},
		{append([]Kind{NearDuplicate}, Removable...), "25 duplicate, 26 unreadable, 27 nothing-learned, 29 near-duplicate"},
		{nil, ""},
	} {
		var out bytes.Buffer
		kept, removed, err := Clean(&out, files(t, faulty()), renderer(t, data.Config{}), c.remove)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range removed {
			_, line, _ := strings.Cut(filepath.Base(r.Source), ":")
			got = append(got, fmt.Sprintf("%s %s", line, r.Kind))
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if strings.Join(got, ", ") != c.want || kept != 29-len(removed) || len(lines) != kept {
			t.Errorf("%v: removed %v, kept %d, %d lines", c.remove, got, kept, len(lines))
		}
		if kept > 0 && lines[0] != clean()[0] {
			t.Errorf("%s became %s", clean()[0], lines[0])
		}
	}
	path := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(path, []byte(`[{"text":"a"},`), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := data.Find([]string{path}, shape.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Clean(&bytes.Buffer{}, f, nil, Removable); err == nil || !strings.Contains(err.Error(), "does not end") {
		t.Errorf("%v", err)
	}
}

// A split loses nothing, has about the share that was asked for, has nothing alike on
// both sides, and is the same for the same seed.
func TestSplit(t *testing.T) {
	var all []string
	for i, line := range clean() {
		all = append(all, line)
		if i%2 == 0 {
			all = append(all, strings.Replace(line, "What should", "So what should", 1), strings.Replace(line, "There are", "Others say there are", 1))
		}
	}
	all = append(all, all[0])
	seen := map[string]bool{}
	for _, seed := range []uint64{1, 1, 2, 3} {
		var train, eval bytes.Buffer
		s := Splitter{Share: 0.25, Seed: seed}
		a, b, err := s.Split(&train, &eval, files(t, strings.Join(all, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		if a+b != len(all) || b < len(all)/4-3 || b > len(all)/4 || strings.Count(train.String(), "\n") != a || strings.Count(eval.String(), "\n") != b {
			t.Errorf("seed %d: %d for train and %d for eval of %d", seed, a, b, len(all))
		}
		r := Files(files(t, train.String()), files(t, eval.String()), nil)
		if r.Counts[Overlap] > 0 {
			t.Errorf("seed %d: %v", seed, r.Findings)
		}
		seen[eval.String()] = true
	}
	if len(seen) != 3 {
		t.Errorf("three seeds made %d splits", len(seen))
	}
	for want, content := range map[string]string{"must lie between": clean()[0], "clean the data first": `{"x":1}`} {
		s := Splitter{Share: 0.25}
		if want == "must lie between" {
			s.Share = 1
		}
		if _, _, err := s.Split(&bytes.Buffer{}, &bytes.Buffer{}, files(t, content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
