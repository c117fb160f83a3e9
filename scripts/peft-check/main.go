// Peft-check answers check.py: it reads token sequences as JSON from standard
// input and writes what graft makes of them.
//
//	peft-check MODEL [ADAPTER]
//
//	{"tokens": [[1, 2], [3]], "greedy": 32}  ->  {"greedy": [[...], ...], "logits": [[...], ...]}
//
// logits are those after the last token of each sequence.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
)

type request struct {
	Tokens [][]int32 `json:"tokens"`
	Greedy int       `json:"greedy"`
}

type answer struct {
	Greedy [][]int32   `json:"greedy"`
	Logits [][]float32 `json:"logits"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("usage: peft-check MODEL [ADAPTER] < request.json")
	}
	var q request
	if err := json.NewDecoder(os.Stdin).Decode(&q); err != nil {
		log.Fatal(err)
	}
	a, err := run(q, os.Args[1:])
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		log.Fatal(err)
	}
}

func run(q request, dirs []string) (a answer, err error) {
	dev, err := kernels.Open("")
	if err != nil {
		return a, err
	}
	defer dev.Close()
	m, err := model.Open(dev, dirs[0])
	if err != nil {
		return a, err
	}
	defer m.Close()
	if len(dirs) > 1 {
		if _, err := lora.Load(m, dirs[1]); err != nil {
			return a, err
		}
	}
	pass := m.NewPass()
	defer pass.Close()
	for _, tokens := range q.Tokens {
		logits, err := pass.Logits(model.Batch{Tokens: tokens, Starts: []int32{0}})
		if err != nil {
			return a, err
		}
		a.Logits = append(a.Logits, logits[len(logits)-m.Config.Vocab:])
		var continued []int32
		if q.Greedy > 0 {
			for t, err := range m.Generate(context.Background(), tokens, model.Generation{MaxTokens: q.Greedy}) {
				if err != nil {
					return a, err
				}
				if t.ID != model.NoToken {
					continued = append(continued, t.ID)
				}
			}
		}
		a.Greedy = append(a.Greedy, continued)
	}
	return a, nil
}
