package main

import (
	"fmt"
	"path/filepath"

	"github.com/seed-5afa5581/graft/model/tokenizer"
	sugarme "github.com/sugarme/tokenizer"
	"github.com/sugarme/tokenizer/pretrained"
)

type graftEngine struct {
	t   *tokenizer.Tokenizer
	ids []int32
}

func loadGraft(file string) (engine, error) {
	t, err := tokenizer.Open(filepath.Dir(file))
	return &graftEngine{t: t}, err
}

func (e *graftEngine) count(text string) int {
	e.ids = e.t.EncodeAppend(e.ids[:0], text, false)
	return len(e.ids)
}

// sugarmeEngine is that package as it is, not package model/tokenizer/sugarme.
type sugarmeEngine struct{ t *sugarme.Tokenizer }

// loadSugarme makes an error of the panics that that package's loader is prone to.
func loadSugarme(file string) (e engine, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("sugarme: loading panics: %v", r)
		}
	}()
	t, err := pretrained.FromFile(file)
	return sugarmeEngine{t}, err
}

func (e sugarmeEngine) count(text string) int {
	encoding, err := e.t.EncodeSingle(text, false)
	if err != nil {
		return 0
	}
	return len(encoding.Ids)
}
