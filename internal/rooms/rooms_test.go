// Package rooms enforces which of graft's packages may import which.
package rooms

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/seed-5afa5581/graft/"

// rooms lists what each package may import of graft, tests aside. Packages
// under cmd, examples, scripts and bench may import all but each other.
var rooms = map[string][]string{
	"internal/random":         {},
	"internal/float16":        {},
	"internal/atomicfile":     {},
	"internal/jinja":          {},
	"internal/memory":         {},
	"internal/rooms":          {},
	"internal/tiny":           {"internal/random", "model/safetensors"},
	"internal/golden":         {"data", "kernels", "lora", "model", "model/safetensors", "quant", "train"},
	"quant":                   {},
	"kernels":                 {"internal/random", "quant"},
	"kernels/cpu":             {"internal/float16", "internal/random", "kernels", "quant"},
	"kernels/cuda":            {"internal/float16", "kernels", "kernels/cuda/driver", "quant"},
	"kernels/cuda/driver":     {},
	"kernels/kerneltest":      {"internal/float16", "internal/random", "kernels", "quant"},
	"model/safetensors":       {"internal/atomicfile", "internal/float16"},
	"model/safetensors/dense": {"internal/float16", "model/safetensors"},
	"model/tokenizer":         {"internal/jinja"},
	"model/tokenizer/sugarme": {"model/tokenizer"},
	"model":                   {"internal/atomicfile", "internal/random", "kernels", "kernels/cpu", "kernels/cuda", "model/safetensors", "model/tokenizer", "quant"},
	"lora":                    {"internal/atomicfile", "internal/random", "kernels", "model", "model/safetensors", "quant"},
	"qlora":                   {"kernels", "lora", "model", "quant"},
	"plan":                    {"internal/memory", "kernels", "kernels/cpu", "kernels/cuda", "lora", "model", "quant", "train"},
	"data/rows":               {},
	"data/shape":              {"data/rows", "model/tokenizer"},
	"data":                    {"data/rows", "data/shape", "internal/random", "model", "model/tokenizer"},
	"data/show":               {"data", "model", "model/tokenizer"},
	"data/chunk":              {"data/rows"},
	"data/check":              {"data", "internal/random", "data/rows", "data/shape", "model", "model/tokenizer"},
	"watch":                   {"internal/atomicfile", "train"},
	"train/solver":            {"kernels", "model", "train"},
	"train":                   {"data", "internal/atomicfile", "internal/memory", "internal/random", "kernels", "model", "model/safetensors", "quant"},
}

// leaves may import everything.
var leaves = []string{"cmd/", "examples/", "scripts/", "bench/"}

func TestImports(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (strings.HasPrefix(e.Name(), ".") && path != root || e.Name() == "testdata" || strings.HasPrefix(e.Name(), "_")) {
			return filepath.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		seen++
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		checkFile(t, path, filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Errorf("only %d files were looked at", seen)
	}
}

func checkFile(t *testing.T, path, room string) {
	allowed, known := rooms[room]
	leaf := slices.ContainsFunc(leaves, func(l string) bool { return strings.HasPrefix(room+"/", l) })
	if !known && !leaf {
		t.Errorf("%s: package %s is in no room: add it to the table with what it may import", path, room)
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range f.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		to, ours := strings.CutPrefix(name, module)
		if !ours {
			continue
		}
		if leaf && slices.ContainsFunc(leaves, func(l string) bool { return strings.HasPrefix(to+"/", l) }) || !leaf && !slices.Contains(allowed, to) {
			t.Errorf("%s: %s may not import %s", path, room, to)
		}
	}
}
