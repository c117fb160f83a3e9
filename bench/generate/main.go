// Command generate measures prefill and decode of a model: the tokens of a
// prompt and the tokens after it, each per second, as a line of JSON a round.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"
	"time"

	"github.com/seed-5afa5581/graft/kernels"
	_ "github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/quant"
)

func main() {
	log.SetFlags(0)
	dir := flag.String("model", "", "`folder` of the model")
	device := flag.String("device", "cpu", "device, such as cpu:2,float32")
	quantize := flag.String("quantize", "", "quantise the linear layers while loading: nf4, fp4 or int8")
	prompt := flag.Int("prompt", 512, "tokens of the prompt")
	tokens := flag.Int("tokens", 64, "tokens after it")
	rounds := flag.Int("rounds", 3, "rounds")
	flag.Parse()
	dev, err := kernels.Open(*device)
	if err != nil {
		log.Fatal(err)
	}
	o := model.Options{}
	if *quantize != "" {
		t, err := quant.ParseType(*quantize)
		if err != nil {
			log.Fatal(err)
		}
		o.Quantize = &quant.Config{Type: t}
	}
	m, err := model.OpenWith(dev, *dir, o)
	if err != nil {
		log.Fatal(err)
	}
	ids := make([]int32, *prompt)
	for i := range ids {
		ids[i] = int32(1000 + i*7919%20000)
	}
	for range *rounds {
		if err := json.NewEncoder(os.Stdout).Encode(measure(m, ids, *tokens)); err != nil {
			log.Fatal(err)
		}
	}
}

// A rate is tokens a second.
type rate struct {
	Prefill float64 `json:"prefill"`
	Decode  float64 `json:"decode"`
}

// measure continues a prompt: the time to the first token is that of the
// prompt, the rest that of the tokens after it.
func measure(m *model.Model, prompt []int32, tokens int) rate {
	start, first, n := time.Now(), time.Duration(0), 0
	for _, err := range m.Generate(context.Background(), prompt, model.Generation{MaxTokens: tokens, IgnoreEOS: true}) {
		if err != nil {
			log.Fatal(err)
		}
		if n++; n == 1 {
			first = time.Since(start)
		}
	}
	return rate{float64(len(prompt)) / first.Seconds(), float64(n-1) / (time.Since(start) - first).Seconds()}
}
