package data

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data/shape"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

func stories(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	k, err := tokenizer.Open(filepath.Join("..", "examples", "quickstart", "model"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// parse makes a set of lines of JSON.
func parse(t testing.TB, lines string, c Config) *Set {
	t.Helper()
	set, err := Parse("f.jsonl", []byte(lines), stories(t), c)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func samples(s Source) (all []Sample) {
	for i := range s.Len() {
		all = append(all, s.Sample(i))
	}
	return all
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.jsonl", `{"prompt":"a","completion":"b"}`+"\n"+`{"text":"Once upon a time"}`)
	write(t, dir, "b.csv", "question,answer\nc,d\n")
	set, err := Open(dir, stories(t), Config{})
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	tokens := 0
	for _, s := range samples(set) {
		sources = append(sources, filepath.Base(s.Source))
		tokens += len(s.Tokens)
	}
	if fmt.Sprint(sources) != "[a.jsonl:1 a.jsonl:2 b.csv:2]" || set.Tokens() != tokens || set.Hash() != Hash(List(samples(set))) || set.Config.MaxLen != 2048 || set.Config.Date == "" {
		t.Errorf("%q, %d tokens of %d, %+v", sources, set.Tokens(), tokens, set.Config)
	}
}

func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInfoBesideFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.json", `[{"ask":"q","reply":"r"}]`)
	write(t, dir, shape.InfoName, `{"a": {"file_name": "a.json", "columns": {"prompt": "ask", "response": "reply"}}, "b": {"file_name": "b.json"}, "c": {"hf_hub_url": "x/y"}}`)
	for _, path := range []string{"a.json", shape.InfoName, "."} {
		set, err := Open(filepath.Join(dir, path), stories(t), Config{})
		if err != nil || set.Len() != 1 {
			t.Errorf("%s: %v, %v", path, set, err)
		}
	}
	found, err := Find([]string{filepath.Join(dir, shape.InfoName)}, shape.Options{})
	if err != nil || len(found.Passed) != 1 || !strings.HasSuffix(found.Passed[0].Path, "b.json") {
		t.Errorf("%+v, %v", found, err)
	}
	if err := os.Remove(filepath.Join(dir, "a.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, shape.InfoName), stories(t), Config{}); err == nil || !strings.Contains(err.Error(), "fetch one first") {
		t.Errorf("%v", err)
	}
}

func TestOpenFaults(t *testing.T) {
	refusing := write(t, t.TempDir(), "refusing.jinja", "{{ raise_exception('not today') }}")
	for _, c := range []struct {
		name, text string
		config     Config
		want       string
	}{
		{"f.xlsx", "", Config{}, "save the sheet as CSV"},
		{"f.jsonl", "", Config{}, "f.jsonl: no records"},
		{"f.jsonl", "{\"text\":\"a\"}\n[1]\n{\"q\":1}", Config{}, "f.jsonl:2: not a JSON object"},
		{"f.jsonl", "{\"text\":\"a\"}\n[1]\n{\"q\":1}", Config{}, "f.jsonl:3: columns q"},
		{"f.jsonl", `{"text":" "}`, Config{}, "none of 1 records can be learned from; the first, f.jsonl:1: column text is empty"},
		{"f.jsonl", `{"text":"a"}`, Config{MaxLen: 1}, "samples of at most 1 tokens"},
		{"f.jsonl", `{"text":"a"}`, Config{Template: "x"}, `template "x": neither the model's nor built in`},
		{"f.jsonl", `{"text":"a"}`, Config{Template: "x.jinja"}, "template: open x.jinja"},
		{"f.jsonl", `{"text":"a"}`, Config{Date: "May"}, `date "May"`},
		{"f.jsonl", `{"text":"a"}`, Config{Train: 9, Overflow: 9}, "train on 9: unknown"},
		{"f.jsonl", `{"text":"a"}`, Config{Weights: []float64{1, 2}}, "2 weights for 1 paths"},
		{"f.jsonl", `{"text":"a"}`, Config{Weights: []float64{-1}}, "weight -1"},
		{"f.jsonl", `{"text":"a"}`, Config{Weights: []float64{1}, Mix: []float64{1}}, "exclude each other"},
		{"f.jsonl", `{"text":"a"}`, Config{Options: shape.Options{Shape: "x"}}, `no shape "x"`},
		{"f.jsonl", `{"input_ids":[1,100000]}`, Config{}, "f.jsonl:1: token 100000 is not one of the model's"},
		{"f.jsonl", `{"prompt":"a","completion":"` + strings.Repeat("b ", 50) + `"}`, Config{MaxLen: 20, Overflow: Refuse}, "f.jsonl:1: "},
		{"f.jsonl", `{"prompt":"a","completion":"b"}`, Config{Template: refusing}, "f.jsonl:1: tokenizer: template " + refusing + ": line 1: not today"},
	} {
		if _, err := Parse(c.name, []byte(c.text), stories(t), c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q %+v: error %v, want %q", c.name, c.text, c.config, err, c.want)
		}
	}
	_, err := Parse("f.jsonl", []byte(strings.Repeat("{}\n", 50)), stories(t), Config{})
	if n := strings.Count(err.Error(), "f.jsonl:"); n != maxFaults {
		t.Errorf("%d faults named", n)
	}
	if _, err := Parse("f.jsonl", []byte(`{"text":"a"}`), nil, Config{}); err == nil || !strings.Contains(err.Error(), "no tokenizer") {
		t.Errorf("error %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "no.jsonl"), stories(t), Config{}); err == nil || !strings.Contains(err.Error(), "no.jsonl") {
		t.Errorf("error %v", err)
	}
	if _, err := OpenAll(nil, stories(t), Config{}); err == nil || !strings.Contains(err.Error(), "no file given") {
		t.Errorf("error %v", err)
	}
}

// Whatever the number of workers, all rows come, in their order.
func TestWorkers(t *testing.T) {
	var lines strings.Builder
	const n = 3000
	for i := range n {
		fmt.Fprintf(&lines, `{"prompt":"question %d","completion":%q}`+"\n", i, strings.Repeat("word ", i%40))
	}
	var want string
	for _, workers := range []int{1, 2, 7} {
		set := parse(t, lines.String(), Config{Workers: workers})
		if set.Len()+len(set.Left) != n {
			t.Fatalf("%d workers: %d samples and %d left of %d rows", workers, set.Len(), len(set.Left), n)
		}
		got := set.Hash()
		for i := 1; i < set.Len(); i++ {
			var a, b int
			fmt.Sscanf(set.Sample(i-1).Source, "f.jsonl:%d", &a)
			fmt.Sscanf(set.Sample(i).Source, "f.jsonl:%d", &b)
			if a >= b {
				t.Fatalf("%d workers: row %d comes before row %d", workers, a, b)
			}
		}
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%d workers: hash %s, want %s", workers, got, want)
		}
	}
}

// Reading may stop early, and goes on behind a broken row.
func TestRead(t *testing.T) {
	files, err := memory("f.jsonl", []byte(strings.Repeat("{\"text\":\"a\"}\n[]\n", 1000)), shape.Options{})
	if err != nil {
		t.Fatal(err)
	}
	good, bad := 0, 0
	for item, err := range files.Read(nil) {
		switch {
		case err != nil:
			t.Fatal(err)
		case item.Err != nil:
			bad++
		default:
			good++
		}
		if good+bad == 1500 {
			break
		}
	}
	if good != 750 || bad != 750 {
		t.Errorf("%d good rows and %d bad ones", good, bad)
	}
}

// A store gives back what it got, in memory, on disk and across the border.
func TestStore(t *testing.T) {
	for _, limit := range []int{0, 5, 9, 1000} {
		s := &Set{store: store{limit: limit}}
		var want List
		for i, n := range []int{4, 3, 2, 7, 1} {
			x := Sample{Source: fmt.Sprint(i), Weight: float64(i) + 0.3}
			for k := range n {
				x.Tokens, x.Labels = append(x.Tokens, int32(100*i+k)), append(x.Labels, []int32{-100, int32(100*i + k)}[k%2])
			}
			want = append(want, x)
			if err := s.store.add(x); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.seal(); err != nil {
			t.Fatal(err)
		}
		for i, x := range want {
			if got := s.Sample(i); !slices.Equal(got.Tokens, x.Tokens) || !slices.Equal(got.Labels, x.Labels) || got.Source != x.Source || got.Weight != x.Weight {
				t.Errorf("limit %d: %+v, want %+v", limit, got, x)
			}
		}
		if s.Hash() != Hash(want) {
			t.Errorf("limit %d: another hash", limit)
		}
		onDisk := s.store.file
		if (onDisk != nil) != (limit < 17) {
			t.Errorf("limit %d: file %v", limit, onDisk)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if onDisk != nil {
			if _, err := os.Stat(onDisk.Name()); err == nil {
				t.Error("the file is still there")
			}
			if s.Sample(4); s.Err() == nil {
				t.Error("a sample was read from a closed file")
			}
		}
	}
}

// An epoch takes samples of several paths in the ratio that Mix says, and
// each at least once.
func TestMix(t *testing.T) {
	dir := t.TempDir()
	a := write(t, dir, "a.jsonl", strings.Repeat(`{"text":"Once"}`+"\n", 12))
	b := write(t, dir, "b.jsonl", strings.Repeat(`{"text":"upon"}`+"\n", 3)+`{"text":"time","weight":2}`)
	for _, c := range []struct {
		config Config
		a, b   float64 // weights of the first sample of each
	}{
		{Config{}, 1, 1},
		{Config{Weights: []float64{0.5, 2}}, 0.5, 2},
		{Config{Mix: []float64{3, 2}}, 1, 2},
		{Config{Mix: []float64{9, 1}}, 3, 1},
	} {
		set, err := OpenAll([]string{a, b}, stories(t), c.config)
		if err != nil {
			t.Fatal(err)
		}
		if x, y, z := set.Sample(0).Weight, set.Sample(12).Weight, set.Sample(15).Weight; x != c.a || y != c.b || z != 2*c.b {
			t.Errorf("%+v: weights %v, %v and %v", c.config, x, y, z)
		}
	}
}

func TestNames(t *testing.T) {
	for i, name := range trainNames {
		var v Train
		if err := v.UnmarshalText([]byte(name)); err != nil || v != Train(i) || v.String() != name {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	for i, name := range overflowNames {
		var v Overflow
		if err := v.UnmarshalText([]byte(name)); err != nil || v != Overflow(i) || v.String() != name {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	var o Overflow
	if err := o.UnmarshalText([]byte("cut")); err == nil || !strings.Contains(err.Error(), "cut-prompt") {
		t.Errorf("%v", err)
	}
}
