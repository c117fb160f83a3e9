package main

import (
	"flag"
	"strings"
	"testing"
)

// Help shows every flag of training in one group, and no other.
func TestTrainGroups(t *testing.T) {
	f := flag.NewFlagSet("train", flag.ContinueOnError)
	trainCommand.prepare(f)
	seen := map[string]bool{}
	for _, g := range trainGroups {
		for _, name := range strings.Fields(g.names) {
			if f.Lookup(name) == nil || seen[name] {
				t.Errorf("group %q: --%s is no flag, or in another group too", g.title, name)
			}
			seen[name] = true
		}
	}
	f.VisitAll(func(o *flag.Flag) {
		if !seen[o.Name] {
			t.Errorf("--%s is in no group", o.Name)
		}
	})
}
