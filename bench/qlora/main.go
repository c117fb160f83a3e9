// Qlora trains adapters on one base held as it is stored, in NF4 and in int8, with
// and without merge-aware steps, with one seed and the same records, and writes how
// the loss goes and what becomes of it when the adapters are merged.
//
//	qlora -model DIR -data FILE -out DIR [-steps 300] [-batch 2] [-held 60] [-adapters DIR] [-runs int8]
//
// The last records are held out of training: the table's losses are on their
// answers. Into -out go qlora.csv, the loss of each step of each run, and
// qlora.svg, the curves of the two plain runs; the table goes to standard output.
// Adapters are kept in -adapters, and those that lie there not trained again. -runs
// leaves the runs whose names match it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/quant"
	"github.com/seed-5afa5581/graft/train"
)

var (
	dir      = flag.String("model", "", "directory of the base")
	records  = flag.String("data", "", "file of records")
	out      = flag.String("out", "", "directory for qlora.csv and qlora.svg")
	adapters = flag.String("adapters", "", "directory to keep adapters in")
	held     = flag.Int("held", 60, "records held out")
	some     = flag.String("runs", "", "pattern of the runs' names")
	config   = train.Config{Seed: 1}
)

func init() {
	flag.IntVar(&config.Steps, "steps", 300, "of each run")
	flag.IntVar(&config.Batch, "batch", 2, "samples a step")
}

func main() {
	log.SetFlags(log.Ltime)
	flag.Parse()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// runs are what is compared.
var runs = []*experiment{
	{name: "LoRA, base as stored"},
	{name: "QLoRA", base: nf4},
	{name: "QLoRA, last quarter merge-aware", base: nf4, aware: 0.25},
	{name: "QLoRA, merge-aware", base: nf4, aware: 1},
	{name: "QLoRA, rate 1e-3", base: nf4, rate: 1e-3},
	{name: "QLoRA, rate 1e-3, merge-aware", base: nf4, rate: 1e-3, aware: 1},
	{name: "int8", base: int8s},
	{name: "int8, merge-aware", base: int8s, aware: 1},
}

var nf4, int8s = &quant.Config{}, &quant.Config{Type: quant.Int8}

func run() error {
	pattern, err := regexp.Compile(*some)
	if err != nil {
		return err
	}
	runs = slices.DeleteFunc(runs, func(e *experiment) bool { return !pattern.MatchString(e.name) })
	if len(runs) == 0 {
		return fmt.Errorf("-runs %s matches no run", *some)
	}
	dev, err := kernels.Open("")
	if err != nil {
		return err
	}
	defer dev.Close()
	temporary, err := os.MkdirTemp("", "qlora-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	if *adapters == "" {
		*adapters = filepath.Join(temporary, "adapters")
	}
	b := &bench{dev: dev, merged: filepath.Join(temporary, "merged")}
	for _, e := range runs {
		if err := errors.Join(b.train(e), b.measure(e)); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		log.Print(e.row())
		if err := errors.Join(writeCSV(filepath.Join(*out, "qlora.csv")), writeSVG(filepath.Join(*out, "qlora.svg"))); err != nil {
			return err
		}
	}
	fmt.Print(table())
	return b.base()
}
