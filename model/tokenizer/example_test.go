package tokenizer_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"testing/fstest"

	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// open is tokenizer.Open for the files of testdata, which are compressed.
func open(name string) (*tokenizer.Tokenizer, error) {
	f, err := os.Open("testdata/golden/" + name + "/tokenizer.json.gz")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	return tokenizer.Load(fstest.MapFS{"tokenizer.json": {Data: data}})
}

func Example() {
	t, err := open("stories260K")
	if err != nil {
		fmt.Println(err)
		return
	}
	ids, spans := t.EncodeOffsets("Once upon a time 🦙", true)
	for i, id := range ids[:4] {
		token, _ := t.Token(id)
		fmt.Println(id, token, spans[i])
	}
	fmt.Println(t.DecodeSkip(ids))
	// Output:
	// 1 <s> {0 0}
	// 403 ▁Once {0 4}
	// 407 ▁upon {4 9}
	// 261 ▁a {9 11}
	// Once upon a time 🦙
}

// A model gives one id after another; a reader sees whole characters.
func ExampleTokenizer_Stream() {
	t, err := open("smollm2")
	if err != nil {
		fmt.Println(err)
		return
	}
	stream := t.Stream()
	for _, id := range t.EncodePlain("one 🦙!") {
		fmt.Printf("%q ", stream.Next(id))
	}
	fmt.Printf("%q\n", stream.Flush())
	// Output:
	// "one" " " "" "🦙" "!" ""
}
