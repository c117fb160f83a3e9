// Command trl-check writes the tokens and labels that graft makes of records, one sample a line,
// for check.py.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"os"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

func main() {
	log.SetFlags(0)
	c := data.Config{MaxLen: 1 << 20, Overflow: data.Refuse}
	dir := flag.String("tokenizer", "", "directory of the tokenizer")
	flag.StringVar(&c.Template, "template", "", "file of the chat template")
	flag.StringVar(&c.Date, "date", "", "day that templates write")
	flag.Parse()
	if err := run(*dir, flag.Args(), c); err != nil {
		log.Fatal(err)
	}
}

func run(dir string, paths []string, c data.Config) error {
	t, err := tokenizer.Open(dir)
	if err != nil {
		return err
	}
	set, err := data.OpenAll(paths, t, c)
	if err != nil {
		return err
	}
	defer set.Close()
	out := json.NewEncoder(os.Stdout)
	for i := range set.Len() {
		s := set.Sample(i)
		if err := out.Encode(map[string]any{"source": s.Source, "input_ids": s.Tokens, "labels": s.Labels}); err != nil {
			return err
		}
	}
	return set.Err()
}
