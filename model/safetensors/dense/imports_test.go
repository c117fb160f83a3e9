package dense

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImports checks that gorgonia comes into a program by its borders alone: no
// other package of graft needs it, apart from tests.
func TestImports(t *testing.T) {
	const graft = "github.com/seed-5afa5581/graft/"
	borders := []string{graft + "model/safetensors/dense", graft + "train/solver"}
	list, err := exec.Command("go", "list", "-f", "{{.ImportPath}}{{range .Deps}} {{.}}{{end}}", graft+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for line := range strings.Lines(string(list)) {
		path, deps, _ := strings.Cut(strings.TrimSpace(line), " ")
		if needs := strings.Contains(deps, "gorgonia.org/"); needs != slices.Contains(borders, path) {
			t.Errorf("%s needs gorgonia: %v", path, needs)
		}
		if strings.HasPrefix(path, graft+"model") {
			seen++
		}
	}
	if seen < 4 {
		t.Errorf("only %d packages in model", seen)
	}
}
