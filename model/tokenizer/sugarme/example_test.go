package sugarme_test

import (
	"fmt"
	"os"
	"testing/fstest"

	"github.com/seed-5afa5581/graft/model/tokenizer"
	"github.com/seed-5afa5581/graft/model/tokenizer/sugarme"
)

func ExampleNew() {
	data, err := os.ReadFile("../testdata/sentencepiece/bpe-bytes.model")
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := tokenizer.Load(fstest.MapFS{"tokenizer.model": {Data: data}})
	if err != nil {
		fmt.Println(err)
		return
	}
	encoding, err := sugarme.New(t).EncodeSingle("Hello\n", true)
	fmt.Println(encoding.Tokens, encoding.Ids, err)
	// Output: [<s> ▁H ello <0x0A>] [1 366 447 13] <nil>
}
