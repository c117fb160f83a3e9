package dense_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"gorgonia.org/tensor"

	"github.com/seed-5afa5581/graft/model/safetensors"
	"github.com/seed-5afa5581/graft/model/safetensors/dense"
)

// A matrix goes into a file and comes back as the file's memory.
func Example() {
	dir, err := os.MkdirTemp("", "dense")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")

	matrix := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{0, 1, 2, 3, 4, 5}))
	entry, err := dense.Entry("weight", matrix)
	if err != nil {
		log.Fatal(err)
	}
	if err := safetensors.Write(path, nil, []safetensors.Entry{entry}); err != nil {
		log.Fatal(err)
	}

	file, err := safetensors.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	weight, _ := file.Tensor("weight")
	w, err := dense.Of(weight)
	if err != nil {
		log.Fatal(err)
	}
	product, err := tensor.MatVecMul(w, tensor.New(tensor.WithBacking([]float32{1, 1, 1})))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(product)
	// Output: [ 3  12]
}
