package kernels

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

// An Opener opens a device of one family; arg is what follows the colon in
// "family:arg", empty if nothing does.
type Opener func(arg string) (Device, error)

type family struct {
	name string
	rank int
	open Opener
}

var registry struct {
	sync.Mutex
	families []family
}

// Register makes a family of devices known to Open under a name. Where the
// caller does not choose, Open tries the families of the highest rank first.
func Register(name string, rank int, open Opener) {
	registry.Lock()
	defer registry.Unlock()
	registry.families = append(registry.families, family{name, rank, open})
	slices.SortStableFunc(registry.families, func(a, b family) int { return b.rank - a.rank })
}

// Open returns a device: "cpu" or "cpu:N" for the CPU with N workers,
// "cuda:1" for the second GPU. An empty name means what the environment variable
// GRAFT_DEVICE says, and without it the best device that opens. Package model
// registers the devices it is built with.
func Open(name string) (Device, error) {
	if name == "" {
		name = os.Getenv("GRAFT_DEVICE")
	}
	registry.Lock()
	families := slices.Clone(registry.families)
	registry.Unlock()
	if len(families) == 0 {
		return nil, errors.New("kernels: no device is registered: import github.com/seed-5afa5581/graft/model or one of the packages under kernels")
	}
	if name == "" {
		return openBest(families)
	}
	head, arg, _ := strings.Cut(name, ":")
	for _, f := range families {
		if f.name == head {
			return open(f, arg)
		}
	}
	return nil, fmt.Errorf("kernels: unknown device %q: this program has %s", name, names(families))
}

func open(f family, arg string) (Device, error) {
	dev, err := f.open(arg)
	if err != nil {
		return nil, fmt.Errorf("kernels: %s: %w", f.name, err)
	}
	return Checked(dev), nil
}

func openBest(families []family) (Device, error) {
	var faults []error
	for _, f := range families {
		dev, err := open(f, "")
		if err == nil {
			return dev, nil
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}

func names(families []family) string {
	var s []string
	for _, f := range families {
		s = append(s, f.name)
	}
	return strings.Join(s, ", ")
}
