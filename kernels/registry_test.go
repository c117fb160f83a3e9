package kernels

import (
	"errors"
	"strings"
	"testing"
)

// withFamilies registers families for one test: good opens, bad and worse do not.
func withFamilies(t *testing.T, names ...string) {
	before := registry.families
	registry.families = nil
	t.Cleanup(func() { registry.families = before })
	t.Setenv("GRAFT_DEVICE", "")
	for rank, name := range names {
		Register(name, rank, func(arg string) (Device, error) {
			if name != "good" && name != "better" {
				return nil, errors.New("no such hardware")
			}
			return &fake{arg: name + "/" + arg}, nil
		})
	}
}

// opened returns what a device was opened as.
func opened(t *testing.T, name string) string {
	t.Helper()
	dev, err := Open(name)
	if err != nil {
		t.Fatalf("Open(%q): %v", name, err)
	}
	c, ok := dev.(checked)
	if !ok {
		t.Fatalf("Open(%q) gives an unchecked device", name)
	}
	return c.Device.(*fake).arg
}

func TestOpen(t *testing.T) {
	withFamilies(t, "good", "better", "bad")
	for name, want := range map[string]string{"good": "good/", "good:2": "good/2", "better:a:b": "better/a:b", "": "better/"} {
		if got := opened(t, name); got != want {
			t.Errorf("Open(%q) opens %q, want %q", name, got, want)
		}
	}
}

func TestOpenReadsTheEnvironment(t *testing.T) {
	withFamilies(t, "good", "better")
	t.Setenv("GRAFT_DEVICE", "good:7")
	if got := opened(t, ""); got != "good/7" {
		t.Errorf("GRAFT_DEVICE=good:7 opens %q", got)
	}
	if got := opened(t, "better"); got != "better/" {
		t.Errorf("a name does not outweigh GRAFT_DEVICE: %q", got)
	}
}

func TestOpenErrors(t *testing.T) {
	for _, c := range []struct {
		families []string
		name     string
		want     []string
	}{
		{nil, "", []string{"kernels: no device is registered", "graft/model"}},
		{nil, "cpu", []string{"kernels: no device is registered"}},
		{[]string{"good", "bad"}, "gpu:1", []string{`kernels: unknown device "gpu:1"`, "bad, good"}},
		{[]string{"good", "bad"}, "bad", []string{"kernels: bad: no such hardware"}},
		{[]string{"bad", "worse"}, "", []string{"kernels: worse: no such hardware", "kernels: bad: no such hardware"}},
	} {
		withFamilies(t, c.families...)
		_, err := Open(c.name)
		if err == nil {
			t.Fatalf("Open(%q) among %v works", c.name, c.families)
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("Open(%q): error %q lacks %q", c.name, err, want)
			}
		}
	}
}
